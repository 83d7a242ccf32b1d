//! What is said in a conference, and how it comes to each member.

use mynah::metrics::names::Series;

use crate::harness::client::{LYNC_TEXT, SDP, TYPING};
use crate::harness::conference::{
    CHAT_SDP, Table, Wish, convened, heard, hears, id_at, joined, left, lync_named, nothing_left,
    pass_over, plainly, said, said_as, seated, version, watching,
};
use crate::harness::{Client, Device, Net};

#[test]
fn what_is_said_is_accepted_and_comes_to_all_others() {
    for (shards, owner) in [(1, 0), (2, 0), (2, 1), (4, 0), (4, 3)] {
        let Table { mut net, meeting, mut alice, bob, carol, mut seats } =
            Table::new(shards, owner);
        let message = alice.say(&mut seats[0].chat, "hi from alice");
        net.send(alice.conn, &message);
        let accepted = net.recv(alice.conn);
        assert_eq!(
            accepted.as_str(),
            format!(
                "SIP/2.0 202 Accepted\r\n\
                 Via: {}\r\n\
                 From: {}\r\n\
                 To: <{}>;tag={}\r\n\
                 Call-ID: {}\r\n\
                 CSeq: 2 MESSAGE\r\n\
                 Message-Id: 1\r\n\
                 Content-Length: 0\r\n\r\n",
                message.value("Via"),
                message.value("From"),
                meeting.chat,
                seats[0].chat.remote_tag,
                seats[0].chat.call_id,
            )
        );
        for (client, seat) in [(&bob, &seats[1]), (&carol, &seats[2])] {
            let received = net.recv(client.conn);
            assert_eq!(
                received.as_str(),
                format!(
                    "MESSAGE {} SIP/2.0\r\n\
                     Via: SIP/2.0/TLS fe01.example.test:5061;branch={}\r\n\
                     Max-Forwards: 70\r\n\
                     From: <{}>;tag={}\r\n\
                     To: <{}>;tag={};epid={}\r\n\
                     Call-ID: {}\r\n\
                     Contact: <{}>\r\n\
                     CSeq: 1 MESSAGE\r\n\
                     Ms-Sender: <sip:alice@example.test>\r\n\
                     Content-Type: {LYNC_TEXT}\r\n\
                     Content-Length: 13\r\n\r\nhi from alice",
                    client.contact,
                    received.branch(),
                    meeting.chat,
                    seat.chat.remote_tag,
                    client.uri(),
                    seat.chat.local_tag,
                    client.epid,
                    seat.chat.call_id,
                    meeting.chat,
                )
            );
            net.send(client.conn, &received.answer(200, ""));
        }
        net.silent(&[alice.conn, bob.conn, carol.conn]);
        net.at_rest();
        assert_eq!(net.value(Series::ConferenceMessages), 1);
        assert_eq!(net.value(Series::ConferenceDeliveries), 2);
        assert_eq!(net.value(Series::ConferenceUndelivered), 0);
    }
}

#[test]
fn everybody_speaks_and_numbers_rise() {
    for shards in [1, 2, 4] {
        let Table { mut net, mut alice, mut bob, mut carol, mut seats, .. } = Table::new(shards, 1);
        assert_eq!(said(&mut net, &mut alice, &mut seats[0].chat, "a"), 1);
        hears(&mut net, &bob, &seats[1].chat, "alice", "a");
        assert_eq!(said(&mut net, &mut bob, &mut seats[1].chat, "b"), 2);
        hears(&mut net, &carol, &seats[2].chat, "alice", "a");
        hears(&mut net, &carol, &seats[2].chat, "bob", "b");
        hears(&mut net, &alice, &seats[0].chat, "bob", "b");
        assert_eq!(said(&mut net, &mut carol, &mut seats[2].chat, "c"), 3);
        hears(&mut net, &alice, &seats[0].chat, "carol", "c");
        hears(&mut net, &bob, &seats[1].chat, "carol", "c");
        net.silent(&[alice.conn, bob.conn, carol.conn]);
        net.at_rest();
    }
}

