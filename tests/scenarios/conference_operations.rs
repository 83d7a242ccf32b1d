//! What members ask of a conference by C3P, in a dialog or outside.

use mynah::metrics::names::Series;

use crate::harness::conference::{
    CCCP, Table, Wish, convened, failed, heard, id_at, joined, nothing_left, said, seated,
    succeeded, users, watching,
};
use crate::harness::{Client, Device, Dialog, Net, Text};

/// An operation in the dialog of a member, which is done: 202, and the answer in an INFO.
#[track_caller]
fn done(net: &mut Net, client: &mut Client, dialog: &mut Dialog, operation: &str) -> Text {
    let info = client.operate(dialog, operation);
    let accepted = net.ask(client.conn, &info);
    assert_eq!((accepted.status(), accepted.body()), (202, ""), "{accepted:?}");
    let answer = net.recv(client.conn);
    assert_eq!(answer.method(), "INFO", "{answer:?}");
    assert_eq!(answer.header("Content-Type"), CCCP);
    assert_eq!(answer.header("Call-ID"), dialog.call_id);
    answer
}

#[test]
fn the_answer_to_an_operation_comes_before_what_it_leads_to() {
    for (shards, owner) in [(1, 0), (2, 0), (2, 1), (4, 3)] {
        let Table { mut net, meeting, mut alice, mut bob, carol, mut seats } =
            Table::new(shards, owner);
        watching(&mut net, &mut alice, &meeting);
        watching(&mut net, &mut bob, &meeting);
        let info = done(&mut net, &mut alice, &mut seats[0].focus, &meeting.eject("carol"));
        let focus = &meeting.focus;
        let body = format!(
            "<?xml version=\"1.0\"?><response xmlns=\"urn:ietf:params:xml:ns:cccp\" \
             xmlns:msacp=\"http://schemas.microsoft.com/rtc/2005/08/acpconfinfoextensions\" \
             requestId=\"3\" C3PVersion=\"1\" from=\"{focus}\" to=\"sip:alice@example.test\" \
             code=\"success\"><deleteUser/></response>"
        );
        assert_eq!(
            info.as_str(),
            format!(
                "INFO {} SIP/2.0\r\n\
                 Via: SIP/2.0/TLS fe01.example.test:5061;branch={}\r\n\
                 Max-Forwards: 70\r\n\
                 From: <{focus}>;tag={}\r\n\
                 To: <{}>;tag={};epid={}\r\n\
                 Call-ID: {}\r\n\
                 Contact: <{focus}>\r\n\
                 CSeq: 1 INFO\r\n\
                 Content-Type: {CCCP}\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                alice.contact,
                info.branch(),
                seats[0].focus.remote_tag,
                alice.uri(),
                seats[0].focus.local_tag,
                alice.epid,
                seats[0].focus.call_id,
                body.len(),
            )
        );
        let bye = net.recv(carol.conn);
        assert_eq!(bye.method(), "BYE");
        net.send(carol.conn, &bye.answer(200, ""));
        for client in [&alice, &bob] {
            let told = net.recv(client.conn);
            assert_eq!(users(told.body()), [("carol".to_owned(), "deleted".to_owned())]);
        }
        assert_eq!(said(&mut net, &mut alice, &mut seats[0].chat, "without her"), 1);
        heard(&mut net, &bob);
        net.silent(&[alice.conn, bob.conn, carol.conn]);
        net.at_rest();
    }
}

#[test]
fn who_is_removed_is_out_on_all_his_endpoints() {
    for shards in [1, 2, 4] {
        let Table { mut net, meeting, mut alice, bob, mut seats, .. } = Table::new(shards, 1);
        let device = |ms, number| Device { user: "bob", ms, number };
        let mut second = Client::device(&mut net, 0, device(true, 1));
        seated(&mut net, &mut second, &meeting);
        let mut third = Client::device(&mut net, shards - 1, device(false, 2));
        assert_eq!(net.ask(third.conn, &third.page(&meeting.page, "here too")).status(), 202);
        for client in [&alice, &bob, &second] {
            assert_eq!(heard(&mut net, client).body(), "here too");
        }
        done(&mut net, &mut alice, &mut seats[0].focus, &meeting.eject("bob"));
        for client in [&bob, &second] {
            let bye = net.recv(client.conn);
            assert_eq!(bye.method(), "BYE");
            net.send(client.conn, &bye.answer(200, ""));
        }
        said(&mut net, &mut alice, &mut seats[0].chat, "without him");
        net.silent(&[bob.conn, second.conn, third.conn]);
        assert_eq!(net.value(Series::ConferenceMembersCurrent), 2);
        assert_eq!(net.value(Series::LegsCurrent), 4);
    }
}

