//! Attacks with bodies: publications that are told to many, and what takes long to read.

use std::fmt::Write;

use super::Attack;
use super::field::{Field, volley};
use crate::outside::endpoint::Endpoint;
use crate::outside::server::DOMAIN;

const PUBLISH: &str = "application/msrtc-category-publish+xml";
/// Subscriptions of alice to herself: as many as she may have.
const WATCHES: usize = 64;
/// Publications that are written at once.
const VOLLEY: u32 = 10;
/// Parts within parts, far more than any client sends.
const NESTED: usize = 1_000;

pub const PUBLICATIONS: Attack = Attack {
    name: "publications",
    case: 49,
    config: "",
    blow: "SERVICE with a state that 64 watch",
    rate: 1_000,
    counter: "mynah_publications_total",
    wage: |field| {
        field.again(
            |field| Ok((field.insider()?, watching(field.insider()?)?, 0)),
            |(alice, watcher, version)| {
                if !field.pace.next_of(VOLLEY) {
                    return Ok(());
                }
                let requests: Vec<String> = (0..VOLLEY)
                    .map(|_| {
                        let state = state(3500 + *version % 2 * 3000, *version);
                        *version += 1;
                        publish(alice, &state)
                    })
                    .collect();
                volley(alice, requests)?;
                watcher.stream.drain()
            },
        );
    },
};

pub const XML: Attack = Attack {
    name: "XML",
    case: 56,
    config: "",
    blow: "SERVICE of 250 KB: too deep, too many elements or attributes, a DTD",
    rate: 40,
    counter: r#"mynah_limit_hits_total{limit="xml_depth_max"}"#,
    wage: |field| {
        let mut laughs = "<!DOCTYPE a [<!ENTITY l0 \"ha\">".to_owned();
        for n in 1..6_000 {
            let _ = write!(laughs, "<!ENTITY l{n} \"&l{m};&l{m};\">", m = n - 1);
        }
        let bodies = [
            "<a>".repeat(80_000),
            format!("<a>{}</a>", "<b/>".repeat(60_000)),
            format!("<a {}/>", (0..20_000).map(|n| format!("a{n}=\"\" ")).collect::<String>()),
            laughs + "]><a>&l5999;</a>",
        ];
        let mut bodies = bodies.iter().cycle();
        field.again(Field::insider, |alice| {
            let Some(body) = bodies.next().filter(|_| field.pace.next()) else { return Ok(()) };
            let request = service(alice, body);
            volley(alice, [request]).map(drop)
        });
    },
};

pub const MULTIPART: Attack = Attack {
    name: "parts in parts",
    case: 59,
    config: "[policy.default.im_filter]\naction = \"block\"\n",
    blow: "MESSAGE of 1,000 parts, each within the one before, or 10,000 beside one another",
    rate: 100,
    counter: "mynah_im_messages_blocked_total",
    wage: |field| {
        let bodies = [nested(NESTED), beside(10 * NESTED)];
        let mut bodies = bodies.iter().cycle();
        let lines = "Content-Type: multipart/mixed;boundary=b0\r\n";
        field.again(Field::insider, |alice| {
            let Some(body) = bodies.next().filter(|_| field.pace.next()) else { return Ok(()) };
            let request = alice.request("MESSAGE", "alice", lines, body);
            volley(alice, [request]).map(drop)
        });
    },
};

/// A body whose parts each have one part, so many deep; the outermost boundary is `b0`.
pub fn nested(depth: usize) -> String {
    let mut body = String::new();
    for n in 0..depth {
        let _ = write!(body, "--b{n}\r\nContent-Type: multipart/mixed;boundary=b{}\r\n\r\n", n + 1);
    }
    for n in (0..depth).rev() {
        let _ = write!(body, "\r\n--b{n}--\r\n");
    }
    body
}

/// A body of so many parts, with the boundary `b0`.
pub fn beside(parts: usize) -> String {
    "--b0\r\n\r\nx\r\n".repeat(parts) + "--b0--\r\n"
}

/// Alice with as many subscriptions to herself as she may have.
fn watching(mut alice: Endpoint) -> std::io::Result<Endpoint> {
    let lines = "Contact: <sip:alice@127.0.0.2>\r\nEvent: presence\r\n\
                 Supported: ms-benotify\r\nSupported: ms-piggyback-first-notify\r\n";
    let requests: Vec<String> =
        (0..WATCHES).map(|_| alice.request("SUBSCRIBE", "alice", lines, "")).collect();
    volley(&mut alice, requests)?;
    Ok(alice)
}

/// A publication of the state of alice's machine.
fn state(availability: u32, version: u32) -> String {
    format!(
        "<publication categoryName=\"state\" instance=\"993308598\" container=\"2\" \
         version=\"{version}\" expireType=\"endpoint\">\
         <state xmlns=\"http://schemas.microsoft.com/2006/09/sip/state\" manual=\"false\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"machineState\">\
         <availability>{availability}</availability><endpointLocation/></state></publication>"
    )
}

fn service(alice: &mut Endpoint, body: &str) -> String {
    alice.request("SERVICE", "alice", &format!("Content-Type: {PUBLISH}\r\n"), body)
}

fn publish(alice: &mut Endpoint, publications: &str) -> String {
    let body = format!(
        "<publish xmlns=\"http://schemas.microsoft.com/2006/09/sip/rich-presence\">\
         <publications uri=\"sip:alice@{DOMAIN}\">{publications}</publications></publish>"
    );
    service(alice, &body)
}
