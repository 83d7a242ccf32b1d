//! How conferences are joined.

use mynah::base::limits::Limit;
use mynah::metrics::names::Series;

use crate::harness::client::SDP;
use crate::harness::conference::{
    CCCP, FACTORY, Meeting, Wish, convened, failed, id_at, joined, left, nothing_left, pass_over,
    plainly, seated, signed_in, succeeded, three, users, watching,
};
use crate::harness::{Client, Device, Net};

#[test]
fn a_conference_is_joined_in_two_steps() {
    for shards in [1, 2, 4] {
        let (mut net, [mut alice, mut bob, _]) = three(shards);
        let meeting = convened(&mut net, &mut alice, &id_at(shards, 3, 1), Wish::default());
        let invite = bob.invite_focus(&meeting);
        net.send(bob.conn, &invite);
        let accepted = net.recv(bob.conn);
        let tag = accepted.to_tag().to_owned();
        let (focus, chat) = (&meeting.focus, &meeting.chat);
        let body = format!(
            "<?xml version=\"1.0\"?><response xmlns=\"urn:ietf:params:xml:ns:cccp\" \
             xmlns:msacp=\"http://schemas.microsoft.com/rtc/2005/08/acpconfinfoextensions\" \
             requestId=\"1\" C3PVersion=\"1\" from=\"{focus}\" to=\"sip:bob@example.test\" \
             code=\"success\"><addUser><conferenceKeys confEntity=\"{focus}\"/></addUser>\
             </response>"
        );
        assert_eq!(
            accepted.as_str(),
            format!(
                "SIP/2.0 200 OK\r\n\
                 Via: {}\r\n\
                 From: {}\r\n\
                 To: <{focus}>;tag={tag}\r\n\
                 Call-ID: {}\r\n\
                 CSeq: 1 INVITE\r\n\
                 Contact: <{focus}>;isfocus\r\n\
                 Allow: {}\r\n\
                 Allow-Events: conference\r\n\
                 Content-Type: {CCCP}\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                invite.value("Via"),
                invite.value("From"),
                invite.value("Call-ID"),
                accepted.header("Allow"),
                body.len(),
            )
        );
        let dialog = bob.conference_dialog(&invite, &accepted);
        net.send(bob.conn, &bob.ack(&dialog));

        let invite = bob.invite_chat(&meeting);
        net.send(bob.conn, &invite);
        let accepted = net.recv(bob.conn);
        assert_eq!(accepted.status(), 200);
        assert_eq!(accepted.header("Contact"), format!("<{chat}>;isfocus"));
        assert_eq!(accepted.header("Supported"), "ms-sender");
        assert_eq!(accepted.header("Content-Type"), "application/sdp");
        assert!(accepted.body().contains("m=message 5061 sip null\r\n"), "{accepted:?}");
        let accepts = accepted.body().split("a=accept-types:").nth(1).unwrap_or_default();
        for media in ["text/plain", "text/html", "multipart/alternative"] {
            assert!(accepts.contains(media), "{accepted:?}");
        }
        net.silent(&[alice.conn, bob.conn]);
        assert_eq!(net.value(Series::ConferenceMembersCurrent), 1, "two legs, one member");
        assert_eq!(net.value(Series::LegsCurrent), 2);
    }
}

#[test]
fn a_standard_client_joins_in_one_step() {
    for shards in [1, 2, 4] {
        let mut net = Net::new(shards);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut bob = Client::simple(&mut net, shards - 1, "bob");
        let meeting = convened(&mut net, &mut alice, &id_at(shards, 1, 1), Wish::default());
        let invite = bob.invite_plain(&meeting);
        net.send(bob.conn, &invite);
        let accepted = net.recv(bob.conn);
        assert_eq!(accepted.status(), 200);
        assert_eq!(accepted.header("Contact"), format!("<{}>;isfocus", meeting.focus));
        assert_eq!(accepted.header("Content-Type"), "application/sdp");
        assert_eq!(accepted.header("Allow-Events"), "conference");
        let mut dialog = bob.conference_dialog(&invite, &accepted);
        net.send(bob.conn, &bob.ack(&dialog));
        assert_eq!(net.value(Series::ConferenceMembersCurrent), 1);
        left(&mut net, &mut bob, &mut dialog);
        nothing_left(&net);
    }
}