#[test]
fn one_frame_goes_to_each_other_shard_however_many_legs_it_has() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let meeting = convened(&mut net, &mut alice, &id_at(2, 0, 1), Wish::default());
    let mut seat = seated(&mut net, &mut alice, &meeting);
    let others: Vec<Client> = (0..12)
        .map(|number| {
            let user = format!("u{number}");
            net.put_user(&user, |_| {});
            let mut client = Client::lync(&mut net, (number % 2) as u16, &user);
            seated(&mut net, &mut client, &meeting);
            client
        })
        .collect();
    let (before, hops) = (net.value(Series::ConferenceFrames), net.hops);
    said(&mut net, &mut alice, &mut seat.chat, "to all");
    assert_eq!(net.value(Series::ConferenceFrames) - before, 1);
    assert_eq!(net.hops - hops, 1, "its author is at its owner");
    for client in &others {
        heard(&mut net, client);
    }
    assert_eq!(net.hops - hops, 1, "answers end where they come in");
    net.at_rest();
}

#[test]
fn what_one_author_says_comes_in_order() {
    for shards in [1, 2, 4] {
        let Table { mut net, mut alice, bob, carol, mut seats, .. } = Table::new(shards, 3);
        let messages: Vec<_> =
            (0..20).map(|n| alice.say(&mut seats[0].chat, &format!("{n}"))).collect();
        messages.iter().for_each(|message| net.post(alice.conn, message));
        net.settle();
        for n in 0..20 {
            assert_eq!(net.recv(alice.conn).header("Message-Id"), format!("{}", n + 1));
            for client in [&bob, &carol] {
                let received = heard(&mut net, client);
                assert_eq!((received.body(), received.cseq()), (&*format!("{n}"), n + 1));
            }
        }
        net.at_rest();
    }
}

#[test]
fn what_one_says_comes_to_his_other_endpoint_too() {
    for shards in [1, 2] {
        let Table { mut net, meeting, mut alice, bob, carol, mut seats } = Table::new(shards, 0);
        let device = Device { user: "alice", ms: true, number: 1 };
        let mut second = Client::device(&mut net, 1 % shards, device);
        let mut seat = seated(&mut net, &mut second, &meeting);
        said(&mut net, &mut alice, &mut seats[0].chat, "here");
        hears(&mut net, &second, &seat.chat, "alice", "here");
        said(&mut net, &mut second, &mut seat.chat, "there");
        hears(&mut net, &alice, &seats[0].chat, "alice", "there");
        for client in [&bob, &carol] {
            assert_eq!(heard(&mut net, client).body(), "here");
            assert_eq!(heard(&mut net, client).body(), "there");
        }
        net.silent(&[alice.conn, bob.conn, carol.conn, second.conn]);
    }
}

#[test]
fn each_member_gets_the_form_his_client_shows() {
    for shards in [1, 2] {
        let mut net = Net::new(shards);
        let mut alice = lync_named(&mut net, 0, "alice", "Alice Ames");
        let meeting = convened(&mut net, &mut alice, &id_at(shards, 0, 1), Wish::default());
        let mut seat = seated(&mut net, &mut alice, &meeting);
        let mut member = |user: &str, ms: bool, accepts: &str| {
            net.put_user(user, |_| {});
            let device = Device { user, ms, number: 0 };
            let mut client = Client::device(&mut net, shards - 1, device);
            let sdp = CHAT_SDP.replace("text/plain text/html image/gif", accepts);
            let to = if ms { &meeting.chat } else { &meeting.focus };
            let invite = client.request("INVITE", to).body("application/sdp", &sdp);
            let invite = if ms { invite.header("Supported", "ms-sender") } else { invite };
            joined(&mut net, &mut client, &invite);
            client
        };
        let html = member("html", true, "text/plain text/html");
        let both = member("both", true, "text/plain text/html multipart/alternative");
        let plain = member("plain", true, "text/plain");
        let simple = member("simple", false, "text/plain");

        let parts = "--b\r\nContent-Type: text/plain\r\n\r\nbold\r\n--b\r\n\
                     Content-Type: text/html\r\n\r\n<b>bold</b>\r\n--b--\r\n";
        let alternative = "multipart/alternative; boundary=b";
        let message = alice.within(&mut seat.chat, "MESSAGE").body(alternative, parts);
        said_as(&mut net, alice.conn, &message);
        for (client, content_type, body) in [
            (&html, "text/html", "<b>bold</b>"),
            (&both, alternative, parts),
            (&plain, "text/plain", "bold"),
            (&simple, "text/plain; charset=UTF-8", "Alice Ames: bold"),
        ] {
            let received = heard(&mut net, client);
            assert_eq!((received.header("Content-Type"), received.body()), (content_type, body));
            assert_eq!(received.has("Ms-Sender"), client.ms);
        }

        let page = "<p>one <b>two</b></p>";
        let message = alice.within(&mut seat.chat, "MESSAGE").body("text/html", page);
        said_as(&mut net, alice.conn, &message);
        assert_eq!(heard(&mut net, &html).body(), page);
        assert_eq!(heard(&mut net, &both).body(), page);
        assert_eq!(heard(&mut net, &plain).body(), "one two");
        assert_eq!(heard(&mut net, &simple).body(), "Alice Ames: one two");
        net.silent(&[alice.conn]);
        net.at_rest();
    }
}

