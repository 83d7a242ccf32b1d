//! Conferences that do not exist: nobody learns from the answers how near he is.

use std::collections::BTreeSet;

use super::{ID, ask, convened, invite, invite_focus, nothing_left, service, watch};
use crate::harness::conference::Meeting;
use crate::outside::endpoint::Endpoint;
use crate::outside::stream::Message;
use crate::target::Target;

/// What an answer says that does not depend on the request.
fn said(answer: &Message, meeting: &Meeting) -> String {
    // Which core answers is no secret, and the diagnostic stands in the answers of some.
    let repeated = ["Via", "From", "To", "Call-ID", "CSeq", "Content-Length", "ms-diagnostics"];
    let lines = answer.head.lines().filter(|line| {
        let name = line.split(':').next().unwrap_or_default();
        !repeated.iter().any(|repeated| name.eq_ignore_ascii_case(repeated))
    });
    let head: Vec<_> = lines.collect();
    let body = String::from_utf8_lossy(&answer.body);
    let body = body.replace(&meeting.focus, "FOCUS");
    format!("{}\n{body}", head.join("\n"))
}

#[test]
fn what_does_not_exist_is_answered_alike_however_near_it_is() {
    let target = Target::start();
    let mut alice = Endpoint::tls(&target, "alice");
    convened(&mut alice);
    let mut bob = Endpoint::tls(&target, "bob");
    let text = "Content-Type: text/plain\r\n";
    let mut kinds: [BTreeSet<String>; 8] = Default::default();
    let near = (0..ID.len()).map(|at| {
        let mut id = ID.to_owned();
        let other = if &ID[at..=at] == "0" { "1" } else { "0" };
        id.replace_range(at..=at, other);
        id
    });
    let mut names: Vec<(&str, String)> = near
        .flat_map(|id| ["alice", "bob", "nobody"].map(|organiser| (organiser, id.clone())))
        .collect();
    // The right one of the wrong organiser.
    names.extend([("bob", ID.to_owned()), ("nobody", ID.to_owned()), ("carol", ID.to_owned())]);
    for (organiser, id) in &names {
        let meeting = Meeting::of(organiser, id);
        let answers = [
            invite(&mut bob, &meeting.chat),
            invite(&mut bob, &meeting.focus),
            invite_focus(&mut bob, &meeting, "{1}"),
            watch(&mut bob, &meeting.focus, 600),
            service(&mut bob, &meeting.focus, &meeting.lock(true)),
            ask(&mut bob, "MESSAGE", &meeting.chat, text, "hello"),
            ask(&mut bob, "MESSAGE", &format!("sip:{organiser}+{id}@example.test"), text, "hello"),
            ask(&mut bob, "REFER", &meeting.focus, "Refer-To: <sip:bob@example.test>\r\n", ""),
        ];
        for (kind, answer) in kinds.iter_mut().zip(&answers) {
            assert_eq!(answer.status(), 404, "{organiser} {id}: {}", answer.head);
            kind.insert(said(answer, &meeting));
        }
    }
    for kind in kinds {
        assert_eq!(kind.len(), 1, "{kind:#?}");
    }
    let metrics = target.metrics();
    assert_eq!(metrics.value("mynah_conferences_current"), 1.0);
    // INVITE thrice and MESSAGE twice for each.
    let refused = metrics.value("mynah_conference_joins_refused_total");
    assert_eq!(refused, (5 * names.len()) as f64);
    nothing_left(&target);
    target.survived();
}

#[test]
fn names_that_are_none_are_nobody() {
    let target = Target::start();
    let mut bob = Endpoint::tls(&target, "bob");
    let long = "A".repeat(3_000);
    for id in ["", "1", &ID[1..], &format!("{ID}0"), &ID.replace('C', "G"), &long] {
        for part in ["focus", "chat", "audio-video"] {
            let uri = format!("sip:alice@example.test;gruu;opaque=app:conf:{part}:id:{id}");
            for answer in [
                invite(&mut bob, &uri),
                watch(&mut bob, &uri, 600),
                service(&mut bob, &uri, "<getConferences/>"),
                ask(&mut bob, "MESSAGE", &uri, "Content-Type: text/plain\r\n", "hello"),
            ] {
                assert!(matches!(answer.status(), 400..500), "{uri}: {}", answer.head);
            }
        }
    }
    nothing_left(&target);
    target.survived();
}