#[test]
fn an_attendee_may_do_none_of_it() {
    for (shards, owner) in [(1, 0), (2, 0), (4, 3)] {
        let Table { mut net, meeting, alice, mut bob, carol, mut seats } =
            Table::new(shards, owner);
        for operation in [
            meeting.eject("carol"),
            meeting.eject("alice"),
            meeting.lock(true),
            meeting.set_role("bob", "presenter"),
            meeting.invite("dave", "attendee"),
            meeting.admit("carol", true),
            meeting.end(),
        ] {
            let info = bob.operate(&mut seats[1].focus, &operation);
            let answer = net.ask(bob.conn, &info);
            failed(&answer, 403, "unauthorized");
            assert!(answer.header("ms-diagnostics").starts_with("52082;reason="), "{answer:?}");
            let service = bob.operation_at(&meeting.focus, &operation);
            failed(&net.ask(bob.conn, &service), 403, "unauthorized");
        }
        let change = bob.reconvene(&meeting, Wish::default());
        failed(&net.ask(bob.conn, &change), 404, "conferenceDoesntExist");
        let refer = bob.refer(&mut seats[1].focus, "<sip:dave@example.test>");
        assert_eq!(net.ask(bob.conn, &refer).status(), 403);
        net.silent(&[alice.conn, bob.conn, carol.conn]);
        assert_eq!(net.value(Series::ConferenceMembersCurrent), 3);
    }
}

#[test]
fn a_stranger_may_do_none_of_it() {
    let Table { mut net, meeting, alice, .. } = Table::new(2, 1);
    net.put_user("dave", |_| {});
    let mut dave = Client::lync(&mut net, 0, "dave");
    for operation in [meeting.eject("bob"), meeting.lock(true), meeting.end()] {
        let service = dave.operation_at(&meeting.focus, &operation);
        failed(&net.ask(dave.conn, &service), 403, "unauthorized");
    }
    let refer = dave.request("REFER", &meeting.focus).header("Refer-To", "<sip:bob@example.test>");
    assert_eq!(net.ask(dave.conn, &refer).status(), 403);
    net.silent(&[alice.conn, dave.conn]);
}

#[test]
fn an_operation_is_for_the_conference_of_its_dialog() {
    for shards in [1, 2] {
        let Table { mut net, meeting, mut alice, mut seats, .. } = Table::new(shards, 1);
        let other = convened(&mut net, &mut alice, &id_at(shards, 0, 2), Wish::default());
        let mut astray = seats[0].focus.clone();
        astray.target = other.focus.clone();
        let info = alice.operate(&mut astray, &other.lock(true));
        failed(&net.ask(alice.conn, &info), 404, "conferenceDoesntExist");
        seats[0].focus.cseq = astray.cseq;
        // In the right dialog, but the keys are of another conference.
        let info = alice.operate(&mut seats[0].focus, &other.lock(true));
        assert_eq!(net.ask(alice.conn, &info).status(), 400);
        let (_, roster) = watching(&mut net, &mut alice, &meeting);
        assert!(roster.body().contains("<locked>false</locked>"), "{roster:?}");
    }
}

#[test]
fn what_a_focus_cannot_do_is_not_supported() {
    let Table { mut net, mut alice, mut seats, .. } = Table::new(1, 0);
    let info = alice.operate(&mut seats[0].focus, "<playMusic/>");
    failed(&net.ask(alice.conn, &info), 501, "notSupported");
    let junk = alice.within(&mut seats[0].focus, "INFO").body(CCCP, "<request>");
    assert_eq!(net.ask(alice.conn, &junk).status(), 400);
    let chat = alice.request("SERVICE", &seats[0].chat.target).body(CCCP, "<request/>");
    assert!(matches!(net.ask(alice.conn, &chat).status(), 400 | 405));
}

