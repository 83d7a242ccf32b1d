//! What is not said in a conference, or does not reach a member, and who hears of that.

use mynah::base::limits::Limit;
use mynah::metrics::names::Series;

use crate::harness::conference::{
    IMDN, Table, Wish, convened, heard, id_at, plainly, said, seated,
};
use crate::harness::{Client, Net};

#[test]
fn a_message_is_so_long() {
    for shards in [1, 2] {
        let net = Net::limited(shards, |limits| limits.conference_message_bytes_max = 5);
        let Table { mut net, mut alice, bob, carol, mut seats, .. } = Table::of(net, 1);
        let long = alice.say(&mut seats[0].chat, "sixsix");
        let refused = net.ask(alice.conn, &long);
        assert_eq!(refused.status(), 413);
        assert!(refused.header("ms-diagnostics").starts_with("52093;reason="), "{refused:?}");
        assert_eq!(net.hits(Limit::ConferenceMessageBytes), 1);
        net.silent(&[bob.conn, carol.conn]);
        assert_eq!(said(&mut net, &mut alice, &mut seats[0].chat, "five5"), 1);
        assert_eq!(heard(&mut net, &bob).body(), "five5");
    }
}

#[test]
fn a_member_says_so_much_in_the_time() {
    for shards in [1, 2] {
        let net = Net::limited(shards, |limits| {
            limits.conference_burst_max = 2;
            limits.conference_messages_per_second_max = 1;
        });
        let Table { mut net, mut alice, mut bob, mut seats, .. } = Table::of(net, 1);
        said(&mut net, &mut alice, &mut seats[0].chat, "1");
        said(&mut net, &mut alice, &mut seats[0].chat, "2");
        let fast = alice.say(&mut seats[0].chat, "3");
        let refused = net.ask(alice.conn, &fast);
        assert_eq!(refused.status(), 503);
        assert!(refused.header("ms-diagnostics").starts_with("52094;reason="), "{refused:?}");
        assert_eq!(net.hits(Limit::ConferenceRate), 1);
        assert_eq!(heard(&mut net, &bob).body(), "1");
        assert_eq!(heard(&mut net, &bob).body(), "2");
        net.silent(&[bob.conn]);
        said(&mut net, &mut bob, &mut seats[1].chat, "another may");
        assert_eq!(heard(&mut net, &alice).body(), "another may");
        net.pass_s(1);
        assert_eq!(said(&mut net, &mut alice, &mut seats[0].chat, "4"), 4);
    }
}

#[test]
fn a_member_who_answers_nothing_is_let_go_without_harm_to_the_others() {
    for shards in [1, 2] {
        let net = Net::limited(shards, |limits| limits.conference_unanswered_max = 3);
        let Table { mut net, mut alice, bob, carol, mut seats, .. } = Table::of(net, 0);
        for n in 1..=4 {
            said(&mut net, &mut alice, &mut seats[0].chat, &format!("{n}"));
            assert_eq!(heard(&mut net, &bob).body(), format!("{n}"));
        }
        assert_eq!(net.hits(Limit::ConferenceUnanswered), 1);
        for n in 1..=3 {
            assert_eq!(net.recv(carol.conn).body(), format!("{n}"));
        }
        let bye = net.recv(carol.conn);
        assert_eq!((bye.method(), bye.header("Call-ID")), ("BYE", &*seats[2].chat.call_id));
        net.send(carol.conn, &bye.answer(200, ""));
        // The author is told of each that did not arrive.
        let mut told: Vec<String> = Vec::new();
        while let Some(report) = net.try_recv(alice.conn) {
            assert_eq!(report.method(), "BENOTIFY", "{report:?}");
            assert!(report.body().contains("carol@example.test"), "{report:?}");
            let (_, rest) = report.body().split_once("<message-id>").expect("an id");
            told.push(rest.split('<').next().unwrap_or_default().to_owned());
        }
        told.sort();
        assert_eq!(told, ["1", "2", "3", "4"]);
        assert_eq!(net.value(Series::LegsCurrent), 5, "she has her focus leg");
        said(&mut net, &mut alice, &mut seats[0].chat, "5");
        assert_eq!(heard(&mut net, &bob).body(), "5");
        net.silent(&[carol.conn, alice.conn]);
        net.at_rest();
    }
}