#[test]
fn a_standard_client_speaks_and_reads_who_spoke() {
    for shards in [1, 2, 4] {
        let mut net = Net::new(shards);
        let mut alice = lync_named(&mut net, 0, "alice", "");
        let mut bob = Client::simple(&mut net, shards - 1, "bob");
        let meeting = convened(&mut net, &mut alice, &id_at(shards, 1, 1), Wish::default());
        let mut seat = seated(&mut net, &mut alice, &meeting);
        let mut dialog = plainly(&mut net, &mut bob, &meeting);
        said(&mut net, &mut alice, &mut seat.chat, "hello");
        let received = heard(&mut net, &bob);
        assert_eq!(received.body(), "alice@example.test: hello", "who has no name has an address");
        assert!(received.header("From").starts_with(&format!("<{}>", meeting.focus)));
        let reply = bob.within(&mut dialog, "MESSAGE").body("text/plain", "hi");
        said_as(&mut net, bob.conn, &reply);
        let received = heard(&mut net, &alice);
        assert_eq!((received.body(), received.header("Content-Type")), ("hi", "text/plain"));
        assert_eq!(received.header("Ms-Sender"), "<sip:bob@example.test>");
        net.at_rest();
    }
}

#[test]
fn a_message_without_a_type_is_text() {
    for shards in [1, 2] {
        let Table { mut net, mut alice, bob, mut seats, .. } = Table::new(shards, 0);
        let bare = alice.within(&mut seats[0].chat, "MESSAGE").body("x", "bare");
        let bare = bare.without("Content-Type");
        said_as(&mut net, alice.conn, &bare);
        let received = heard(&mut net, &bob);
        assert_eq!((received.header("Content-Type"), received.body()), ("text/plain", "bare"));
        let empty = alice.within(&mut seats[0].chat, "MESSAGE");
        said_as(&mut net, alice.conn, &empty);
        assert_eq!(heard(&mut net, &bob).body(), "");
    }
}

#[test]
fn nothing_is_said_at_the_focus() {
    let Table { mut net, mut alice, bob, mut seats, .. } = Table::new(2, 1);
    let message = alice.say(&mut seats[0].focus, "hello?");
    assert_eq!(net.ask(alice.conn, &message).status(), 405);
    net.silent(&[bob.conn]);
}

#[test]
fn a_message_that_comes_twice_is_said_once() {
    for shards in [1, 2] {
        let Table { mut net, mut alice, bob, carol, mut seats, .. } = Table::new(shards, 1);
        let message = alice.say(&mut seats[0].chat, "once");
        said_as(&mut net, alice.conn, &message);
        assert_eq!(net.ask(alice.conn, &message).status(), 500, "out of order");
        for client in [&bob, &carol] {
            assert_eq!(heard(&mut net, client).body(), "once");
        }
        net.silent(&[bob.conn, carol.conn]);
        assert_eq!(net.value(Series::ConferenceMessages), 1);
    }
}

#[test]
fn who_comes_late_gets_what_was_said_of_late() {
    for shards in [1, 2, 4] {
        let mut net = Net::new(shards);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut bob = Client::lync(&mut net, 1 % shards, "bob");
        let mut carol = Client::simple(&mut net, 2 % shards, "carol");
        let meeting = convened(&mut net, &mut alice, &id_at(shards, 1, 1), Wish::default());
        let mut seat = seated(&mut net, &mut alice, &meeting);
        said(&mut net, &mut alice, &mut seat.chat, "too long ago");
        net.pass_s(41);
        said(&mut net, &mut alice, &mut seat.chat, "1");
        said(&mut net, &mut alice, &mut seat.chat, "2");
        let mut his = seated(&mut net, &mut bob, &meeting);
        hears(&mut net, &bob, &his.chat, "alice", "1");
        hears(&mut net, &bob, &his.chat, "alice", "2");
        plainly(&mut net, &mut carol, &meeting);
        assert_eq!(heard(&mut net, &carol).body(), "alice@example.test: 1");
        assert_eq!(heard(&mut net, &carol).body(), "alice@example.test: 2");
        net.silent(&[alice.conn, bob.conn, carol.conn]);

        // Who comes again gets nothing twice.
        left(&mut net, &mut bob, &mut his.chat);
        left(&mut net, &mut bob, &mut his.focus);
        said(&mut net, &mut alice, &mut seat.chat, "3");
        heard(&mut net, &carol);
        his = seated(&mut net, &mut bob, &meeting);
        hears(&mut net, &bob, &his.chat, "alice", "3");
        net.silent(&[alice.conn, bob.conn, carol.conn]);
        net.at_rest();
    }
}

