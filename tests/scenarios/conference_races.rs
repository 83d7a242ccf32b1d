//! Frames between shards overtake one another: whatever comes first, all ends well.

use mynah::metrics::names::Series;
use mynah::shard::frame::Frame;
use mynah::shard::input::{Control, Input};

use crate::harness::conference::{
    CONF_INVITE, Meeting, Seat, Table, Wish, convened, id_at, nothing_left, pass_over, said,
    seated, watching,
};
use crate::harness::{Client, Device, Net, Text};

/// Orders in which frames are carried.
const ORDERS: u64 = 24;

/// Carries all frames, each link in its order, and the links in one that `order` chooses.
fn carry_all(net: &mut Net, order: u64) {
    let mut dice = order.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    loop {
        let busy: Vec<_> = net.busy().collect();
        if busy.is_empty() {
            break;
        }
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        net.carry(busy[(dice % busy.len() as u64) as usize]);
    }
    net.settle();
}

fn first_link(net: &Net) -> Option<(u16, u16)> {
    net.busy().next()
}

/// Carries all frames, whether shards contradict one another afterwards or not.
fn carry_rest(net: &mut Net) {
    while let Some(link) = first_link(net) {
        net.carry(link);
    }
}

/// All that came to a client; it answers requests.
fn all_of(net: &mut Net, client: &Client) -> Vec<Text> {
    let mut came = Vec::new();
    while let Some(message) = net.try_recv(client.conn) {
        if matches!(message.method(), "MESSAGE" | "BYE") && !message.is_response() {
            net.send(client.conn, &message.answer(200, ""));
        }
        came.push(message);
    }
    came
}

/// The status of the answer to a method; 0 without one.
fn answer_to(came: &[Text], method: &str) -> u16 {
    let answer = came.iter().find(|m| m.is_response() && m.method() == method);
    answer.map_or(0, Text::status)
}

/// How many requests by a method came.
fn count(came: &[Text], method: &str) -> usize {
    came.iter().filter(|m| !m.is_response() && m.method() == method).count()
}

#[test]
fn a_conference_that_ends_while_somebody_joins() {
    let mut outcomes = std::collections::BTreeSet::new();
    for order in 0..ORDERS {
        let mut net = Net::new(4);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut bob = Client::lync(&mut net, 1, "bob");
        let meeting = convened(&mut net, &mut alice, &id_at(4, 2, 1), Wish::default());
        seated(&mut net, &mut alice, &meeting);
        net.post(bob.conn, &bob.invite_focus(&meeting));
        net.post(bob.conn, &bob.invite_chat(&meeting));
        net.post(bob.conn, &bob.watch(&meeting));
        net.post(alice.conn, &alice.operation_at(&meeting.focus, &meeting.end()));
        carry_all(&mut net, order);
        let his = all_of(&mut net, &bob);
        let statuses: Vec<u16> = his.iter().filter(|m| m.is_response()).map(Text::status).collect();
        assert!(statuses.len() == 3, "{his:?}");
        let taken = his.iter().filter(|m| m.method() == "INVITE" && m.status() == 200).count();
        // Of two legs the one for messages is ended, a single one is ended whichever it is.
        assert_eq!(count(&his, "BYE"), usize::from(taken > 0), "{his:?}");
        outcomes.insert(taken);
        all_of(&mut net, &alice);
        nothing_left(&net);
    }
    assert!(outcomes.len() > 1, "orders differ: {outcomes:?}");
}

#[test]
fn a_member_who_speaks_while_he_is_removed() {
    let mut outcomes = std::collections::BTreeSet::new();
    for order in 0..ORDERS {
        let Table { mut net, meeting, mut alice, bob, mut carol, mut seats } = Table::new(4, 3);
        let message = carol.say(&mut seats[2].chat, "wait");
        net.post(carol.conn, &message);
        let eject = alice.operate(&mut seats[0].focus, &meeting.eject("carol"));
        net.post(alice.conn, &eject);
        carry_all(&mut net, order);
        let hers = all_of(&mut net, &carol);
        let status = answer_to(&hers, "MESSAGE");
        assert_eq!(count(&hers, "BYE"), 1, "{hers:?}");
        assert!(matches!(status, 202 | 403 | 481), "{hers:?}");
        for client in [&alice, &bob] {
            let came = all_of(&mut net, client);
            assert_eq!(count(&came, "MESSAGE"), usize::from(status == 202), "{came:?}");
        }
        outcomes.insert(status);
        assert_eq!(net.value(Series::ConferenceMembersCurrent), 2);
        net.at_rest();
    }
    assert!(outcomes.len() > 1, "orders differ: {outcomes:?}");
}