#[test]
fn a_client_whose_dialog_is_gone_loses_its_leg() {
    for shards in [1, 2] {
        let Table { mut net, mut alice, bob, carol, mut seats, .. } = Table::new(shards, 1);
        said(&mut net, &mut alice, &mut seats[0].chat, "1");
        assert_eq!(heard(&mut net, &bob).body(), "1");
        let received = net.recv(carol.conn);
        net.send(carol.conn, &received.answer(481, ""));
        let report = net.recv(alice.conn);
        assert!(report.body().contains("<status>481</status>"), "{report:?}");
        said(&mut net, &mut alice, &mut seats[0].chat, "2");
        assert_eq!(heard(&mut net, &bob).body(), "2");
        net.silent(&[carol.conn, alice.conn]);
        assert_eq!(net.value(Series::LegsCurrent), 5);
        net.at_rest();
    }
}

#[test]
fn the_author_is_told_of_whom_he_did_not_reach() {
    for shards in [1, 2, 4] {
        let Table { mut net, meeting, mut alice, bob, carol, mut seats } = Table::new(shards, 1);
        said(&mut net, &mut alice, &mut seats[0].chat, "1");
        assert_eq!(said(&mut net, &mut alice, &mut seats[0].chat, "2"), 2);
        for _ in 0..2 {
            heard(&mut net, &bob);
        }
        let first = net.recv(carol.conn);
        net.send(carol.conn, &first.answer(200, ""));
        let second = net.recv(carol.conn);
        net.send(carol.conn, &second.answer(415, ""));
        let report = net.recv(alice.conn);
        let dialog = &seats[0].chat;
        let body = "<?xml version=\"1.0\"?>\
                    <imdn xmlns=\"http://schemas.microsoft.com/rtc/2005/08/imdn\">\
                    <message-id>2</message-id>\
                    <recipient uri=\"&lt;sip:carol@example.test&gt;\"><status>415</status>\
                    </recipient></imdn>";
        assert_eq!(
            report.as_str(),
            format!(
                "BENOTIFY {} SIP/2.0\r\n\
                 Via: SIP/2.0/TLS fe01.example.test:5061;branch={}\r\n\
                 Max-Forwards: 70\r\n\
                 From: <{}>;tag={}\r\n\
                 To: <{}>;tag={};epid={}\r\n\
                 Call-ID: {}\r\n\
                 Contact: <{}>\r\n\
                 CSeq: 1 BENOTIFY\r\n\
                 Event: message-delivery\r\n\
                 Content-Type: {IMDN}\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                alice.contact,
                report.branch(),
                meeting.chat,
                dialog.remote_tag,
                alice.uri(),
                dialog.local_tag,
                alice.epid,
                dialog.call_id,
                meeting.chat,
                body.len(),
            )
        );
        // One who never answers is reported when the time is up.
        said(&mut net, &mut alice, &mut seats[0].chat, "3");
        heard(&mut net, &bob);
        net.recv(carol.conn);
        net.pass_s(31);
        net.silent(&[alice.conn]);
        (0..4).for_each(|_| net.pass_s(1));
        let report = net.recv(alice.conn);
        assert!(report.body().contains("<message-id>3</message-id>"), "{report:?}");
        assert!(report.body().contains("<status>408</status>"), "{report:?}");
        net.silent(&[alice.conn, bob.conn, carol.conn]);
        net.at_rest();
    }
}