#[test]
fn that_somebody_types_is_told_to_the_others() {
    for shards in [1, 2, 4] {
        let Table { mut net, meeting, mut alice, bob, carol, mut seats } = Table::new(shards, 1);
        net.put_user("dave", |_| {});
        let mut dave = Client::simple(&mut net, 0, "dave");
        plainly(&mut net, &mut dave, &meeting);
        let typing = alice.within(&mut seats[0].chat, "INFO").body("application/xml", TYPING);
        assert_eq!(net.ask(alice.conn, &typing).status(), 200);
        for (client, seat) in [(&bob, &seats[1]), (&carol, &seats[2])] {
            let told = net.recv(client.conn);
            assert_eq!((told.method(), told.header("Call-ID")), ("INFO", &*seat.chat.call_id));
            assert_eq!(told.header("Ms-Sender"), "<sip:alice@example.test>");
            assert!(told.body().contains("<status status=\"type\""), "{told:?}");
            net.send(client.conn, &told.answer(200, ""));
        }
        net.silent(&[alice.conn, bob.conn, carol.conn, dave.conn]);
        net.at_rest();
    }
}

#[test]
fn a_standard_client_types_too() {
    for shards in [1, 2] {
        let mut net = Net::new(shards);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut bob = Client::simple(&mut net, shards - 1, "bob");
        let meeting = convened(&mut net, &mut alice, &id_at(shards, 1, 1), Wish::default());
        seated(&mut net, &mut alice, &meeting);
        let mut dialog = plainly(&mut net, &mut bob, &meeting);
        for (state, status) in [("active", "type"), ("idle", "idle")] {
            let body = format!(
                "<isComposing xmlns=\"urn:ietf:params:xml:ns:im-iscomposing\">\
                 <state>{state}</state></isComposing>"
            );
            let notice = bob.within(&mut dialog, "MESSAGE");
            let notice = notice.body("application/im-iscomposing+xml", &body);
            assert_eq!(net.ask(bob.conn, &notice).status(), 200);
            let told = net.recv(alice.conn);
            assert_eq!(told.header("Ms-Sender"), "<sip:bob@example.test>");
            assert!(told.body().contains(&format!("<status status=\"{status}\"")), "{told:?}");
            net.send(alice.conn, &told.answer(200, ""));
        }
        assert_eq!(net.value(Series::ConferenceMessages), 0);
        net.at_rest();
    }
}

#[test]
fn all_that_a_client_gets_is_signed_if_it_signs() {
    for shards in [1, 2] {
        let table = Table::of(Net::ntlm(shards), 1);
        let Table { mut net, meeting, mut alice, mut bob, carol, mut seats } = table;
        watching(&mut net, &mut bob, &meeting);
        said(&mut net, &mut alice, &mut seats[0].chat, "signed");
        hears(&mut net, &bob, &seats[1].chat, "alice", "signed");
        let message = net.recv(carol.conn);
        net.send(carol.conn, &message.answer(415, ""));
        assert_eq!(net.recv(alice.conn).method(), "BENOTIFY");
        let typing = alice.within(&mut seats[0].chat, "INFO").body("application/xml", TYPING);
        assert_eq!(net.ask(alice.conn, &typing).status(), 200);
        assert_eq!(net.recv(bob.conn).method(), "INFO");
        let eject = alice.operate(&mut seats[0].focus, &meeting.eject("bob"));
        assert_eq!(net.ask(alice.conn, &eject).status(), 202);
        assert_eq!(net.recv(alice.conn).method(), "INFO");
        assert_eq!(net.recv(bob.conn).method(), "BYE");
    }
}

