//! Who is in, as those who look at the roster are told.

use mynah::base::limits::Limit;
use mynah::metrics::names::Series;

use crate::harness::conference::{
    Meeting, ROSTER, SCHEDULED, Table, Wish, convened, id_at, left, nothing_left, pass_over,
    plainly, seated, users, version, watching,
};
use crate::harness::{Client, Net, Text};

/// One user and the state told of him.
fn one(user: &str, state: &str) -> Vec<(String, String)> {
    vec![(user.to_owned(), state.to_owned())]
}

/// The next notification of a Lync client.
#[track_caller]
fn noticed(net: &mut Net, client: &Client) -> Text {
    let notice = net.recv(client.conn);
    assert_eq!(notice.method(), "BENOTIFY", "{notice:?}");
    assert_eq!(notice.header("Event"), "conference");
    assert_eq!(notice.header("Content-Type"), ROSTER);
    notice
}

/// The next notification of a standard client, which answers it.
#[track_caller]
fn notified(net: &mut Net, client: &Client) -> Text {
    let notice = net.recv(client.conn);
    assert_eq!(notice.method(), "NOTIFY", "{notice:?}");
    net.send(client.conn, &notice.answer(200, ""));
    notice
}

/// How a subscription stands.
fn standing(message: &Text) -> &str {
    message.header("Subscription-State")
}

#[test]
fn the_first_notification_comes_with_the_answer() {
    for (shards, owner) in [(1, 0), (2, 0), (2, 1), (4, 3)] {
        let Table { mut net, meeting, mut alice, .. } = Table::new(shards, owner);
        let (request, answer) = watching(&mut net, &mut alice, &meeting);
        assert_eq!(answer.headers("Via"), [request.value("Via")]);
        assert_eq!(answer.header("Event"), "conference");
        assert_eq!(answer.header("ms-piggyback-cseq"), "1");
        assert!(answer.header("Subscription-State").starts_with("active;expires="), "{answer:?}");
        assert_eq!(answer.header("Content-Type"), ROSTER);
        let body = answer.body();
        let (focus, chat, id) = (&meeting.focus, &meeting.chat, &meeting.id);
        for part in [
            format!(" entity=\"{focus}\" state=\"full\" version=\"7\">"),
            "<conference-description><subject/><conf-uris><entry>".to_owned(),
            format!("<uri>{chat}</uri><display-text>chat</display-text><purpose>chat</purpose>"),
            format!("<msci:conference-id>{id}</msci:conference-id>"),
            "<msci:display-name>Alice Ames</msci:display-name>".to_owned(),
            "<user-count>3</user-count><locked>false</locked>".to_owned(),
            "<user entity=\"sip:alice@example.test\" state=\"full\">\
             <display-text>Alice Ames</display-text><roles><entry>presenter</entry></roles>"
                .to_owned(),
            format!("<endpoint entity=\"{{{}}}\" msci:session-type=\"focus\">", alice.epid),
            "<display-text>Bob Boyle</display-text><roles><entry>attendee</entry></roles>"
                .to_owned(),
            "msci:session-type=\"chat\"><status>connected</status></endpoint>".to_owned(),
            format!("<msci:entity-view entity=\"{chat}\"><msci:entity-state>"),
            "<msci:locked>false</msci:locked><msci:media><entry label=\"chat\">\
             <type>chat</type></entry></msci:media>"
                .to_owned(),
        ] {
            assert!(body.contains(&part), "{part} in {body}");
        }
        let names: Vec<String> = users(body).into_iter().map(|(user, _)| user).collect();
        assert_eq!(names, ["alice", "bob", "carol"]);
        net.silent(&[alice.conn]);
    }
}

