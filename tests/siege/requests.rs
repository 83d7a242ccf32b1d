//! Attacks with requests and answers, by strangers and by somebody who has signed in.

use super::Attack;
use super::field::{Field, sign_in, volley};
use crate::outside::endpoint::{Endpoint, head};
use crate::outside::server::DOMAIN;
use crate::outside::session::SDP;

/// Requests that are written at once.
const VOLLEY: u32 = 20;
/// Octets of a message to somebody who does not read.
const LARGE: usize = 100 * 1024;
/// Large messages that no socket takes without a reader.
const MANY: usize = 100;

pub const DEAF: Attack = Attack {
    name: "never reading",
    case: 24,
    config: "",
    blow: "100 KiB to somebody who does not read",
    rate: 100,
    counter: r#"mynah_connections_closed_total{reason="slow_reader"}"#,
    wage: |field| {
        let body = "x".repeat(LARGE);
        field.again(
            |field| Ok((field.insider()?, field.insider()?)),
            |(alice, _deaf)| {
                for _ in 0..MANY {
                    if !field.pace.next() {
                        return Ok(());
                    }
                    let request = message(alice, &body);
                    alice.stream.try_write(request)?;
                }
                // They are answered once the other end is dropped, and it is.
                (0..MANY).try_for_each(|_| alice.stream.try_message().map(drop))?;
                Err(std::io::ErrorKind::ConnectionReset.into())
            },
        );
    },
};

pub const CREDENTIALS: Attack = Attack {
    name: "garbage for credentials",
    case: 40,
    config: "",
    blow: "REGISTER with 7 KB of parameters in Authorization",
    rate: 1_000,
    counter: r#"mynah_auth_failures_total{cause="malformed"}"#,
    wage: |field| {
        let many = (0..900).map(|n| format!("a{n}=b,")).collect::<String>();
        let lines = format!("Contact: <sip:alice@127.0.0.2>\r\nAuthorization: Digest {many}\r\n");
        requests(field, Field::stranger, |alice| alice.request("REGISTER", DOMAIN, &lines, ""));
    },
};

pub const GUESSES: Attack = Attack {
    name: "guessing passwords",
    case: 41,
    config: "[limits]\nauth_failures_per_address_max = 20\n",
    blow: "connection and a sign-in with a wrong password",
    rate: 200,
    counter: r#"mynah_auth_failures_total{cause="address_locked"}"#,
    wage: |field| {
        let mut guess = 0u32;
        while field.pace.next() {
            guess += 1;
            let Ok(mut stranger) = field.stranger() else { continue };
            // Each for another name: nobody is locked out before the address is.
            stranger.user = format!("user{guess}");
            let _ = sign_in(&mut stranger, "guess");
        }
    },
};

pub const CHALLENGES: Attack = Attack {
    name: "challenges",
    case: 43,
    config: "",
    blow: "REGISTER without credentials",
    rate: 2_000,
    counter: "mynah_auth_challenges_total",
    wage: |field| {
        let contact = "Contact: <sip:alice@127.0.0.2>\r\n";
        requests(field, Field::stranger, |alice| alice.request("REGISTER", DOMAIN, contact, ""));
    },
};

pub const LOOPS: Attack = Attack {
    name: "no hops left",
    case: 45,
    config: "",
    blow: "MESSAGE with Max-Forwards: 0",
    rate: 2_000,
    counter: r#"mynah_sip_responses_total{status="483"}"#,
    wage: |field| {
        requests(field, Field::insider, |alice| {
            message(alice, "x").replace("Max-Forwards: 70", "Max-Forwards: 0")
        });
    },
};

pub const SUBSCRIPTIONS: Attack = Attack {
    name: "subscriptions",
    case: 48,
    config: "",
    blow: "SUBSCRIBE to one user, who may be watched 64 times",
    rate: 2_000,
    counter: r#"mynah_limit_hits_total{limit="watches_per_watcher_max"}"#,
    wage: |field| {
        let lines = "Contact: <sip:alice@127.0.0.2>\r\nEvent: presence\r\n\
                     Supported: ms-benotify\r\nSupported: ms-piggyback-first-notify\r\n";
        requests(field, Field::insider, |alice| alice.request("SUBSCRIBE", "bob", lines, ""));
    },
};

pub const STRAYS: Attack = Attack {
    name: "stray answers",
    case: 51,
    config: "",
    blow: "200 to nothing",
    rate: 2_000,
    counter: "mynah_responses_stray_total",
    wage: |field| {
        let request = head("MESSAGE", DOMAIN, "bob", "alice", 1, "127.0.0.2:9");
        let lines = request.split_once("\r\n").map(|(_, lines)| lines).unwrap_or_default();
        let answer = format!("SIP/2.0 200 OK\r\n{lines}Content-Length: 0\r\n\r\n");
        field.again(Field::insider, |alice| match field.pace.next_of(VOLLEY) {
            true => alice.stream.try_write(answer.repeat(VOLLEY as usize)),
            false => Ok(()),
        });
    },
};

pub const MESSAGES: Attack = Attack {
    name: "messages",
    case: 46,
    config: "[limits]\nrequest_timeout = \"1s\"\nrelays_per_connection_max = 64\n",
    blow: "MESSAGE to somebody who never answers, of which 64 may wait",
    rate: 2_000,
    counter: r#"mynah_limit_hits_total{limit="relays_per_connection_max"}"#,
    wage: |field| to_one_who_is_mute(field, |alice| message(alice, "x")),
};

pub const INVITATIONS: Attack = Attack {
    name: "invitations",
    case: 53,
    config: "[limits]\nrequest_timeout = \"1s\"\nsessions_per_connection_max = 64\n",
    blow: "INVITE of somebody who never answers, of which 64 may wait",
    rate: 1_000,
    counter: r#"mynah_limit_hits_total{limit="sessions_per_connection_max"}"#,
    wage: |field| {
        to_one_who_is_mute(field, |alice| {
            let lines =
                format!("Contact: {}\r\nContent-Type: application/sdp\r\n", alice.contact());
            alice.request("INVITE", "alice", &lines, SDP)
        });
    },
};

/// A message from alice to her other endpoints.
fn message(alice: &mut Endpoint, body: &str) -> String {
    alice.request("MESSAGE", "alice", "Content-Type: text/plain\r\n", body)
}

/// Sends requests that are answered at once, in volleys.
fn requests<'a>(
    field: &Field<'a>,
    open: impl Fn(&Field<'a>) -> std::io::Result<Endpoint>,
    request: impl Fn(&mut Endpoint) -> String,
) {
    field.again(open, |alice| {
        if !field.pace.next_of(VOLLEY) {
            return Ok(());
        }
        let requests: Vec<String> = (0..VOLLEY).map(|_| request(alice)).collect();
        volley(alice, requests).map(drop)
    });
}

/// Sends requests to an endpoint of alice's that takes them and answers none.
fn to_one_who_is_mute(field: &Field<'_>, request: impl Fn(&mut Endpoint) -> String) {
    field.again(
        |field| Ok((field.insider()?, field.insider()?)),
        |(alice, mute)| {
            if !field.pace.next_of(VOLLEY) {
                return Ok(());
            }
            let requests: String = (0..VOLLEY).map(|_| request(alice)).collect();
            alice.stream.try_write(requests)?;
            mute.stream.drain()?;
            alice.stream.drain()
        },
    );
}
