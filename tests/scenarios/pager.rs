//! Pager mode between standard clients.

use mynah::metrics::names::Series;
use mynah::records::{Ending, Kind};

use crate::harness::client::uri;
use crate::harness::{Client, Device, Net};

fn bob(number: u32) -> Device<'static> {
    Device { user: "bob", ms: false, number }
}

#[test]
fn a_conversation_in_both_directions_is_one_record() {
    for (shards, here, there) in [(1, 0, 0), (2, 0, 1), (4, 3, 1)] {
        let mut net = Net::new(shards);
        let mut alice = Client::simple(&mut net, here, "alice");
        let mut bob = Client::simple(&mut net, there, "bob");
        let began = net.now.unix_ms;
        let message = alice.page("bob", "hello");
        net.send(alice.conn, &message);
        let received = net.recv(bob.conn);
        assert_eq!(received.uri(), bob.contact, "standard clients want their own Contact");
        assert_eq!((received.body(), received.header("To")), ("hello", "<sip:bob@example.test>"));
        net.send(bob.conn, &received.answer(200, "b"));
        let answer = net.recv(alice.conn);
        assert_eq!((answer.status(), answer.to_tag()), (200, "b"));
        assert_eq!(answer.headers("Via"), [message.value("Via")]);
        net.pass_s(60);
        for text in ["hi", "how are you?"] {
            net.send(bob.conn, &bob.page("alice", text));
            let received = net.recv(alice.conn);
            assert_eq!(received.body(), text);
            net.send(alice.conn, &received.answer(202, "a"));
            assert_eq!(net.recv(bob.conn).status(), 202);
        }
        net.open_conversation();
        net.pass_s(599);
        net.open_conversation();
        net.pass_s(2);
        let (started, ended) = net.conversation();
        assert_eq!((started.kind, started.bridged), (Kind::Pager, false));
        assert_eq!(
            (&*started.caller, &*started.callee),
            ("alice@example.test", "bob@example.test")
        );
        assert_eq!((started.start_unix_ms, ended.end.end_unix_ms), (began, began + 60_000));
        assert_eq!((ended.end.messages_from_caller, ended.end.messages_from_callee), (1, 2));
        assert_eq!(ended.end.ending, Ending::Idle);
        assert_eq!(net.value(Series::PagerMessages), 3);
        net.silent(&[alice.conn, bob.conn]);
        net.at_rest();
    }
}

#[test]
fn all_endpoints_get_it_and_the_sender_gets_one_answer() {
    let mut net = Net::new(4);
    let mut alice = Client::simple(&mut net, 0, "alice");
    let bobs: Vec<Client> = (0..4).map(|n| Client::device(&mut net, n as u16, bob(n))).collect();
    net.send(alice.conn, &alice.page("bob", "hello all"));
    let received: Vec<_> = bobs.iter().map(|bob| net.recv(bob.conn)).collect();
    for (message, bob) in received.iter().zip(&bobs) {
        assert_eq!((message.uri(), message.body()), (&*bob.contact, "hello all"));
    }
    net.send(bobs[0].conn, &received[0].answer(486, "a"));
    net.silent(&[alice.conn]);
    net.send(bobs[1].conn, &received[1].answer(200, "b"));
    assert_eq!(net.recv(alice.conn).status(), 200);
    net.send(bobs[2].conn, &received[2].answer(200, "c"));
    net.silent(&[alice.conn]);
    // The last one never answers.
    net.pass_s(33);
    net.silent(&[alice.conn]);
    net.at_rest();
    net.pass_s(600);
    let ended = net.conversation().1.end;
    assert_eq!((ended.messages_from_caller, ended.messages_from_callee), (1, 0));
}

#[test]
fn refusals_and_silence_are_told_once_all_have_spoken() {
    let mut net = Net::new(2);
    let mut alice = Client::simple(&mut net, 0, "alice");
    let bobs = [Client::device(&mut net, 0, bob(1)), Client::device(&mut net, 1, bob(2))];
    net.send(alice.conn, &alice.page("bob", "one"));
    for (bob, status) in bobs.iter().zip([488, 415]) {
        let received = net.recv(bob.conn);
        net.send(bob.conn, &received.answer(status, "x"));
    }
    assert_eq!(net.recv(alice.conn).status(), 415, "she can do something about this one");

    net.send(alice.conn, &alice.page("bob", "two"));
    let received = net.recv(bobs[0].conn);
    net.send(bobs[0].conn, &received.answer(486, "x"));
    net.pass_s(33);
    assert_eq!(net.recv(alice.conn).status(), 486);

    let message = alice.page("bob", "three");
    net.send(alice.conn, &message);
    net.pass_s(33);
    let answer = net.recv(alice.conn);
    assert_eq!(answer.status(), 408);
    assert_eq!(answer.headers("Via").len(), 1);
    net.silent(&[alice.conn]);
    net.at_rest();
    net.pass_s(600);
    let ended = net.conversation().1.end;
    assert_eq!((ended.messages_from_caller, ended.ending), (0, Ending::Declined(408)));
}