#[test]
fn two_conferences_on_the_same_connections_do_not_mix() {
    for shards in [1, 4] {
        let Table { mut net, mut alice, mut bob, carol, mut seats, .. } = Table::new(shards, 1);
        let other = convened(&mut net, &mut bob, &id_at(shards, 3, 2), Wish::default());
        let mut his = seated(&mut net, &mut bob, &other);
        let hers = seated(&mut net, &mut alice, &other);
        assert_eq!(said(&mut net, &mut bob, &mut his.chat, "there"), 1);
        hears(&mut net, &alice, &hers.chat, "bob", "there");
        assert_eq!(said(&mut net, &mut alice, &mut seats[0].chat, "here"), 1);
        hears(&mut net, &bob, &seats[1].chat, "alice", "here");
        hears(&mut net, &carol, &seats[2].chat, "alice", "here");
        net.silent(&[alice.conn, bob.conn, carol.conn]);
        net.close(bob.conn);
        assert_eq!(net.value(Series::ConferenceMembersCurrent), 3);
    }
}

#[test]
fn a_lync_client_that_does_not_read_the_author_gets_his_name() {
    let Table { mut net, meeting, mut alice, mut seats, .. } = Table::new(1, 0);
    net.put_user("dave", |_| {});
    let mut dave = Client::lync(&mut net, 0, "dave");
    let invite = dave.invite_chat(&meeting).without("Supported");
    joined(&mut net, &mut dave, &invite);
    said(&mut net, &mut alice, &mut seats[0].chat, "hello");
    let received = heard(&mut net, &dave);
    assert_eq!(received.body(), "Alice Ames: hello");
    assert!(!received.has("Ms-Sender"));
}

#[test]
fn a_dialog_of_two_and_a_conference_do_not_mix() {
    let Table { mut net, mut alice, mut bob, carol, mut seats, .. } = Table::new(2, 1);
    let invite = alice.request("INVITE", "sip:bob@example.test").body("application/sdp", SDP);
    net.send(alice.conn, &invite);
    assert_eq!(net.recv(alice.conn).status(), 100);
    let ringing = net.recv(bob.conn);
    let (answer, mut his) = bob.accept(&ringing);
    net.send(bob.conn, &answer);
    let accepted = net.recv(alice.conn);
    let mut hers = alice.dialog(&invite, &accepted);
    net.send(alice.conn, &alice.ack(&hers));
    assert_eq!(net.recv(bob.conn).method(), "ACK");
    let message = alice.say(&mut hers, "you alone");
    net.send(alice.conn, &message);
    assert_eq!(heard(&mut net, &bob).body(), "you alone");
    assert_eq!(net.recv(alice.conn).status(), 200);
    said(&mut net, &mut alice, &mut seats[0].chat, "all");
    assert_eq!(heard(&mut net, &bob).body(), "all");
    assert_eq!(heard(&mut net, &carol).body(), "all");
    bob.bye(&mut net, &mut his, &alice);
    said(&mut net, &mut bob, &mut seats[1].chat, "still here");
    assert_eq!(heard(&mut net, &alice).body(), "still here");
}

#[test]
fn nobody_speaks_in_anothers_dialog() {
    let Table { mut net, bob, carol, mut seats, .. } = Table::new(2, 1);
    // Bob knows the identifiers of carol's dialog; it is not on his connection.
    let mut thief = bob.clone();
    let message = thief.say(&mut seats[2].chat, "I am carol");
    assert_eq!(net.ask(bob.conn, &message).status(), 481);
    net.silent(&[carol.conn]);
}

#[test]
fn a_roster_is_not_told_of_what_is_said() {
    let Table { mut net, meeting, mut alice, mut bob, mut seats, .. } = Table::new(2, 1);
    let (_, roster) = watching(&mut net, &mut bob, &meeting);
    let before = version(roster.body());
    said(&mut net, &mut alice, &mut seats[0].chat, "1");
    heard(&mut net, &bob);
    net.silent(&[bob.conn]);
    let (_, roster) = watching(&mut net, &mut bob, &meeting);
    assert_eq!(version(roster.body()), before);
}

#[test]
fn a_conference_empties_and_nothing_is_left() {
    for (shards, owner) in [(1, 0), (2, 0), (4, 3)] {
        let Table { mut net, mut alice, mut bob, mut carol, mut seats, .. } =
            Table::new(shards, owner);
        said(&mut net, &mut alice, &mut seats[0].chat, "1");
        heard(&mut net, &bob);
        let unanswered = net.recv(carol.conn);
        for (client, seat) in [&mut alice, &mut bob, &mut carol].into_iter().zip(&mut seats) {
            left(&mut net, client, &mut seat.focus);
            left(&mut net, client, &mut seat.chat);
        }
        net.send(carol.conn, &unanswered.answer(200, ""));
        pass_over(&mut net, &[alice.conn]);
        nothing_left(&net);
        net.pass_s(700);
        nothing_left(&net);
    }
}