#[test]
fn an_invite_without_a_description_is_answered_with_ours() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::simple(&mut net, 1, "bob");
    let meeting = convened(&mut net, &mut alice, &id_at(2, 0, 1), Wish::default());
    let invite = bob.request("INVITE", &meeting.focus);
    let dialog = joined(&mut net, &mut bob, &invite);
    assert_eq!(dialog.target, meeting.focus);
}

#[test]
fn what_has_no_messages_is_not_acceptable() {
    let (mut net, [mut alice, mut bob, _]) = three(1);
    let meeting = convened(&mut net, &mut alice, &id_at(1, 0, 1), Wish::default());
    let audio = SDP.replace("m=message 5061 sip null", "m=audio 4000 RTP/AVP 0");
    for to in [&meeting.focus, &meeting.chat] {
        let invite = bob.request("INVITE", to).body("application/sdp", &audio);
        assert_eq!(net.ask(bob.conn, &invite).status(), 488);
        let invite = bob.request("INVITE", to).body("text/plain", "hello");
        assert_eq!(net.ask(bob.conn, &invite).status(), 415);
    }
    let invite = bob.request("INVITE", FACTORY).body("application/sdp", SDP);
    assert_eq!(net.ask(bob.conn, &invite).status(), 405);
    assert_eq!(net.value(Series::LegsCurrent), 0);
}

#[test]
fn a_join_at_the_focus_is_about_that_focus() {
    let (mut net, [mut alice, mut bob, _]) = three(1);
    let meeting = convened(&mut net, &mut alice, &id_at(1, 0, 1), Wish::default());
    let other = convened(&mut net, &mut alice, &id_at(1, 0, 2), Wish::default());
    let keys = other.keys();
    let user = "<ci:user xmlns:ci=\"urn:ietf:params:xml:ns:conference-info\" \
                entity=\"sip:bob@example.test\"/>";
    let body = bob.c3p(&meeting.focus, &format!("<addUser>{keys}{user}</addUser>"));
    let invite = bob.request("INVITE", &meeting.focus).body(CCCP, &body);
    assert_eq!(net.ask(bob.conn, &invite).status(), 400, "keys of another conference");
    let user = user.replace("bob", "carol");
    let body = bob.c3p(&meeting.focus, &format!("<addUser>{}{user}</addUser>", meeting.keys()));
    let invite = bob.request("INVITE", &meeting.focus).body(CCCP, &body);
    assert_eq!(net.ask(bob.conn, &invite).status(), 400, "somebody else");
    assert_eq!(net.value(Series::LegsCurrent), 0);
}

#[test]
fn a_conference_that_is_not_there_is_not_found() {
    for shards in [1, 2, 4] {
        let (mut net, [mut alice, mut bob, _]) = three(shards);
        let id = id_at(shards, 1, 1);
        convened(&mut net, &mut alice, &id, Wish::default());
        let unknown = Meeting::of("alice", &id_at(shards, 1, 2));
        let anothers = Meeting::of("carol", &id);
        for meeting in [unknown, anothers] {
            let invite = bob.invite_focus(&meeting);
            let answer = net.ask(bob.conn, &invite);
            assert_eq!(answer.status(), 404);
            assert!(answer.header("ms-diagnostics").starts_with("52080;reason="), "{answer:?}");
            net.send(bob.conn, &bob.acknowledge(&invite, &answer));
            let invite = bob.invite_chat(&meeting);
            assert_eq!(net.ask(bob.conn, &invite).status(), 404);
        }
        let foreign = Meeting::of("sip:alice@example.org", &id);
        let invite = bob.invite_focus(&foreign);
        let answer = net.ask(bob.conn, &invite);
        assert_eq!(answer.status(), 404);
        assert!(answer.header("ms-diagnostics").starts_with("52001;reason="), "{answer:?}");
        net.pass_s(60);
        assert_eq!(net.value(Series::LegsCurrent), 0);
    }
}