#[test]
fn what_changes_is_told_with_rising_versions() {
    for shards in [1, 2, 4] {
        let mut net = Net::new(shards);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut bob = Client::lync(&mut net, shards - 1, "bob");
        let meeting = convened(&mut net, &mut alice, &id_at(shards, 1, 1), Wish::default());
        seated(&mut net, &mut alice, &meeting);
        let (_, answer) = watching(&mut net, &mut alice, &meeting);
        let mut seen = version(answer.body());
        let mut next = |net: &mut Net| {
            let notice = noticed(net, &alice);
            assert!(notice.body().contains(" state=\"partial\" version="), "{notice:?}");
            seen += 1;
            assert_eq!(version(notice.body()), seen, "{notice:?}");
            notice
        };
        let mut seat = seated(&mut net, &mut bob, &meeting);
        let focus = next(&mut net);
        assert_eq!((users(focus.body()), focus.cseq()), (one("bob", "full"), 2));
        assert!(focus.body().contains("<user-count>2</user-count>"), "{focus:?}");
        assert!(!focus.body().contains("session-type=\"chat\""), "{focus:?}");
        let chat = next(&mut net);
        assert_eq!((users(chat.body()), chat.cseq()), (one("bob", "full"), 3));
        assert!(chat.body().contains("session-type=\"chat\""), "{chat:?}");
        left(&mut net, &mut bob, &mut seat.focus);
        let chat = next(&mut net);
        assert!(!chat.body().contains("session-type=\"focus\""), "{chat:?}");
        left(&mut net, &mut bob, &mut seat.chat);
        let gone = next(&mut net);
        assert_eq!(users(gone.body()), one("bob", "deleted"));
        assert!(gone.body().contains("<user-count>1</user-count>"), "{gone:?}");
        net.silent(&[alice.conn, bob.conn]);
        let (_, answer) = watching(&mut net, &mut bob, &meeting);
        assert_eq!((version(answer.body()), users(answer.body()).len()), (seen, 1));
    }
}

#[test]
fn changes_are_not_told_above_the_bound_and_may_still_be_asked_for() {
    for shards in [1, 2] {
        let mut net = Net::limited(shards, |limits| limits.conference_roster_told_max = 2);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut bob = Client::lync(&mut net, shards - 1, "bob");
        let mut carol = Client::lync(&mut net, 0, "carol");
        let meeting = convened(&mut net, &mut alice, &id_at(shards, 1, 1), Wish::default());
        seated(&mut net, &mut alice, &meeting);
        watching(&mut net, &mut alice, &meeting);
        seated(&mut net, &mut bob, &meeting);
        noticed(&mut net, &alice);
        noticed(&mut net, &alice);
        let mut seat = seated(&mut net, &mut carol, &meeting);
        net.silent(&[alice.conn]);

        let (_, answer) = watching(&mut net, &mut carol, &meeting);
        assert_eq!(users(answer.body()).len(), 3);
        let poll = bob.watch(&meeting).header("Expires", "0");
        let answer = net.ask(bob.conn, &poll);
        assert_eq!((answer.header("Expires"), users(answer.body()).len()), ("0", 3));
        assert!(answer.header("Subscription-State").starts_with("terminated"), "{answer:?}");
        // What the organiser lays down is told whatever the number of members.
        let lock = alice.operation_at(&meeting.focus, &meeting.lock(true));
        assert_eq!(net.ask(alice.conn, &lock).status(), 200);
        let notice = noticed(&mut net, &alice);
        assert!(notice.body().contains("<locked>true</locked>"), "{notice:?}");
        noticed(&mut net, &carol);

        left(&mut net, &mut carol, &mut seat.focus);
        net.silent(&[alice.conn]);
        left(&mut net, &mut carol, &mut seat.chat);
        let all = noticed(&mut net, &alice);
        assert!(all.body().contains(" state=\"full\" version="), "{all:?}");
        assert_eq!(users(all.body()).len(), 2);
        net.silent(&[alice.conn, bob.conn]);
    }
}