#[test]
fn two_presenters_who_remove_one_another() {
    for order in 0..ORDERS {
        let Table { mut net, meeting, mut alice, mut bob, mut carol, mut seats } = Table::new(4, 3);
        for user in ["bob", "carol"] {
            let role = meeting.set_role(user, "presenter");
            net.send(alice.conn, &alice.operate(&mut seats[0].focus, &role));
        }
        pass_over(&mut net, &[alice.conn]);
        net.post(bob.conn, &bob.operate(&mut seats[1].focus, &meeting.eject("carol")));
        net.post(carol.conn, &carol.operate(&mut seats[2].focus, &meeting.eject("bob")));
        carry_all(&mut net, order);
        let (his, hers) = (all_of(&mut net, &bob), all_of(&mut net, &carol));
        let mut statuses = [answer_to(&his, "INFO"), answer_to(&hers, "INFO")];
        statuses.sort_unstable();
        assert_eq!(statuses[0], 202, "one of them was first");
        assert!(matches!(statuses[1], 403 | 481), "{statuses:?}");
        assert_eq!(count(&his, "BYE") + count(&hers, "BYE"), 1);
        assert_eq!(net.value(Series::ConferenceMembersCurrent), 2);
        net.at_rest();
    }
}

#[test]
fn members_who_speak_at_the_same_time_are_heard_in_the_same_order() {
    for order in 0..ORDERS {
        let Table { mut net, mut alice, mut bob, mut carol, mut seats, .. } = Table::new(4, 3);
        let [a, b, c] = &mut seats;
        for n in 0..4 {
            net.post(alice.conn, &alice.say(&mut a.chat, &format!("a{n}")));
            net.post(bob.conn, &bob.say(&mut b.chat, &format!("b{n}")));
            net.post(carol.conn, &carol.say(&mut c.chat, &format!("c{n}")));
        }
        carry_all(&mut net, order);
        // What was said under which number, as its author was answered: that is the order.
        let came = [&alice, &bob, &carol].map(|client| all_of(&mut net, client));
        let mut numbered: Vec<(u64, String)> = Vec::new();
        for (name, came) in ["a", "b", "c"].iter().zip(&came) {
            let answers = came.iter().filter(|m| m.is_response());
            for (n, answer) in answers.enumerate() {
                assert_eq!(answer.status(), 202);
                let number = answer.header("Message-Id").parse().expect("a number");
                numbered.push((number, format!("{name}{n}")));
            }
        }
        numbered.sort();
        let numbers: Vec<u64> = numbered.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, (1..=12).collect::<Vec<_>>());
        for (name, came) in ["a", "b", "c"].iter().zip(&came) {
            let heard: Vec<&str> =
                came.iter().filter(|m| !m.is_response()).map(Text::body).collect();
            let expected = numbered.iter().map(|(_, text)| text.as_str());
            let expected: Vec<&str> = expected.filter(|text| !text.starts_with(name)).collect();
            assert_eq!(heard, expected);
        }
        net.at_rest();
    }
}