#[test]
fn only_who_was_asked_in_joins_a_closed_conference() {
    for shards in [1, 2] {
        let (mut net, [mut alice, mut bob, mut carol]) = three(shards);
        let wish = Wish {
            admission: "closedAuthenticated",
            invited: &[("bob", "attendee")],
            ..Wish::default()
        };
        let meeting = convened(&mut net, &mut alice, &id_at(shards, 0, 1), wish);
        seated(&mut net, &mut alice, &meeting);
        seated(&mut net, &mut bob, &meeting);
        for invite in [carol.invite_focus(&meeting), carol.invite_chat(&meeting)] {
            let answer = net.ask(carol.conn, &invite);
            assert_eq!(answer.status(), 403);
            assert!(answer.header("ms-diagnostics").starts_with("52085;reason="), "{answer:?}");
        }
        assert_eq!(net.value(Series::ConferenceJoinsRefused), 2);
    }
}

#[test]
fn nobody_but_the_organiser_joins_a_locked_conference() {
    for shards in [1, 2] {
        let (mut net, [mut alice, mut bob, mut carol]) = three(shards);
        let meeting = convened(&mut net, &mut alice, &id_at(shards, 0, 1), Wish::default());
        let mut seat = seated(&mut net, &mut bob, &meeting);
        let lock = alice.operation_at(&meeting.focus, &meeting.lock(true));
        succeeded(net.ask(alice.conn, &lock).body(), "<modifyConferenceLock");
        let invite = carol.invite_focus(&meeting);
        let answer = net.ask(carol.conn, &invite);
        assert_eq!(answer.status(), 403);
        assert!(answer.header("ms-diagnostics").starts_with("52086;reason="), "{answer:?}");
        // The organiser comes in, and who is in opens another leg.
        seated(&mut net, &mut alice, &meeting);
        let invite = bob.invite_chat(&meeting);
        joined(&mut net, &mut bob, &invite);
        let unlock = alice.operation_at(&meeting.focus, &meeting.lock(false));
        assert_eq!(net.ask(alice.conn, &unlock).status(), 200);
        seated(&mut net, &mut carol, &meeting);
        left(&mut net, &mut bob, &mut seat.chat);
    }
}

#[test]
fn a_full_conference_takes_the_organiser_alone() {
    for shards in [1, 2] {
        let (mut net, [mut alice, mut bob, mut carol]) =
            signed_in(Net::limited(shards, |limits| limits.conference_members_max = 1));
        let meeting = convened(&mut net, &mut alice, &id_at(shards, 0, 1), Wish::default());
        seated(&mut net, &mut bob, &meeting);
        let invite = carol.invite_focus(&meeting);
        let answer = net.ask(carol.conn, &invite);
        assert_eq!(answer.status(), 486);
        assert!(answer.header("ms-diagnostics").starts_with("52089;reason="), "{answer:?}");
        assert_eq!(net.hits(Limit::ConferenceMembers), 1);
        seated(&mut net, &mut alice, &meeting);
    }
}

#[test]
fn who_waits_in_the_lobby_is_let_in() {
    for shards in [1, 2, 4] {
        let (mut net, [mut alice, mut bob, _]) = three(shards);
        let wish = Wish { admission: "closedAuthenticated", lobby: true, ..Wish::default() };
        let meeting = convened(&mut net, &mut alice, &id_at(shards, 1, 1), wish);
        let mut seat = seated(&mut net, &mut alice, &meeting);
        watching(&mut net, &mut alice, &meeting);

        let invite = bob.invite_focus(&meeting);
        joined(&mut net, &mut bob, &invite);
        let (_, roster) = watching(&mut net, &mut bob, &meeting);
        assert_eq!(users(roster.body()), [("bob".to_owned(), "full".to_owned())]);
        assert!(!roster.body().contains("app:conf:chat:"), "not where messages go: {roster:?}");
        let invite = bob.invite_chat(&meeting);
        assert_eq!(net.ask(bob.conn, &invite).status(), 403, "he waits");
        let notice = net.recv(alice.conn);
        assert!(notice.body().contains("<status>on-hold</status>"), "{notice:?}");
        net.silent(&[alice.conn, bob.conn]);

        let info = alice.operate(&mut seat.focus, &meeting.admit("bob", true));
        assert_eq!(net.ask(alice.conn, &info).status(), 202);
        let told = net.recv(bob.conn);
        assert!(told.body().contains("app:conf:chat:") && told.body().contains("state=\"full\""));
        assert_eq!(users(told.body()).len(), 2, "{told:?}");
        pass_over(&mut net, &[alice.conn]);
        let invite = bob.invite_chat(&meeting);
        joined(&mut net, &mut bob, &invite);
        assert_eq!(net.value(Series::ConferenceMembersCurrent), 2);
    }
}

