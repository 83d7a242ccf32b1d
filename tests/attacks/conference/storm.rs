//! Many who come and go.

use super::{Dialog, convened, nothing_left, outside, typed, watch};
use crate::harness::conference::{CCCP, Meeting};
use crate::outside::endpoint::Endpoint;
use crate::outside::server::DOMAIN;
use crate::outside::session::SDP;
use crate::outside::stream::Message;
use crate::target::Target;

const USERS: usize = 200;

/// Adds users to a server that runs, and signs them in.
fn populate(target: &Target) -> Vec<Endpoint> {
    target.populate(USERS).iter().map(|name| Endpoint::tcp(target, name)).collect()
}

/// Waits for the answer to what was asked last; what is told meanwhile is taken.
fn answer(endpoint: &mut Endpoint) -> Message {
    loop {
        let message = endpoint.stream.message();
        match message.method() {
            "SIP/2.0" if message.status() >= 200 => return message,
            "SIP/2.0" | "BENOTIFY" => {}
            _ => endpoint.respond(&message, 200, "", ""),
        }
    }
}

/// All join, for messages and at the focus by turns, every fourth looks at the roster, every eighth
/// says something, and all leave: with a word, or every tenth without.
fn round(endpoints: &mut [Endpoint], meeting: &Meeting, target: &Target, number: usize) {
    for endpoint in endpoints.iter_mut() {
        let lines = format!("Contact: {}\r\nSupported: ms-sender\r\n", endpoint.contact());
        let invite = match number % 2 {
            0 => {
                let lines = format!("{lines}{}", typed("application/sdp"));
                outside(endpoint, "INVITE", &meeting.chat, &lines, SDP)
            }
            _ => {
                let user = format!("sip:{}@{DOMAIN}", endpoint.user);
                let body = super::c3p(
                    &endpoint.user,
                    &meeting.focus,
                    &format!(
                        "<addUser><user xmlns=\"urn:ietf:params:xml:ns:conference-info\" \
                         entity=\"{user}\"/></addUser>"
                    ),
                );
                let lines = format!("{lines}{}", typed(CCCP));
                outside(endpoint, "INVITE", &meeting.focus, &lines, &body)
            }
        };
        endpoint.stream.write(invite);
    }
    let uri = if number.is_multiple_of(2) { &meeting.chat } else { &meeting.focus };
    let mut dialogs = Vec::new();
    for (at, endpoint) in endpoints.iter_mut().enumerate() {
        let accepted = answer(endpoint);
        assert_eq!(accepted.status(), 200, "{}", accepted.head);
        let mut dialog = Dialog::of(uri, &accepted);
        endpoint.stream.write(dialog.request("ACK", "", ""));
        if at % 4 == 0 {
            let lines = format!("Contact: {}\r\nEvent: conference\r\n", endpoint.contact());
            let request = outside(endpoint, "SUBSCRIBE", &meeting.focus, &lines, "");
            endpoint.stream.write(request);
            assert_eq!(answer(endpoint).status(), 200);
        }
        if at % 8 == 0 && number.is_multiple_of(2) {
            endpoint.stream.write(dialog.request("MESSAGE", &typed("text/plain"), "hello"));
            assert_eq!(answer(endpoint).status(), 202);
        }
        dialogs.push(dialog);
    }
    for (at, (endpoint, dialog)) in endpoints.iter_mut().zip(&mut dialogs).enumerate() {
        if at % 10 != number % 10 {
            endpoint.stream.write(dialog.request("BYE", "", ""));
        }
    }
    for (at, endpoint) in endpoints.iter_mut().enumerate() {
        if at % 10 != number % 10 {
            assert_eq!(answer(endpoint).status(), 200);
        }
    }
    for (at, endpoint) in endpoints.iter_mut().enumerate() {
        if at % 10 == number % 10 {
            let user = endpoint.user.clone();
            *endpoint = Endpoint::tcp(target, &user);
        }
    }
    // Who looked at the roster does not any more: the conference is over with its last member.
    nothing_left(target);
}

#[test]
fn two_hundred_who_come_and_go_leave_nothing() {
    let mut target = Target::start();
    let mut endpoints = populate(&target);
    let mut alice = Endpoint::tls(&target, "alice");
    let mut number = 0;
    target.leaves_nothing((USERS + 2) as f64, || {
        let meeting = convened(&mut alice);
        round(&mut endpoints, &meeting, &target, number);
        number += 1;
    });
    assert_eq!(target.metrics().value("mynah_conferences_current"), 0.0);
    let meeting = convened(&mut alice);
    assert_eq!(watch(&mut alice, &meeting.focus, 0).status(), 200);
    target.serves_others();
    target.survived();
}