#[test]
fn several_endpoints_that_never_answer_leave_nothing_behind() {
    let mut net = Net::new(2);
    let mut alice = Client::simple(&mut net, 0, "alice");
    let bobs: Vec<Client> =
        (0..3).map(|n| Client::device(&mut net, (n % 2) as u16, bob(n))).collect();
    for _ in 0..3 {
        net.send(alice.conn, &alice.page("bob", "hello"));
    }
    net.pass_s(33);
    let statuses: Vec<u16> = (0..3).map(|_| net.recv(alice.conn).status()).collect();
    assert_eq!(statuses, [408, 408, 408]);
    net.at_rest();
    drop(bobs);
}

#[test]
fn nobody_and_nobody_there() {
    let mut net = Net::new(2);
    let mut alice = Client::simple(&mut net, 0, "alice");
    let unknown = net.ask(alice.conn, &alice.page("nobody", "x"));
    assert_eq!(unknown.status(), 404);
    assert_eq!(net.records.len(), 0, "a name nobody has is no conversation");
    let offline = net.ask(alice.conn, &alice.page("bob", "x"));
    assert_eq!(offline.status(), 480);
    let elsewhere = net.ask(alice.conn, &alice.page("sip:bob@else.test", "x"));
    assert_eq!(elsewhere.status(), 404);
    assert_eq!(net.ask(alice.conn, &alice.request("MESSAGE", "sip:example.test")).status(), 404);
    net.pass_s(601);
    let (started, ended) = net.conversation();
    assert_eq!(started.callee, "bob@example.test");
    assert_eq!(ended.end.ending, Ending::Declined(480));
}

#[test]
fn a_note_to_self_goes_to_the_other_endpoints_only() {
    let mut net = Net::new(2);
    let mut first = Client::device(&mut net, 0, bob(1));
    assert_eq!(net.ask(first.conn, &first.page("bob", "alone")).status(), 480);
    let second = Client::device(&mut net, 1, bob(2));
    net.send(first.conn, &first.page("bob", "note"));
    let received = net.recv(second.conn);
    assert_eq!(received.body(), "note");
    net.send(second.conn, &received.answer(200, "x"));
    assert_eq!(net.recv(first.conn).status(), 200);
    net.pass_s(601);
    let (started, ended) = net.conversation();
    assert_eq!((started.caller, ended.end.messages_from_caller), (started.callee, 1));
}

#[test]
fn an_endpoint_lost_with_a_message_on_its_way_refuses_it() {
    let mut net = Net::new(2);
    let mut alice = Client::simple(&mut net, 0, "alice");
    let callee = Client::simple(&mut net, 1, "bob");
    net.send(alice.conn, &alice.page("bob", "one"));
    net.close(callee.conn);
    assert_eq!(net.recv(alice.conn).status(), 480);
    // The same when the home does not know yet.
    let callee = Client::simple(&mut net, 1, "bob");
    net.write(alice.conn, &alice.page("bob", "two").octets());
    net.end(callee.conn);
    net.settle();
    assert_eq!(net.recv(alice.conn).status(), 480);
    net.silent(&[alice.conn]);
    net.at_rest();
}

#[test]
fn a_recipient_removed_with_a_message_on_its_way_refuses_it() {
    let mut net = Net::new(2);
    let mut alice = Client::simple(&mut net, 0, "alice");
    Client::simple(&mut net, 1, "bob");
    net.send(alice.conn, &alice.page("bob", "one"));
    net.remove_user("bob");
    assert!(matches!(net.recv(alice.conn).status(), 404 | 480));
    net.silent(&[alice.conn]);
    net.at_rest();
}

#[test]
fn a_sender_lost_before_the_answer_leaves_nothing_behind() {
    let mut net = Net::new(2);
    let mut alice = Client::simple(&mut net, 0, "alice");
    let callee = Client::simple(&mut net, 1, "bob");
    net.send(alice.conn, &alice.page("bob", "one"));
    net.close(alice.conn);
    let received = net.recv(callee.conn);
    net.send(callee.conn, &received.answer(200, "b"));
    net.at_rest();
    net.pass_s(601);
    assert_eq!(net.conversation().1.end.messages_from_caller, 1);
}

#[test]
fn a_gruu_means_one_endpoint() {
    let mut net = Net::new(2);
    let mut alice = Client::simple(&mut net, 0, "alice");
    let (first, second) =
        (Client::device(&mut net, 0, bob(1)), Client::device(&mut net, 1, bob(2)));
    let gruu = format!("sip:bob@example.test;gr={}", second.instance);
    net.send(alice.conn, &alice.page(&gruu, "you"));
    assert_eq!(net.recv(second.conn).body(), "you");
    net.silent(&[first.conn]);
    let nobody = format!("{};gr=urn:uuid:00000000-0000-0000-0000-000000000000", uri("bob"));
    assert_eq!(net.ask(alice.conn, &alice.page(&nobody, "you")).status(), 480);
}

#[test]
fn what_is_not_text_passes_between_standard_clients() {
    let mut net = Net::new(2);
    let mut alice = Client::simple(&mut net, 0, "alice");
    let callee = Client::simple(&mut net, 1, "bob");
    let composing = alice
        .request("MESSAGE", &uri("bob"))
        .body("application/im-iscomposing+xml", "<isComposing><state>active</state></isComposing>");
    net.send(alice.conn, &composing);
    assert_eq!(net.recv(callee.conn).header("Content-Type"), "application/im-iscomposing+xml");
}