#[test]
fn who_waits_in_the_lobby_is_turned_away() {
    for shards in [1, 2] {
        let (mut net, [mut alice, mut bob, _]) = three(shards);
        let wish = Wish { admission: "closedAuthenticated", lobby: true, ..Wish::default() };
        let meeting = convened(&mut net, &mut alice, &id_at(shards, 1, 1), wish);
        let mut seat = seated(&mut net, &mut alice, &meeting);
        let invite = bob.invite_focus(&meeting);
        let dialog = joined(&mut net, &mut bob, &invite);
        watching(&mut net, &mut bob, &meeting);
        let info = alice.operate(&mut seat.focus, &meeting.admit("bob", false));
        assert_eq!(net.ask(alice.conn, &info).status(), 202);
        // There is no other dialog by whose end he could know.
        let bye = net.recv(bob.conn);
        assert_eq!((bye.method(), bye.header("Call-ID")), ("BYE", &*dialog.call_id));
        net.send(bob.conn, &bye.answer(200, ""));
        net.silent(&[bob.conn]);
        assert_eq!(net.value(Series::LegsCurrent), 2);
        let bye = bob.within(&mut dialog.clone(), "BYE");
        assert_eq!(net.ask(bob.conn, &bye).status(), 481);
    }
}

#[test]
fn who_waits_in_the_lobby_may_go() {
    let (mut net, [mut alice, mut bob, _]) = three(2);
    let wish = Wish { admission: "closedAuthenticated", lobby: true, ..Wish::default() };
    let meeting = convened(&mut net, &mut alice, &id_at(2, 1, 1), wish);
    let mut seat = seated(&mut net, &mut alice, &meeting);
    watching(&mut net, &mut alice, &meeting);
    let invite = bob.invite_focus(&meeting);
    let mut dialog = joined(&mut net, &mut bob, &invite);
    net.recv(alice.conn);
    left(&mut net, &mut bob, &mut dialog);
    let notice = net.recv(alice.conn);
    assert_eq!(users(notice.body()), [("bob".to_owned(), "deleted".to_owned())]);
    let info = alice.operate(&mut seat.focus, &meeting.admit("bob", true));
    failed(&net.ask(alice.conn, &info), 404, "userDoesntExist");
    assert_eq!(net.value(Series::LegsCurrent), 2);
}

#[test]
fn a_member_comes_back() {
    for shards in [1, 2] {
        let (mut net, [mut alice, mut bob, _]) = three(shards);
        let meeting = convened(&mut net, &mut alice, &id_at(shards, 1, 1), Wish::default());
        seated(&mut net, &mut alice, &meeting);
        for _ in 0..3 {
            let mut seat = seated(&mut net, &mut bob, &meeting);
            assert_eq!(net.value(Series::ConferenceMembersCurrent), 2);
            left(&mut net, &mut bob, &mut seat.focus);
            left(&mut net, &mut bob, &mut seat.chat);
            assert_eq!(net.value(Series::ConferenceMembersCurrent), 1);
        }
        assert_eq!(net.value(Series::LegsCurrent), 2);
    }
}