#[test]
fn who_is_made_a_presenter_may_do_what_presenters_do() {
    for shards in [1, 2, 4] {
        let Table { mut net, meeting, mut alice, mut bob, mut seats, .. } = Table::new(shards, 1);
        watching(&mut net, &mut bob, &meeting);
        let operation = meeting.set_role("bob", "presenter");
        let info = done(&mut net, &mut alice, &mut seats[0].focus, &operation);
        succeeded(info.body(), "<modifyUserRoles");
        let notice = net.recv(bob.conn);
        assert_eq!(users(notice.body()), [("bob".to_owned(), "full".to_owned())]);
        assert!(notice.body().contains("<entry>presenter</entry>"), "{notice:?}");
        done(&mut net, &mut bob, &mut seats[1].focus, &meeting.lock(true));
        let notice = net.recv(bob.conn);
        assert!(notice.body().contains("<locked>true</locked>"), "{notice:?}");
        assert!(notice.body().contains("<msci:locked>true</msci:locked>"), "{notice:?}");

        // He can be made an attendee again; the organiser cannot.
        done(&mut net, &mut alice, &mut seats[0].focus, &meeting.set_role("bob", "attendee"));
        net.recv(bob.conn);
        let info = bob.operate(&mut seats[1].focus, &meeting.lock(false));
        failed(&net.ask(bob.conn, &info), 403, "unauthorized");
    }
}

#[test]
fn the_organiser_can_be_neither_removed_nor_demoted() {
    let Table { mut net, meeting, mut alice, mut bob, mut seats, .. } = Table::new(2, 1);
    done(&mut net, &mut alice, &mut seats[0].focus, &meeting.set_role("bob", "presenter"));
    for operation in [meeting.eject("alice"), meeting.set_role("alice", "attendee")] {
        let info = bob.operate(&mut seats[1].focus, &operation);
        let answer = net.ask(bob.conn, &info);
        failed(&answer, 403, "invalidRole");
        assert!(answer.header("ms-diagnostics").starts_with("52083;reason="), "{answer:?}");
    }
    for operation in [meeting.eject("dave"), meeting.set_role("dave", "presenter")] {
        let info = bob.operate(&mut seats[1].focus, &operation);
        failed(&net.ask(bob.conn, &info), 404, "userDoesntExist");
    }
    net.silent(&[alice.conn]);
}

#[test]
fn a_presenter_asks_somebody_in_who_may_then_join() {
    for shards in [1, 2] {
        let mut net = Net::new(shards);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut bob = Client::lync(&mut net, shards - 1, "bob");
        let wish = Wish { admission: "closedAuthenticated", ..Wish::default() };
        let meeting = convened(&mut net, &mut alice, &id_at(shards, 1, 1), wish);
        let mut seat = seated(&mut net, &mut alice, &meeting);
        let invite = bob.invite_focus(&meeting);
        assert_eq!(net.ask(bob.conn, &invite).status(), 403);
        let operation = meeting.invite("bob", "presenter");
        let info = done(&mut net, &mut alice, &mut seat.focus, &operation);
        succeeded(info.body(), "<addUser");
        net.silent(&[bob.conn]);
        let mut his = seated(&mut net, &mut bob, &meeting);
        done(&mut net, &mut bob, &mut his.focus, &meeting.lock(true));
    }
}

#[test]
fn a_conference_is_ended_for_all() {
    for (shards, owner) in [(1, 0), (2, 0), (2, 1), (4, 3)] {
        let Table { mut net, meeting, mut alice, mut bob, mut carol, mut seats } =
            Table::new(shards, owner);
        for client in [&mut alice, &mut bob, &mut carol] {
            watching(&mut net, client, &meeting);
        }
        let info = done(&mut net, &mut alice, &mut seats[0].focus, &meeting.end());
        succeeded(info.body(), "<deleteConference");
        for (client, seat) in [(&alice, &seats[0]), (&bob, &seats[1]), (&carol, &seats[2])] {
            let bye = net.recv(client.conn);
            assert_eq!((bye.method(), bye.header("Call-ID")), ("BYE", &*seat.chat.call_id));
            net.send(client.conn, &bye.answer(200, ""));
        }
        net.silent(&[alice.conn, bob.conn, carol.conn]);
        let message = bob.say(&mut seats[1].chat, "too late");
        assert_eq!(net.ask(bob.conn, &message).status(), 481);
        let invite = bob.invite_focus(&meeting);
        assert_eq!(net.ask(bob.conn, &invite).status(), 404);
        nothing_left(&net);
    }
}

#[test]
fn an_end_outside_any_dialog_ends_it_too() {
    for shards in [1, 2] {
        let Table { mut net, meeting, mut alice, bob, carol, .. } = Table::new(shards, 1);
        let end = alice.operation_at(&meeting.focus, &meeting.end());
        let answer = net.ask(alice.conn, &end);
        assert_eq!(answer.status(), 200);
        succeeded(answer.body(), "<deleteConference");
        for client in [&alice, &bob, &carol] {
            let bye = net.recv(client.conn);
            net.send(client.conn, &bye.answer(200, ""));
        }
        nothing_left(&net);
    }
}