#[test]
fn who_is_removed_gets_no_further_word_of_the_roster() {
    for shards in [1, 2, 4] {
        let Table { mut net, meeting, mut alice, bob, mut carol, mut seats } =
            Table::new(shards, 1);
        watching(&mut net, &mut carol, &meeting);
        watching(&mut net, &mut alice, &meeting);
        let eject = alice.operate(&mut seats[0].focus, &meeting.eject("carol"));
        assert_eq!(net.ask(alice.conn, &eject).status(), 202);
        let bye = net.recv(carol.conn);
        assert_eq!((bye.method(), bye.header("Call-ID")), ("BYE", &*seats[2].chat.call_id));
        net.send(carol.conn, &bye.answer(200, ""));
        net.silent(&[carol.conn, bob.conn]);
        assert_eq!(net.recv(alice.conn).method(), "INFO");
        assert_eq!(users(noticed(&mut net, &alice).body()), one("carol", "deleted"));

        // As her client closes the window it asks to be told no more: a roster in the answer would
        // have it join again.
        let end = carol.watch(&meeting).header("Expires", "0");
        let answer = net.ask(carol.conn, &end);
        assert_eq!((answer.status(), answer.body()), (200, ""));
        assert_eq!(answer.header("Expires"), "0");
        assert!(standing(&answer).starts_with("terminated"), "{answer:?}");
        // She ends her dialog with the focus, and comes again.
        let bye = carol.within(&mut seats[2].focus, "BYE");
        assert_eq!(net.ask(carol.conn, &bye).status(), 481);
        seated(&mut net, &mut carol, &meeting);
        pass_over(&mut net, &[alice.conn]);
        net.silent(&[carol.conn]);
        watching(&mut net, &mut carol, &meeting);
    }
}

#[test]
fn who_leaves_asks_once_more_and_gets_no_roster() {
    for shards in [1, 2] {
        let Table { mut net, meeting, alice, mut bob, mut seats, .. } = Table::new(shards, 1);
        watching(&mut net, &mut bob, &meeting);
        let end = bob.watch(&meeting).header("Expires", "0");
        net.send(bob.conn, &end);
        let answer = net.recv(bob.conn);
        assert_eq!((answer.status(), answer.body()), (200, ""));
        assert_eq!(answer.header("Expires"), "0");
        assert_eq!(answer.header("Event"), "conference");
        assert!(answer.header("Subscription-State").starts_with("terminated"), "{answer:?}");
        left(&mut net, &mut bob, &mut seats[1].focus);
        left(&mut net, &mut bob, &mut seats[1].chat);
        net.silent(&[alice.conn, bob.conn]);
        assert_eq!(net.value(Series::SubscriptionsCurrent), 0);
    }
}

#[test]
fn a_standard_client_is_told_by_notify() {
    for shards in [1, 2, 4] {
        let mut net = Net::new(shards);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut bob = Client::simple(&mut net, shards - 1, "bob");
        let meeting = convened(&mut net, &mut alice, &id_at(shards, 1, 1), Wish::default());
        let mut seat = seated(&mut net, &mut alice, &meeting);
        let mut dialog = plainly(&mut net, &mut bob, &meeting);
        let request = bob.watch(&meeting);
        let answer = net.ask(bob.conn, &request);
        assert_eq!((answer.status(), answer.body()), (200, ""));
        let first = notified(&mut net, &bob);
        assert!(first.header("Subscription-State").starts_with("active;expires="), "{first:?}");
        assert!(first.body().contains(" state=\"full\" "), "{first:?}");
        assert_eq!(users(first.body()).len(), 2);
        left(&mut net, &mut alice, &mut seat.chat);
        let change = notified(&mut net, &bob);
        assert_eq!(version(change.body()), version(first.body()) + 1);
        assert_eq!(users(change.body()), one("alice", "full"));

        // It asks once in between: the subscription goes on.
        let poll = bob.watch(&meeting).with("Expires", "0");
        assert_eq!(net.ask(bob.conn, &poll).status(), 200);
        let polled = notified(&mut net, &bob);
        assert_eq!(standing(&polled), "terminated;expires=0;reason=timeout");
        assert_eq!(users(polled.body()).len(), 2);
        left(&mut net, &mut alice, &mut seat.focus);
        let gone = notified(&mut net, &bob);
        assert_eq!(gone.header("Call-ID"), request.value("Call-ID"));
        assert_eq!(users(gone.body()), one("alice", "deleted"));

        // The conference ends with its last member, and the subscription with it.
        left(&mut net, &mut bob, &mut dialog);
        assert_eq!(users(notified(&mut net, &bob).body()), one("bob", "deleted"));
        let end = notified(&mut net, &bob);
        assert_eq!(standing(&end), "terminated;expires=0;reason=noresource");
        assert_eq!(end.body(), "");
        net.silent(&[alice.conn, bob.conn]);
        nothing_left(&net);
    }
}