#[test]
fn two_endpoints_of_one_user_are_one_member() {
    for shards in [1, 2] {
        let (mut net, [mut alice, mut bob, _]) = three(shards);
        let device = Device { user: "bob", ms: true, number: 1 };
        let mut second = Client::device(&mut net, 0, device);
        let meeting = convened(&mut net, &mut alice, &id_at(shards, 1, 1), Wish::default());
        let mut first = seated(&mut net, &mut bob, &meeting);
        let (_, roster) = {
            seated(&mut net, &mut second, &meeting);
            watching(&mut net, &mut second, &meeting)
        };
        assert_eq!(users(roster.body()).len(), 1, "{roster:?}");
        let endpoints = roster.body().matches("session-type=\"chat\"").count();
        assert_eq!(endpoints, 2, "{roster:?}");
        left(&mut net, &mut bob, &mut first.focus);
        left(&mut net, &mut bob, &mut first.chat);
        assert_eq!(net.value(Series::ConferenceMembersCurrent), 1, "he is still in");
        net.close(second.conn);
        nothing_left(&net);
    }
}

#[test]
fn one_member_has_so_many_legs() {
    let (mut net, [mut alice, mut bob, _]) =
        signed_in(Net::limited(2, |limits| limits.conference_legs_per_member_max = 2));
    let meeting = convened(&mut net, &mut alice, &id_at(2, 1, 1), Wish::default());
    seated(&mut net, &mut bob, &meeting);
    let invite = bob.invite_chat(&meeting);
    assert_eq!(net.ask(bob.conn, &invite).status(), 403);
    assert_eq!(net.hits(Limit::ConferenceLegs), 1);
    assert_eq!(net.value(Series::LegsCurrent), 2);
}

#[test]
fn a_connection_and_a_shard_have_so_many_legs() {
    let (mut net, [mut alice, mut bob, _]) =
        signed_in(Net::limited(1, |limits| limits.legs_per_connection_max = 2));
    let meeting = convened(&mut net, &mut alice, &id_at(1, 0, 1), Wish::default());
    seated(&mut net, &mut bob, &meeting);
    let invite = bob.invite_chat(&meeting);
    assert_eq!(net.ask(bob.conn, &invite).status(), 503);
    assert_eq!(net.hits(Limit::LegsPerConnection), 1);

    let (mut net, [mut alice, mut bob, mut carol]) =
        signed_in(Net::limited(1, |limits| limits.legs_per_shard_max = 2));
    let meeting = convened(&mut net, &mut alice, &id_at(1, 0, 1), Wish::default());
    seated(&mut net, &mut bob, &meeting);
    let invite = carol.invite_chat(&meeting);
    assert_eq!(net.ask(carol.conn, &invite).status(), 503);
    assert_eq!(net.hits(Limit::Legs), 1);
    assert_eq!(net.value(Series::LegsCurrent), 2);
}

#[test]
fn an_invite_that_comes_again_is_one_join() {
    let (mut net, [mut alice, mut bob, _]) = three(2);
    // Bob is on shard 1.
    let meeting = convened(&mut net, &mut alice, &id_at(2, 0, 1), Wish::default());
    let invite = bob.invite_chat(&meeting);
    net.post(bob.conn, &invite);
    net.post(bob.conn, &invite);
    net.settle();
    assert_eq!(net.recv(bob.conn).status(), 200);
    net.silent(&[bob.conn]);
    assert_eq!(net.value(Series::LegsCurrent), 1);
}

#[test]
fn a_cancel_comes_too_late() {
    // Bob is on shard 1: the answer is there, or on its way.
    for (shards, owner, confirmed) in [(1, 0, 481), (2, 0, 200)] {
        let (mut net, [mut alice, mut bob, _]) = three(shards);
        let meeting = convened(&mut net, &mut alice, &id_at(shards, owner, 1), Wish::default());
        let invite = bob.invite_focus(&meeting);
        net.post(bob.conn, &invite);
        net.post(bob.conn, &bob.cancel(&invite));
        net.settle();
        let mut answers = [net.recv(bob.conn), net.recv(bob.conn)];
        answers.sort_by_key(|answer| answer.method().to_owned());
        assert_eq!(answers.each_ref().map(|answer| answer.method()), ["CANCEL", "INVITE"]);
        assert_eq!(answers.each_ref().map(|answer| answer.status()), [confirmed, 200]);
        let mut dialog = bob.conference_dialog(&invite, &answers[1]);
        net.send(bob.conn, &bob.ack(&dialog));
        left(&mut net, &mut bob, &mut dialog);
        nothing_left(&net);
    }
}