#[test]
fn a_member_who_changes_connections_in_full_speech() {
    for order in 0..ORDERS {
        let Table { mut net, meeting, mut alice, mut bob, carol, mut seats } = Table::new(4, 3);
        net.post(alice.conn, &alice.say(&mut seats[0].chat, "1"));
        net.post(bob.conn, &bob.say(&mut seats[1].chat, "2"));
        net.end(bob.conn);
        carry_all(&mut net, order);
        bob = Client::lync(&mut net, 2, "bob");
        let seat = bob.invite_chat(&meeting);
        net.post(bob.conn, &seat);
        net.post(alice.conn, &alice.say(&mut seats[0].chat, "3"));
        carry_all(&mut net, order);
        let his = all_of(&mut net, &bob);
        let mut heard: Vec<&str> =
            his.iter().filter(|m| !m.is_response()).map(Text::body).collect();
        heard.dedup();
        assert_eq!(heard.last(), Some(&"3"), "{his:?}");
        assert!(heard.iter().filter(|text| **text == "3").count() == 1, "once: {his:?}");
        let hers = all_of(&mut net, &carol);
        let heard: Vec<&str> = hers.iter().map(Text::body).collect();
        assert!(heard.contains(&"1") && heard.contains(&"3"), "{heard:?}");
        all_of(&mut net, &alice);
        assert_eq!(net.value(Series::ConferenceMembersCurrent), 3);
        net.at_rest();
    }
}

#[test]
fn the_server_goes_down_while_everything_happens() {
    for order in 0..ORDERS {
        let Table { mut net, meeting, mut alice, mut bob, carol, mut seats } = Table::new(4, 3);
        net.put_user("dave", |_| {});
        let mut dave = Client::lync(&mut net, 3, "dave");
        net.post(alice.conn, &alice.say(&mut seats[0].chat, "1"));
        net.post(bob.conn, &bob.say(&mut seats[1].chat, "2"));
        net.post(dave.conn, &dave.invite_focus(&meeting));
        net.post(dave.conn, &dave.invite_chat(&meeting));
        net.post(dave.conn, &dave.watch(&meeting));
        let lock = alice.operate(&mut seats[0].focus, &meeting.lock(true));
        net.post(alice.conn, &lock);
        // The word comes to the shards one after the other.
        for shard in 0..4 {
            let busy: Vec<_> = net.busy().collect();
            if let Some(link) = busy.get((order % 5) as usize) {
                net.carry(*link);
            }
            net.handle((shard + order as u16) % 4, Input::Control(Control::Drain));
        }
        carry_rest(&mut net);
        for client in [&alice, &bob, &carol, &dave] {
            let mut came = Vec::new();
            while let Some(message) = net.try_recv(client.conn) {
                if !message.is_response() && message.method() != "BENOTIFY" {
                    net.post(client.conn, &message.answer(200, ""));
                }
                came.push(message);
            }
            let joins = came.iter().filter(|m| m.is_response() && m.method() == "INVITE");
            assert_eq!(joins.count(), if client.user == "dave" { 2 } else { 0 }, "{came:?}");
        }
        carry_rest(&mut net);
        for shard in net.all() {
            let held = shard.occupancy();
            assert_eq!((held.conferences, held.conference_legs), (0, 0), "{held:?}");
        }
    }
}

#[test]
fn a_conference_that_ends_while_somebody_pages() {
    let mut outcomes = std::collections::BTreeSet::new();
    for order in 0..ORDERS {
        let mut net = Net::new(4);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut bob = Client::simple(&mut net, 1, "bob");
        let meeting = convened(&mut net, &mut alice, &id_at(4, 2, 1), Wish::default());
        let mut seat = seated(&mut net, &mut alice, &meeting);
        said(&mut net, &mut alice, &mut seat.chat, "before");
        net.post(bob.conn, &bob.page(&meeting.chat, "1"));
        net.post(bob.conn, &bob.page(&meeting.chat, "2"));
        net.post(alice.conn, &alice.operation_at(&meeting.focus, &meeting.end()));
        carry_all(&mut net, order);
        let his = all_of(&mut net, &bob);
        let statuses: Vec<u16> = his.iter().filter(|m| m.is_response()).map(Text::status).collect();
        assert_eq!(statuses.len(), 2, "{his:?}");
        assert!(statuses.iter().all(|status| matches!(status, 202 | 404)), "{statuses:?}");
        let taken = statuses.iter().filter(|status| **status == 202).count();
        let hers = all_of(&mut net, &alice);
        assert_eq!(count(&hers, "MESSAGE"), taken, "{hers:?}");
        outcomes.insert(taken);
        nothing_left(&net);
    }
    assert!(outcomes.len() > 1, "orders differ: {outcomes:?}");
}

