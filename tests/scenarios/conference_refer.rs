//! What members ask of a conference by REFER.

use mynah::metrics::names::Series;

use crate::harness::conference::{
    CONF_INVITE, Meeting, Wish, convened, heard, id_at, pass_over, plainly, seated,
};
use crate::harness::{Client, Dialog, Net};

/// What the sender of a REFER is told, with the 200 of a standard client.
#[track_caller]
fn progress(net: &mut Net, client: &Client) -> (String, String) {
    let notify = net.recv(client.conn);
    assert_eq!(notify.method(), "NOTIFY", "{notify:?}");
    assert_eq!(notify.header("Event"), "refer");
    assert_eq!(notify.header("Content-Type"), "message/sipfrag;version=2.0");
    net.send(client.conn, &notify.answer(200, ""));
    (notify.header("Subscription-State").to_owned(), notify.body().to_owned())
}

/// A standard client that has made a conference by way of alice's Lync client, and is in.
fn referring(shards: u16) -> (Net, Meeting, Client, Client, Dialog) {
    let mut net = Net::new(shards);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let meeting = convened(&mut net, &mut alice, &id_at(shards, 1, 1), Wish::default());
    net.close(alice.conn);
    let mut alice = Client::simple(&mut net, shards - 1, "alice");
    let bob = Client::lync(&mut net, 0, "bob");
    let dialog = plainly(&mut net, &mut alice, &meeting);
    (net, meeting, alice, bob, dialog)
}

#[test]
fn by_refer_a_presenter_has_somebody_asked_in() {
    for shards in [1, 2, 4] {
        let (mut net, meeting, mut alice, mut bob, mut dialog) = referring(shards);
        let refer = alice.refer(&mut dialog, "<sip:bob@example.test>");
        assert_eq!(net.ask(alice.conn, &refer).status(), 202);
        assert_eq!(
            progress(&mut net, &alice),
            ("active;expires=60".to_owned(), "SIP/2.0 100 Trying\r\n".to_owned())
        );
        let invite = net.recv(bob.conn);
        assert_eq!(invite.method(), "INVITE");
        assert_eq!(invite.header("Content-Type"), CONF_INVITE);
        assert!(invite.header("From").starts_with("<sip:alice@example.test>;tag="), "{invite:?}");
        assert!(invite.body().contains(&format!("<focus-uri>{}</focus-uri>", meeting.focus)));
        let answer = invite.answer(200, "b").header("Contact", &format!("<{}>", bob.contact));
        net.send(bob.conn, &answer);
        assert_eq!(net.recv(bob.conn).method(), "ACK");
        assert_eq!(
            progress(&mut net, &alice),
            ("terminated;reason=noresource".to_owned(), "SIP/2.0 200 OK\r\n".to_owned())
        );
        seated(&mut net, &mut bob, &meeting);
        net.silent(&[alice.conn, bob.conn]);
        net.at_rest();
        assert!(net.conversations().0.is_empty(), "an invitation is nobody's conversation");
    }
}

#[test]
fn by_refer_a_presenter_hears_that_somebody_does_not_come() {
    for shards in [1, 2] {
        let (mut net, _, mut alice, bob, mut dialog) = referring(shards);
        let refer = alice.refer(&mut dialog, "<sip:bob@example.test>");
        assert_eq!(net.ask(alice.conn, &refer).status(), 202);
        progress(&mut net, &alice);
        let invite = net.recv(bob.conn);
        net.send(bob.conn, &invite.answer(603, "b"));
        assert_eq!(net.recv(bob.conn).method(), "ACK");
        let (standing, told) = progress(&mut net, &alice);
        assert_eq!(
            (&*standing, &*told),
            ("terminated;reason=noresource", "SIP/2.0 603 Decline\r\n")
        );
        // Nobody is there, or nobody of that name.
        for (user, status) in [("carol", "480"), ("nobody", "404")] {
            let refer = alice.refer(&mut dialog, &format!("<sip:{user}@example.test>"));
            assert_eq!(net.ask(alice.conn, &refer).status(), 202);
            progress(&mut net, &alice);
            let (_, told) = progress(&mut net, &alice);
            assert!(told.starts_with(&format!("SIP/2.0 {status} ")), "{told}");
        }
        net.silent(&[alice.conn, bob.conn]);
        net.at_rest();
    }
}