#[test]
fn a_member_who_vanishes_is_reported() {
    for shards in [1, 2] {
        let Table { mut net, mut alice, bob, carol, mut seats, .. } = Table::new(shards, 1);
        said(&mut net, &mut alice, &mut seats[0].chat, "1");
        heard(&mut net, &bob);
        net.close(carol.conn);
        let report = net.recv(alice.conn);
        assert!(report.body().contains("<message-id>1</message-id>"), "{report:?}");
        assert!(report.body().contains("carol@example.test"), "{report:?}");
        assert_eq!(net.value(Series::ConferenceMembersCurrent), 2);
        net.silent(&[alice.conn, bob.conn]);
        net.at_rest();
    }
}

#[test]
fn a_form_nobody_can_show_is_reported() {
    for shards in [1, 2] {
        let mut net = Net::new(shards);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut bob = Client::simple(&mut net, shards - 1, "bob");
        let meeting = convened(&mut net, &mut alice, &id_at(shards, 1, 1), Wish::default());
        let mut seat = seated(&mut net, &mut alice, &meeting);
        plainly(&mut net, &mut bob, &meeting);
        let image = alice.within(&mut seat.chat, "MESSAGE").body("image/gif", "GIF89a");
        net.send(alice.conn, &image);
        let mut came = [net.recv(alice.conn), net.recv(alice.conn)];
        came.sort_by_key(|message| message.method().to_owned());
        let [report, answer] = came;
        assert_eq!(answer.status(), 202);
        assert!(report.body().contains("<message-id>1</message-id>"), "{report:?}");
        assert!(report.body().contains("<status>415</status>"), "{report:?}");
        net.silent(&[bob.conn]);
        net.at_rest();
    }
}

#[test]
fn what_was_said_before_somebody_came_is_not_reported() {
    for shards in [1, 2] {
        let mut net = Net::new(shards);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut bob = Client::lync(&mut net, shards - 1, "bob");
        let meeting = convened(&mut net, &mut alice, &id_at(shards, 1, 1), Wish::default());
        let mut seat = seated(&mut net, &mut alice, &meeting);
        said(&mut net, &mut alice, &mut seat.chat, "1");
        seated(&mut net, &mut bob, &meeting);
        let recalled = net.recv(bob.conn);
        net.send(bob.conn, &recalled.answer(488, ""));
        net.silent(&[alice.conn, bob.conn]);
        net.at_rest();
    }
}

#[test]
fn what_a_link_filter_forbids_is_not_said() {
    let net = Net::with(2, |settings| {
        let read = mynah::config::parse("[policy.default.im_filter]\naction = \"block\"\n");
        settings.policies = read.expect("policies").policies;
    });
    let Table { mut net, mut alice, bob, mut seats, .. } = Table::of(net, 1);
    let link = alice.say(&mut seats[0].chat, "see http://a.test");
    assert_eq!(net.ask(alice.conn, &link).status(), 606);
    net.silent(&[bob.conn]);
    said(&mut net, &mut alice, &mut seats[0].chat, "see me");
    assert_eq!(heard(&mut net, &bob).body(), "see me");
}

#[test]
fn what_a_link_filter_warns_of_is_said_with_the_warning() {
    let policies = "[policy.default.im_filter]\naction = \"warn\"\n\
                    warn_message = \"Careful with links.\"\n";
    let net = Net::with(2, |settings| {
        let read = mynah::config::parse(policies);
        settings.policies = read.expect("policies").policies;
    });
    let Table { mut net, meeting, mut alice, bob, mut seats, .. } = Table::of(net, 1);
    said(&mut net, &mut alice, &mut seats[0].chat, "see http://a.test");
    let received = heard(&mut net, &bob);
    assert!(received.body().contains("Careful with links."), "{received:?}");
    assert_eq!(received.header("Ms-Sender"), "<sip:alice@example.test>");
    net.put_user("dave", |_| {});
    let mut dave = Client::simple(&mut net, 0, "dave");
    let page = dave.page(&meeting.chat, "and http://b.test");
    net.send(dave.conn, &page);
    let received = heard(&mut net, &bob);
    assert!(received.body().contains("Careful with links."), "{received:?}");
}