#[test]
fn a_removed_standard_client_is_told_that_there_is_no_more() {
    for shards in [1, 2] {
        let mut net = Net::new(shards);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut bob = Client::simple(&mut net, shards - 1, "bob");
        let meeting = convened(&mut net, &mut alice, &id_at(shards, 1, 1), Wish::default());
        let mut seat = seated(&mut net, &mut alice, &meeting);
        plainly(&mut net, &mut bob, &meeting);
        net.send(bob.conn, &bob.watch(&meeting));
        assert_eq!(net.recv(bob.conn).status(), 200);
        notified(&mut net, &bob);
        let eject = alice.operate(&mut seat.focus, &meeting.eject("bob"));
        assert_eq!(net.ask(alice.conn, &eject).status(), 202);
        let mut methods = Vec::new();
        while let Some(message) = net.try_recv(bob.conn) {
            net.send(bob.conn, &message.answer(200, ""));
            methods.push((message.method().to_owned(), standing(&message).to_owned()));
        }
        methods.sort();
        let ended = ("NOTIFY".to_owned(), "terminated;expires=0;reason=noresource".to_owned());
        assert_eq!(methods, [("BYE".to_owned(), String::new()), ended]);
        net.at_rest();
    }
}

#[test]
fn a_refresh_tells_all_again() {
    for shards in [1, 2] {
        let Table { mut net, meeting, mut alice, .. } = Table::new(shards, 1);
        let (request, answer) = watching(&mut net, &mut alice, &meeting);
        let again = alice.again(&request, &answer, 2, 3600);
        let refreshed = net.ask(alice.conn, &again);
        assert_eq!(refreshed.status(), 200, "{refreshed:?}");
        assert_eq!(refreshed.body(), answer.body());
        assert_eq!(net.value(Series::SubscriptionsCurrent), 1);
        let end = alice.again(&request, &answer, 3, 0);
        let ended = net.ask(alice.conn, &end);
        assert_eq!((ended.status(), ended.body()), (200, ""));
        assert_eq!(net.value(Series::SubscriptionsCurrent), 0);
    }
}

#[test]
fn a_subscription_runs_out() {
    let Table { mut net, meeting, mut alice, mut bob, .. } = Table::new(2, 1);
    let request = alice.watch(&meeting).header("Expires", "60");
    assert_eq!(net.ask(alice.conn, &request).status(), 200);
    net.pass_s(59);
    net.silent(&[alice.conn]);
    net.pass_s(2);
    let end = net.recv(alice.conn);
    assert_eq!(standing(&end), "terminated;expires=0;reason=timeout");
    let second = bob.invite_chat(&meeting);
    net.send(bob.conn, &second);
    net.silent(&[alice.conn]);
    assert_eq!(net.value(Series::SubscriptionsCurrent), 0);
}

#[test]
fn who_may_not_join_may_not_look() {
    for shards in [1, 2] {
        let mut net = Net::new(shards);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut bob = Client::lync(&mut net, shards - 1, "bob");
        let id = id_at(shards, 1, 1);
        let wish = Wish { admission: "closedAuthenticated", ..Wish::default() };
        let meeting = convened(&mut net, &mut alice, &id, wish);
        let request = bob.watch(&meeting);
        assert_eq!(net.ask(bob.conn, &request).status(), 403);
        let mut carol = Client::simple(&mut net, 0, "carol");
        let poll = carol.watch(&meeting).with("Expires", "0");
        assert_eq!(net.ask(carol.conn, &poll).status(), 403);
        watching(&mut net, &mut alice, &meeting);
        let unknown = Meeting::of("alice", &id_at(shards, 1, 2));
        for meeting in [unknown, Meeting::of("bob", &id)] {
            let request = bob.watch(&meeting);
            assert_eq!(net.ask(bob.conn, &request).status(), 404);
        }
        let request = bob.watch(&Meeting { focus: meeting.chat.clone(), ..meeting });
        assert_eq!(net.ask(bob.conn, &request).status(), 404);
        assert_eq!(net.value(Series::SubscriptionsCurrent), 1);
    }
}