#[test]
fn what_is_kept_is_answered_once_it_is_kept() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let wish = Wish { expiry: crate::harness::conference::SCHEDULED, ..Wish::default() };
    let meeting = convened(&mut net, &mut alice, &id_at(2, 1, 1), wish);
    let mut seat = seated(&mut net, &mut alice, &meeting);
    net.shelf.held = true;
    let info = alice.operate(&mut seat.focus, &meeting.lock(true));
    net.send(alice.conn, &info);
    net.silent(&[alice.conn]);
    net.shelf.held = false;
    net.settle();
    assert_eq!(net.recv(alice.conn).status(), 202);
    assert_eq!(net.recv(alice.conn).method(), "INFO");
    assert!(net.shelf.conferences().iter().all(|kept| kept.locked));

    net.shelf.fails = Some(mynah::shard::durable::NotWritten::Full);
    let info = alice.operate(&mut seat.focus, &meeting.lock(false));
    failed(&net.ask(alice.conn, &info), 503, "serverBusy");
}

#[test]
fn a_presenter_who_has_no_chat_leg_may_do_it_too() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let meeting = convened(&mut net, &mut alice, &id_at(2, 1, 1), Wish::default());
    let invite = alice.invite_focus(&meeting);
    let mut focus = joined(&mut net, &mut alice, &invite);
    let invite = bob.invite_focus(&meeting);
    let his = joined(&mut net, &mut bob, &invite);
    done(&mut net, &mut alice, &mut focus, &meeting.eject("bob"));
    // He has no other dialog by whose end he could know.
    let bye = net.recv(bob.conn);
    assert_eq!((bye.method(), bye.header("Call-ID")), ("BYE", &*his.call_id));
    net.send(bob.conn, &bye.answer(200, ""));
    net.at_rest();
}

#[test]
fn a_member_asks_in_his_dialog_and_a_presenter_changes_what_was_laid_down() {
    for shards in [1, 2] {
        let Table { mut net, meeting, mut alice, mut bob, carol, mut seats } =
            Table::new(shards, 1);
        watching(&mut net, &mut bob, &meeting);
        let change =
            alice.change(&meeting, Wish { subject: "R&amp;D &lt;1&gt;", ..Wish::default() });
        let info = done(&mut net, &mut alice, &mut seats[0].focus, &change);
        succeeded(info.body(), "<modifyConference");
        let notice = net.recv(bob.conn);
        assert!(notice.body().contains("<subject>R&amp;D &lt;1&gt;</subject>"), "{notice:?}");
        let refused = bob.operate(&mut seats[1].focus, &change);
        failed(&net.ask(bob.conn, &refused), 403, "unauthorized");
        let get = format!("<getConference>{}</getConference>", meeting.keys());
        let info = done(&mut net, &mut bob, &mut seats[1].focus, &get);
        assert!(info.body().contains("<subject>R&amp;D &lt;1&gt;</subject>"), "{info:?}");
        assert_eq!(users(info.body()).len(), 3);
        let late = Wish { expiry: "2026-01-01T00:00:00Z", ..Wish::default() };
        let info = alice.change(&meeting, late);
        let info = alice.operate(&mut seats[0].focus, &info);
        failed(&net.ask(alice.conn, &info), 400, "invalidExpiryTime");
        let open = Wish { admission: "anonymous", ..Wish::default() };
        let info = alice.change(&meeting, open);
        let info = alice.operate(&mut seats[0].focus, &info);
        failed(&net.ask(alice.conn, &info), 403, "anonymousUsersNotAllowed");
        net.silent(&[alice.conn, bob.conn, carol.conn]);
    }
}

#[test]
fn what_a_client_calls_its_endpoint_is_told_as_text() {
    let mut net = Net::new(1);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let meeting = convened(&mut net, &mut alice, &id_at(1, 0, 1), Wish::default());
    let hostile = "{1}&quot;/&gt;&lt;user entity=&quot;sip:mallory@example.test";
    let join = format!(
        "<addUser>{}<ci:user xmlns:ci=\"urn:ietf:params:xml:ns:conference-info\" \
         entity=\"sip:alice@example.test\"><ci:endpoint entity=\"{hostile}\"/></ci:user></addUser>",
        meeting.keys()
    );
    let body = alice.c3p(&meeting.focus, &join);
    let invite = alice.invite_focus(&meeting).body(CCCP, &body);
    joined(&mut net, &mut alice, &invite);
    let watch = alice.watch(&meeting);
    let roster = net.ask(alice.conn, &watch);
    assert_eq!(users(roster.body()).len(), 1, "{roster:?}");
    assert!(roster.body().contains("entity=\"{1}&quot;/&gt;&lt;user "), "{roster:?}");
}