#[test]
fn an_invitation_that_is_taken_as_the_conference_ends() {
    for order in 0..ORDERS {
        let mut net = Net::new(4);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let bob = Client::simple(&mut net, 1, "bob");
        let meeting = convened(&mut net, &mut alice, &id_at(4, 2, 1), Wish::default());
        let mut seat = seated(&mut net, &mut alice, &meeting);
        said(&mut net, &mut alice, &mut seat.chat, "before");
        let invite = alice.request("INVITE", "sip:bob@example.test");
        let invite = invite.body(CONF_INVITE, &meeting.invitation());
        net.post(alice.conn, &invite);
        net.post(alice.conn, &alice.operation_at(&meeting.focus, &meeting.end()));
        carry_all(&mut net, order);
        let hers = all_of(&mut net, &alice);
        let invited = |m: &&Text| m.is_response() && m.method() == "INVITE" && m.status() > 100;
        let statuses: Vec<u16> = hers.iter().filter(invited).map(Text::status).collect();
        assert!(matches!(statuses[..], [200 | 404]), "{hers:?}");
        all_of(&mut net, &bob);
        nothing_left(&net);
        assert_eq!(net.value(Series::SessionsCurrent), 0);
    }
}

#[test]
fn two_endpoints_of_one_user_come_and_go_at_the_same_time() {
    for order in 0..ORDERS {
        let Table { mut net, meeting, mut alice, mut bob, carol, mut seats } = Table::new(4, 3);
        let device = Device { user: "bob", ms: true, number: 1 };
        let mut second = Client::device(&mut net, 3, device);
        net.post(second.conn, &second.invite_focus(&meeting));
        net.post(second.conn, &second.invite_chat(&meeting));
        net.post(alice.conn, &alice.say(&mut seats[0].chat, "1"));
        net.post(bob.conn, &bob.within(&mut seats[1].focus, "BYE"));
        net.post(bob.conn, &bob.within(&mut seats[1].chat, "BYE"));
        carry_all(&mut net, order);
        // What was said comes to him at one endpoint or the other, or to both.
        let (first, later) = (all_of(&mut net, &bob), all_of(&mut net, &second));
        let reports = all_of(&mut net, &alice);
        let reported = count(&reports, "BENOTIFY");
        let heard = count(&first, "MESSAGE") + count(&later, "MESSAGE");
        assert!((heard > 0) != (reported > 0), "{first:?} {later:?} {reports:?}");
        assert_eq!(net.value(Series::ConferenceMembersCurrent), 3);
        let hers = all_of(&mut net, &carol);
        assert_eq!(count(&hers, "MESSAGE"), 1);
        net.at_rest();
    }
}

/// Bob on shard 1 joins a conference of shard 2 while frames are lost.
fn joining() -> (Net, Meeting, Client, Seat, Client) {
    let mut net = Net::new(4);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let bob = Client::lync(&mut net, 1, "bob");
    let meeting = convened(&mut net, &mut alice, &id_at(4, 2, 1), Wish::default());
    let seat = seated(&mut net, &mut alice, &meeting);
    (net, meeting, alice, seat, bob)
}

#[test]
fn a_join_that_is_lost_is_refused_in_time() {
    let (mut net, meeting, _, _, mut bob) = joining();
    let invite = bob.invite_focus(&meeting);
    net.post(bob.conn, &invite);
    net.lose_all();
    net.pass_s(40);
    let refused = net.recv(bob.conn);
    assert_eq!((refused.status(), refused.method()), (503, "INVITE"));
    net.send(bob.conn, &bob.acknowledge(&invite, &refused));
    assert_eq!(net.value(Series::LegsCurrent), 2, "alice's");
    seated(&mut net, &mut bob, &meeting);
}