#[test]
fn who_has_gone_looks_on_only_where_he_may_join() {
    for (admission, looks_on) in [("openAuthenticated", true), ("closedAuthenticated", false)] {
        let mut net = Net::new(2);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut bob = Client::lync(&mut net, 1, "bob");
        let meeting = convened(&mut net, &mut alice, &id_at(2, 0, 1), Wish::default());
        seated(&mut net, &mut alice, &meeting);
        let mut seat = seated(&mut net, &mut bob, &meeting);
        watching(&mut net, &mut bob, &meeting);
        let change = alice.reconvene(&meeting, Wish { admission, ..Wish::default() });
        assert_eq!(net.ask(alice.conn, &change).status(), 200);
        pass_over(&mut net, &[bob.conn]);
        let bye = bob.within(&mut seat.focus, "BYE");
        net.send(bob.conn, &bye);
        let bye = bob.within(&mut seat.chat, "BYE");
        net.send(bob.conn, &bye);
        pass_over(&mut net, &[bob.conn]);
        let lock = alice.operation_at(&meeting.focus, &meeting.lock(true));
        assert_eq!(net.ask(alice.conn, &lock).status(), 200);
        assert_eq!(net.try_recv(bob.conn).is_some(), looks_on, "{admission}");
        assert_eq!(net.value(Series::SubscriptionsCurrent), u64::from(looks_on));
    }
}

#[test]
fn a_roster_is_watched_so_often() {
    let net = Net::limited(2, |limits| limits.conference_watchers_max = 1);
    let Table { mut net, meeting, mut alice, mut bob, .. } = Table::of(net, 1);
    let (request, answer) = watching(&mut net, &mut alice, &meeting);
    let refused = bob.watch(&meeting);
    assert_eq!(net.ask(bob.conn, &refused).status(), 403);
    assert_eq!(net.hits(Limit::ConferenceWatchers), 1);
    let again = alice.again(&request, &answer, 2, 3600);
    assert_eq!(net.ask(alice.conn, &again).status(), 200, "the one there is goes on");
    let poll = bob.watch(&meeting).header("Expires", "0");
    assert_eq!(net.ask(bob.conn, &poll).status(), 200);
}

#[test]
fn a_roster_is_written_once_for_all_of_a_shard() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let meeting = convened(&mut net, &mut alice, &id_at(2, 0, 1), Wish::default());
    let others: Vec<Client> = (0..8)
        .map(|number| {
            let user = format!("u{number}");
            net.put_user(&user, |_| {});
            let mut client = Client::lync(&mut net, (number % 2) as u16, &user);
            watching(&mut net, &mut client, &meeting);
            client
        })
        .collect();
    let hops = net.hops;
    let lock = alice.operation_at(&meeting.focus, &meeting.lock(true));
    assert_eq!(net.ask(alice.conn, &lock).status(), 200);
    assert_eq!(net.hops - hops, 1, "its organiser is at its owner");
    for client in &others {
        noticed(&mut net, client);
    }
}

#[test]
fn a_roster_without_members_ends_with_the_conference() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let wish = Wish { expiry: SCHEDULED, ..Wish::default() };
    let meeting = convened(&mut net, &mut alice, &id_at(2, 0, 1), wish);
    watching(&mut net, &mut bob, &meeting);
    let end = alice.operation_at(&meeting.focus, &meeting.end());
    assert_eq!(net.ask(alice.conn, &end).status(), 200);
    net.silent(&[bob.conn]);
    nothing_left(&net);
}
