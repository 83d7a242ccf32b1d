//! Attacks with connections and octets, for which nobody needs to sign in.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::net::TcpStream;

use super::Attack;
use super::field::Field;
use crate::outside::endpoint::head;
use crate::outside::server::DOMAIN;
use crate::outside::stream::{Stream, client_hello};

/// Connections that are kept open at a time.
const CROWD: usize = 100;

pub const SLOW_HANDSHAKES: Attack = Attack {
    name: "slow handshakes",
    case: 2,
    config: "[limits]\nhandshake_timeout = \"1s\"\n",
    blow: "octet of a ClientHello on one of 100 connections",
    rate: 1_000,
    counter: r#"mynah_connections_closed_total{reason="handshake_timeout"}"#,
    wage: |field| {
        let hello = client_hello();
        trickle(field, &hello, Field::knock, |stream, octet| stream.write_all(&[octet]));
    },
};

pub const SLOW_HEADERS: Attack = Attack {
    name: "slow headers",
    case: 3,
    config: "[limits]\nmessage_timeout = \"1s\"\n",
    blow: "octet of a header on one of 100 connections",
    rate: 1_000,
    counter: r#"mynah_connections_closed_total{reason="message_timeout"}"#,
    wage: |field| {
        let head = options() + "X-Slow: ";
        trickle(field, head.as_bytes(), Field::connect, |stream, octet| stream.try_write([octet]));
    },
};

pub const LONG_HEADS: Attack = Attack {
    name: "endless heads",
    case: 16,
    config: "",
    blow: "connection and 60 KiB of header lines",
    rate: 100,
    counter: r#"mynah_limit_hits_total{limit="sip_head_bytes_max"}"#,
    wage: |field| {
        let line = format!("X-Long: {}\r\n", "x".repeat(1_000));
        once(field, (options() + &line.repeat(60)).as_bytes());
    },
};

pub const KEEP_ALIVES: Attack = Attack {
    name: "keep-alives",
    case: 20,
    config: "",
    blow: "connection and 10,000 CRLFs",
    rate: 100,
    counter: r#"mynah_connections_closed_total{reason="flood"}"#,
    wage: |field| once(field, "\r\n".repeat(10_000).as_bytes()),
};

pub const GARBAGE: Attack = Attack {
    name: "garbage",
    case: 21,
    config: "",
    blow: "connection and 50 KB of noise, in TLS or instead of it",
    rate: 200,
    counter: r#"mynah_connections_closed_total{reason="framing"}"#,
    wage: |field| {
        let noise: Vec<u8> =
            (0..50_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let mut in_tls = false;
        while field.pace.next() {
            in_tls = !in_tls;
            // The server closes before it has taken everything.
            let _ = if in_tls {
                field.connect().and_then(|mut stream| stream.try_write(&noise))
            } else {
                field.knock().and_then(|mut stream| stream.write_all(&noise))
            };
        }
    },
};

pub const RESETS: Attack = Attack {
    name: "resets",
    case: 23,
    config: "",
    blow: "connection that is reset in mid-message or mid-answer",
    rate: 200,
    counter: r#"mynah_connections_closed_total{reason="reset"}"#,
    wage: |field| {
        let whole = options() + "Content-Length: 0\r\n\r\n";
        let mut in_message = false;
        while field.pace.next() {
            in_message = !in_message;
            let Ok(mut stream) = field.connect() else { continue };
            let _ = if in_message {
                stream.try_write(&whole[..whole.len() / 2])
            } else {
                stream.try_write(whole.repeat(20)).and_then(|()| stream.try_message().map(drop))
            };
            stream.reset();
        }
    },
};

pub const CONNECTIONS: Attack = Attack {
    name: "connections",
    case: 25,
    config: "[limits]\nconnections_per_address_max = 32\n",
    blow: "connection of one address that may have 32",
    rate: 1_000,
    counter: r#"mynah_limit_hits_total{limit="connections_per_address_max"}"#,
    wage: |field| crowd(field, |_| Ok(())),
};

pub const HANDSHAKES: Attack = Attack {
    name: "handshakes",
    case: 28,
    config: "",
    blow: "connection and a ClientHello, whose answer nobody reads",
    rate: 1_000,
    counter: "mynah_tls_handshake_failures_total",
    wage: |field| {
        // The same for all: it costs the attacker nothing and the server a key exchange.
        let hello = client_hello();
        crowd(field, |stream| stream.write_all(&hello));
    },
};

/// The head of a request that anybody may send, without Content-Length.
fn options() -> String {
    head("OPTIONS", DOMAIN, "mallory", "mallory", 1, "127.0.0.2:9")
}

/// Writes `octets` one by one on each of the crowd in turn, the last one for ever; whoever is cut
/// off is replaced.
fn trickle<'a, T>(
    field: &Field<'a>,
    octets: &[u8],
    open: impl Fn(&Field<'a>) -> io::Result<T>,
    write: impl Fn(&mut T, u8) -> io::Result<()>,
) {
    let mut crowd: Vec<(Option<T>, usize)> = (0..CROWD).map(|_| (None, 0)).collect();
    loop {
        for (place, at) in &mut crowd {
            if !field.pace.next() {
                return;
            }
            let Some(stream) = place else {
                (*place, *at) = (open(field).ok(), 0);
                continue;
            };
            let octet = octets.get(*at).or(octets.last()).copied().unwrap_or_default();
            *at += 1;
            if write(stream, octet).is_err() {
                *place = None;
            }
        }
    }
}

/// Writes the same on one connection after the other.
fn once(field: &Field<'_>, octets: &[u8]) {
    while field.pace.next() {
        // The server closes before it has taken everything; what it says of that is waited for, so
        // that it was not lost in a reset.
        let Ok(mut stream) = field.connect() else { continue };
        if stream.try_write(octets).is_ok() {
            let _ = stream.try_message();
        }
    }
}

/// Opens connections, does something on each, and resets the oldest when there are too many.
fn crowd(field: &Field<'_>, begin: impl Fn(&mut TcpStream) -> io::Result<()>) {
    let mut crowd = VecDeque::with_capacity(CROWD + 1);
    while field.pace.next() {
        let Ok(mut stream) = field.knock() else { continue };
        // It may have been refused at once.
        let _ = begin(&mut stream);
        crowd.push_back(Stream::over(stream));
        if crowd.len() > CROWD {
            crowd.pop_front().into_iter().for_each(Stream::reset);
        }
    }
    crowd.into_iter().for_each(Stream::reset);
}