#[test]
fn by_refer_a_presenter_hears_that_nobody_answers() {
    let (mut net, _, mut alice, bob, mut dialog) = referring(2);
    let refer = alice.refer(&mut dialog, "<sip:bob@example.test>");
    assert_eq!(net.ask(alice.conn, &refer).status(), 202);
    progress(&mut net, &alice);
    let invite = net.recv(bob.conn);
    net.send(bob.conn, &invite.answer(180, "b"));
    for _ in 0..20 {
        net.pass_s(15);
    }
    let (standing, told) = progress(&mut net, &alice);
    assert!(standing.starts_with("terminated") && told.starts_with("SIP/2.0 408"), "{told}");
    pass_over(&mut net, &[bob.conn]);
}

#[test]
fn by_refer_a_presenter_brings_in_who_has_pager_mode_clients_alone() {
    for shards in [1, 2, 4] {
        let (mut net, _, mut alice, bob, mut dialog) = referring(shards);
        net.close(bob.conn);
        let bob = Client::simple(&mut net, 0, "bob");
        let message = alice.within(&mut dialog, "MESSAGE").body("text/plain", "before");
        assert_eq!(net.ask(alice.conn, &message).status(), 202);
        let refer = alice.refer(&mut dialog, "<sip:bob@example.test>");
        assert_eq!(net.ask(alice.conn, &refer).status(), 202);
        progress(&mut net, &alice);
        let (standing, told) = progress(&mut net, &alice);
        assert!(standing.starts_with("terminated") && told.starts_with("SIP/2.0 200"), "{told}");
        assert_eq!(heard(&mut net, &bob).body(), "alice@example.test: before");
        assert_eq!(net.value(Series::ConferenceMembersCurrent), 2);
        net.silent(&[alice.conn, bob.conn]);
        net.at_rest();
    }
}

#[test]
fn by_refer_a_presenter_removes_a_member() {
    for shards in [1, 2] {
        let (mut net, meeting, mut alice, mut bob, mut dialog) = referring(shards);
        seated(&mut net, &mut bob, &meeting);
        let refer = alice.refer(&mut dialog, "<sip:bob@example.test;method=BYE>");
        assert_eq!(net.ask(alice.conn, &refer).status(), 202);
        let bye = net.recv(bob.conn);
        assert_eq!(bye.method(), "BYE");
        net.send(bob.conn, &bye.answer(200, ""));
        let (standing, told) = progress(&mut net, &alice);
        assert_eq!((&*standing, &*told), ("terminated;reason=noresource", "SIP/2.0 200 OK\r\n"));
        assert_eq!(net.value(Series::ConferenceMembersCurrent), 1);
        // Who is in need not be asked in.
        seated(&mut net, &mut bob, &meeting);
        let refer = alice.refer(&mut dialog, "<sip:bob@example.test>");
        assert_eq!(net.ask(alice.conn, &refer).status(), 202);
        let (_, told) = progress(&mut net, &alice);
        assert_eq!(told, "SIP/2.0 200 OK\r\n");
        net.silent(&[alice.conn, bob.conn]);
        net.at_rest();
    }
}

#[test]
fn a_refer_names_a_user_here() {
    let (mut net, _, mut alice, bob, mut dialog) = referring(2);
    for (refer_to, status) in [
        ("<sip:bob@example.org>", 404),
        ("<tel:+15551234>", 400),
        ("<sip:bob@example.test;method=MESSAGE>", 400),
        ("<sip:carol@example.test;method=BYE>", 404),
    ] {
        let refer = alice.refer(&mut dialog, refer_to);
        assert_eq!(net.ask(alice.conn, &refer).status(), status, "{refer_to}");
    }
    let refer = alice.within(&mut dialog, "REFER");
    assert_eq!(net.ask(alice.conn, &refer).status(), 400);
    net.silent(&[alice.conn, bob.conn]);
}

#[test]
fn a_refer_outside_any_dialog_asks_somebody_in() {
    for shards in [1, 2] {
        let (mut net, meeting, mut alice, bob, _) = referring(shards);
        let to = "<sip:bob@example.test>";
        let refer = alice.request("REFER", &meeting.focus).header("Refer-To", to);
        assert_eq!(net.ask(alice.conn, &refer).status(), 202);
        let invite = net.recv(bob.conn);
        assert_eq!(invite.header("Content-Type"), CONF_INVITE);
        net.send(bob.conn, &invite.answer(486, "b"));
        assert_eq!(net.recv(bob.conn).method(), "ACK");
        net.silent(&[alice.conn, bob.conn]);
        let unknown = Meeting::of("alice", &id_at(shards, 0, 9));
        let refer = alice.request("REFER", &unknown.focus).header("Refer-To", to);
        assert_eq!(net.ask(alice.conn, &refer).status(), 404);
        let refer = alice.request("REFER", "sip:bob@example.test").header("Refer-To", to);
        assert_eq!(net.ask(alice.conn, &refer).status(), 481);
        net.at_rest();
    }
}