#[test]
fn a_join_whose_answer_is_lost_is_taken_back() {
    let (mut net, meeting, _, _, mut bob) = joining();
    net.post(bob.conn, &bob.invite_chat(&meeting));
    let answer = |frame: &Frame| matches!(frame, Frame::ToLeg { .. });
    let mut lost = false;
    while let Some(link) = first_link(&net) {
        match net.lose(link, answer) {
            true => lost = true,
            false => net.carry(link),
        }
    }
    assert!(lost);
    assert_eq!(net.value(Series::ConferenceMembersCurrent), 2);
    net.pass_s(40);
    assert_eq!(net.recv(bob.conn).status(), 503);
    assert_eq!(net.value(Series::ConferenceMembersCurrent), 1);
    assert_eq!(net.value(Series::LegsCurrent), 2, "alice's");
}

#[test]
fn a_goodbye_that_is_lost_is_found_out_by_the_next_message() {
    let (mut net, meeting, mut alice, mut seat, mut bob) = joining();
    let his = seated(&mut net, &mut bob, &meeting);
    assert_eq!(his.chat.target, meeting.chat);
    net.end(bob.conn);
    net.lose_all();
    assert_eq!(net.value(Series::ConferenceMembersCurrent), 2, "nobody knows");
    said(&mut net, &mut alice, &mut seat.chat, "are you there?");
    let report = net.recv(alice.conn);
    assert!(report.body().contains("bob@example.test"), "{report:?}");
    let left = net.value(Series::ConferenceMembersCurrent);
    assert_eq!(left, 2, "his leg with the focus is still thought to be there");
    said(&mut net, &mut alice, &mut seat.chat, "no");
    net.silent(&[alice.conn]);
}

#[test]
fn an_end_of_a_subscription_that_is_lost_is_found_out_by_the_next_change() {
    let mut net = Net::limited(4, |limits| limits.conference_watchers_max = 1);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let meeting = convened(&mut net, &mut alice, &id_at(4, 2, 1), Wish::default());
    watching(&mut net, &mut bob, &meeting);
    net.end(bob.conn);
    net.lose_all();
    let watch = alice.watch(&meeting);
    assert_eq!(net.ask(alice.conn, &watch).status(), 403, "nobody knows");
    let lock = alice.operation_at(&meeting.focus, &meeting.lock(true));
    assert_eq!(net.ask(alice.conn, &lock).status(), 200);
    watching(&mut net, &mut alice, &meeting);
}

#[test]
fn whatever_frames_are_lost_no_leg_and_no_subscription_is_left() {
    for order in 0..ORDERS {
        let Table { mut net, meeting, mut alice, mut bob, mut carol, mut seats } = Table::new(4, 3);
        watching(&mut net, &mut bob, &meeting);
        let mut dice = order + 1;
        let mut lossy = |net: &mut Net| {
            while let Some(link) = first_link(net) {
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let lost = (dice >> 33).is_multiple_of(4) && net.lose(link, |_| true);
                if !lost {
                    net.carry(link);
                }
            }
        };
        for round in 0..4 {
            net.post(alice.conn, &alice.say(&mut seats[0].chat, "1"));
            net.post(carol.conn, &carol.say(&mut seats[2].chat, "2"));
            net.post(bob.conn, &bob.watch(&meeting));
            net.post(bob.conn, &bob.invite_chat(&meeting));
            lossy(&mut net);
            if round == 2 {
                net.post(alice.conn, &alice.operate(&mut seats[0].focus, &meeting.eject("carol")));
                lossy(&mut net);
            }
            for client in [&alice, &bob, &carol] {
                while let Some(message) = net.try_recv(client.conn) {
                    if matches!(message.method(), "MESSAGE" | "BYE") && !message.is_response() {
                        net.post(client.conn, &message.answer(200, ""));
                    }
                }
            }
            lossy(&mut net);
            net.now = net.now.plus(std::time::Duration::from_secs(20));
            for shard in 0..4 {
                net.handle(shard, Input::Tick);
            }
            lossy(&mut net);
        }
        for client in [&alice, &bob, &carol] {
            net.end(client.conn);
            lossy(&mut net);
        }
        net.pass_s(40);
        net.pass_s(700);
        for shard in net.all() {
            let held = shard.occupancy();
            assert_eq!(
                (held.conference_legs, held.subscriptions, held.relays),
                (0, 0, 0),
                "{held:?}"
            );
        }
    }
}