#[test]
fn a_connection_lost_while_its_user_joins_leaves_nothing() {
    // Shards so that the connection, the home and the owner are apart.
    let shards = 4;
    for steps in 0..6 {
        let (mut net, [mut alice, mut bob, _]) = three(shards);
        let away = |shard: u16| shard != net.user_home("bob") && shard != 1;
        let owner = (0..shards).find(|shard| away(*shard)).expect("a shard");
        let meeting = convened(&mut net, &mut alice, &id_at(shards, owner, 1), Wish::default());
        net.post(bob.conn, &bob.invite_focus(&meeting));
        net.post(bob.conn, &bob.invite_chat(&meeting));
        for _ in 0..steps {
            let Some(link) = net.busy().next() else { break };
            net.carry(link);
        }
        net.end(bob.conn);
        net.settle();
        let legs: usize = net.all().iter().map(|shard| shard.occupancy().conference_legs).sum();
        assert_eq!(legs, 0, "after {steps} steps");
        assert_eq!(net.value(Series::ConferenceMembersCurrent), 0, "after {steps} steps");
        net.pass_s(601);
        nothing_left(&net);
    }
}

#[test]
fn who_has_left_is_not_there_any_more() {
    let (mut net, [mut alice, mut bob, _]) = three(2);
    let meeting = convened(&mut net, &mut alice, &id_at(2, 1, 1), Wish::default());
    seated(&mut net, &mut alice, &meeting);
    let mut seat = seated(&mut net, &mut bob, &meeting);
    left(&mut net, &mut bob, &mut seat.chat);
    let message = bob.say(&mut seat.chat, "hello?");
    assert_eq!(net.ask(bob.conn, &message).status(), 481);
    net.silent(&[alice.conn]);
}

#[test]
fn a_dialog_is_refreshed_and_other_methods_are_not_for_it() {
    let (mut net, [mut alice, ..]) = three(2);
    let meeting = convened(&mut net, &mut alice, &id_at(2, 1, 1), Wish::default());
    let mut seat = seated(&mut net, &mut alice, &meeting);
    let refresh = alice.within(&mut seat.chat, "INVITE").body("application/sdp", SDP);
    let answer = net.ask(alice.conn, &refresh);
    assert_eq!((answer.status(), answer.contact()), (200, &*meeting.chat));
    assert!(answer.body().contains("m=message"), "{answer:?}");
    let ack = alice.ack(&seat.chat);
    net.send(alice.conn, &ack);
    net.silent(&[alice.conn]);
    let publish = alice.within(&mut seat.chat, "PUBLISH");
    assert_eq!(net.ask(alice.conn, &publish).status(), 405);
    let again = alice.within(&mut seat.focus, "INVITE").body("application/sdp", SDP);
    assert_eq!(net.ask(alice.conn, &again).status(), 488);
}

#[test]
fn a_standard_client_in_a_lobby_is_refused() {
    let mut net = Net::new(1);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::simple(&mut net, 0, "bob");
    let wish = Wish { admission: "closedAuthenticated", lobby: true, ..Wish::default() };
    let meeting = convened(&mut net, &mut alice, &id_at(1, 0, 1), wish);
    let invite = bob.invite_plain(&meeting);
    let answer = net.ask(bob.conn, &invite);
    assert_eq!(answer.status(), 403, "his one dialog is for messages");
    let ask = alice.operation_at(&meeting.focus, &meeting.invite("bob", "attendee"));
    assert_eq!(net.ask(alice.conn, &ask).status(), 200);
    plainly(&mut net, &mut bob, &meeting);
}
