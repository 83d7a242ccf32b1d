//! How conferences end, and what stands in the record afterwards.

use mynah::records::{
    ConferenceDeparted, ConferenceEnded, ConferenceEnding, ConferenceEntered, ConferenceStarted,
    Parting, Record, Role,
};
use mynah::shard::input::Control;
use mynah::shard::question::{Answer, Question};

use crate::harness::conference::{
    SCHEDULED, Table, Wish, convened, heard, id_at, left, nothing_left, pass_over, said, seated,
    watching,
};
use crate::harness::{Client, Net};

/// A record of a conference in words, with seconds since `began`.
fn told(net: &Net, began: u64) -> Vec<String> {
    let seconds = |unix_ms: u64| (unix_ms - began) / 1000;
    let mut visits = Vec::new();
    let word = |record: &Record| match record {
        Record::ConferenceStarted(ConferenceStarted {
            organiser,
            subject,
            scheduled,
            start_unix_ms,
            ..
        }) => {
            let kind = if *scheduled { "scheduled" } else { "ad hoc" };
            format!("{} started {organiser} [{subject}] {kind}", seconds(*start_unix_ms))
        }
        Record::ConferenceEntered(ConferenceEntered { visit, member, role, unix_ms, .. }) => {
            visits.push((*visit, member.clone()));
            let role = match role {
                Role::Attendee => "attendee",
                Role::Presenter => "presenter",
            };
            format!("{} entered {member} {role}", seconds(*unix_ms))
        }
        Record::ConferenceDeparted(ConferenceDeparted { visit, end }) => {
            let (_, member) = visits.iter().find(|(known, _)| known == visit).expect("a visit");
            let (at, parting) = (seconds(end.end_unix_ms), end.parting.name());
            format!("{at} departed {member} {} {parting}", end.messages)
        }
        Record::ConferenceEnded(ConferenceEnded { end, .. }) => {
            let (at, ending) = (seconds(end.end_unix_ms), end.ending.name());
            format!("{at} ended {} {} {ending}", end.messages, end.peak)
        }
        record => panic!("{record:?}"),
    };
    net.records.iter().map(word).collect()
}

/// Those who were let go answer it.
fn let_go(net: &mut Net, clients: &[&Client]) {
    for client in clients {
        let bye = net.recv(client.conn);
        assert_eq!(bye.method(), "BYE", "{bye:?}");
        net.send(client.conn, &bye.answer(200, ""));
        net.silent(&[client.conn]);
    }
}

#[test]
fn a_conference_is_recorded_from_its_first_member_to_its_last() {
    for (shards, owner) in [(1, 0), (2, 0), (2, 1), (4, 3)] {
        let mut net = Net::new(shards);
        let began = net.now.unix_ms;
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut bob = Client::lync(&mut net, 1 % shards, "bob");
        let mut carol = Client::lync(&mut net, 2 % shards, "carol");
        let wish = Wish { subject: "budget", ..Wish::default() };
        let meeting = convened(&mut net, &mut alice, &id_at(shards, owner, 1), wish);
        assert!(net.records.is_empty(), "nobody is in");
        net.pass_s(10);
        seated(&mut net, &mut bob, &meeting);
        net.pass_s(1);
        let mut hers = seated(&mut net, &mut alice, &meeting);
        net.pass_s(1);
        let mut carols = seated(&mut net, &mut carol, &meeting);
        for text in ["1", "2"] {
            said(&mut net, &mut alice, &mut hers.chat, text);
            heard(&mut net, &bob);
            heard(&mut net, &carol);
        }
        said(&mut net, &mut carol, &mut carols.chat, "3");
        heard(&mut net, &alice);
        heard(&mut net, &bob);
        net.pass_s(1);
        net.close(bob.conn);
        bob = Client::lync(&mut net, 0, "bob");
        let mut his = seated(&mut net, &mut bob, &meeting);
        net.pass_s(1);
        let eject = alice.operate(&mut hers.focus, &meeting.eject("carol"));
        assert_eq!(net.ask(alice.conn, &eject).status(), 202);
        let_go(&mut net, &[&carol]);
        net.pass_s(1);
        left(&mut net, &mut bob, &mut his.chat);
        left(&mut net, &mut bob, &mut his.focus);
        pass_over(&mut net, &[alice.conn]);
        net.pass_s(1);
        left(&mut net, &mut alice, &mut hers.focus);
        left(&mut net, &mut alice, &mut hers.chat);
        let ids: Vec<_> = net
            .records
            .iter()
            .filter_map(|record| match record {
                Record::ConferenceStarted(started) => {
                    assert_eq!(started.conference, meeting.conference());
                    Some(started.id)
                }
                Record::ConferenceEntered(entered) => Some(entered.id),
                Record::ConferenceEnded(ended) => Some(ended.id),
                _ => None,
            })
            .collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "one record: {ids:?}");
        assert_eq!(
            told(&net, began),
            [
                "10 started alice@example.test [budget] ad hoc",
                "10 entered bob@example.test attendee",
                "11 entered alice@example.test presenter",
                "12 entered carol@example.test attendee",
                "13 departed bob@example.test 0 connection_lost",
                "13 entered bob@example.test attendee",
                "14 departed carol@example.test 1 ejected",
                "15 departed bob@example.test 0 bye",
                "16 departed alice@example.test 2 bye",
                "16 ended 3 3 last_left",
            ]
        );
        nothing_left(&net);
    }
}

#[test]
fn a_conference_that_nobody_joins_is_abandoned_without_a_record() {
    for shards in [1, 2] {
        let mut net = Net::new(shards);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let meeting = convened(&mut net, &mut alice, &id_at(shards, 1, 1), Wish::default());
        net.pass_s(599);
        watching(&mut net, &mut alice, &meeting);
        net.pass_s(2);
        let invite = alice.invite_focus(&meeting);
        assert_eq!(net.ask(alice.conn, &invite).status(), 404);
        assert!(net.records.is_empty(), "{:?}", net.records);
        nothing_left(&net);
    }
}

#[test]
fn a_conference_with_members_is_not_abandoned() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let meeting = convened(&mut net, &mut alice, &id_at(2, 1, 1), Wish::default());
    let mut seat = seated(&mut net, &mut bob, &meeting);
    net.pass_s(601);
    said(&mut net, &mut bob, &mut seat.chat, "all alone");
}

#[test]
fn the_organiser_may_vanish() {
    for shards in [1, 2] {
        let Table { mut net, alice, mut bob, carol, mut seats, .. } = Table::new(shards, 0);
        net.close(alice.conn);
        said(&mut net, &mut bob, &mut seats[1].chat, "we go on");
        assert_eq!(heard(&mut net, &carol).body(), "we go on");
        net.close(bob.conn);
        net.close(carol.conn);
        let all = told(&net, net.now.unix_ms);
        assert_eq!(all.last().map(String::as_str), Some("0 ended 1 3 last_left"));
        nothing_left(&net);
    }
}

#[test]
fn a_presenter_ends_a_conference() {
    for shards in [1, 2] {
        let Table { mut net, meeting, mut alice, bob, carol, .. } = Table::new(shards, 1);
        let began = net.now.unix_ms;
        let end = alice.operation_at(&meeting.focus, &meeting.end());
        assert_eq!(net.ask(alice.conn, &end).status(), 200);
        let_go(&mut net, &[&alice, &bob, &carol]);
        assert_eq!(
            told(&net, began)[4..],
            [
                "0 departed alice@example.test 0 ended",
                "0 departed bob@example.test 0 ended",
                "0 departed carol@example.test 0 ended",
                "0 ended 0 3 deleted",
            ]
        );
        nothing_left(&net);
    }
}

#[test]
fn the_operator_ends_a_conference() {
    for shards in [1, 2, 4] {
        let Table { mut net, meeting, alice, bob, carol, .. } = Table::new(shards, 1);
        let id = meeting.conference();
        let answer = net.inquire(Question::EndConference(id));
        assert_eq!(answer, Answer::ConferenceEnded);
        let_go(&mut net, &[&alice, &bob, &carol]);
        let all = told(&net, net.now.unix_ms);
        assert_eq!(all.last().map(String::as_str), Some("0 ended 0 3 operator"));
        nothing_left(&net);
        assert_eq!(net.inquire(Question::EndConference(id)), Answer::NoSuchConference);
    }
}

#[test]
fn the_operator_ends_a_scheduled_conference_for_good() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let wish = Wish { expiry: SCHEDULED, ..Wish::default() };
    let meeting = convened(&mut net, &mut alice, &id_at(2, 1, 1), wish);
    let order = Question::EndConference(meeting.conference());
    let ticket = mynah::base::ids::Slot { index: 7, generation: 1 };
    let home = meeting.conference().home(2).0;
    let ask = Control::Ask { ticket, question: order };
    net.handle(home, mynah::shard::input::Input::Control(ask));
    net.settle();
    assert_eq!(net.answers, [(ticket, Answer::ConferenceEnded)]);
    assert!(net.shelf.conferences().is_empty());
    nothing_left(&net);
}

#[test]
fn a_scheduled_conference_ends_when_its_time_is_up_and_nobody_is_in() {
    for shards in [1, 2] {
        let mut net = Net::new(shards);
        let began = net.now.unix_ms;
        let mut alice = Client::lync(&mut net, 0, "alice");
        // Two days from the start of the clock.
        let wish = Wish { expiry: "2026-11-22T21:22:30Z", ..Wish::default() };
        let meeting = convened(&mut net, &mut alice, &id_at(shards, 1, 1), wish);
        let mut seat = seated(&mut net, &mut alice, &meeting);
        left(&mut net, &mut alice, &mut seat.chat);
        left(&mut net, &mut alice, &mut seat.focus);
        net.close(alice.conn);
        for _ in 0..47 {
            net.pass_s(3600);
        }
        assert_eq!(net.shelf.conferences().len(), 1);
        net.pass_s(3600);
        net.pass_s(3600);
        assert!(net.shelf.conferences().is_empty());
        let all = told(&net, began);
        assert!(all.last().is_some_and(|last| last.ends_with("ended 0 1 expired")), "{all:?}");
        nothing_left(&net);
    }
}

#[test]
fn every_conference_ends_when_the_server_goes_down() {
    for (shards, owner) in [(1, 0), (2, 0), (2, 1), (4, 3)] {
        let Table { mut net, meeting, mut alice, bob, carol, mut seats } =
            Table::new(shards, owner);
        watching(&mut net, &mut alice, &meeting);
        said(&mut net, &mut alice, &mut seats[0].chat, "1");
        heard(&mut net, &bob);
        let unanswered = net.recv(carol.conn);
        net.control(|| Control::Drain);
        let_go(&mut net, &[&alice, &bob, &carol]);
        net.send(carol.conn, &unanswered.answer(200, ""));
        let all = told(&net, net.now.unix_ms);
        assert_eq!(all.last().map(String::as_str), Some("0 ended 1 3 drained"));
        assert_eq!(all.iter().filter(|line| line.ends_with(" ended")).count(), 3, "{all:?}");
        for request in [alice.invite_focus(&meeting), alice.invite_chat(&meeting)] {
            assert_eq!(net.ask(alice.conn, &request).status(), 503);
        }
        let request = alice.convene(&id_at(shards, 0, 2), Wish::default());
        assert_eq!(net.ask(alice.conn, &request).status(), 503);
        let watch = alice.watch(&meeting);
        assert_eq!(net.ask(alice.conn, &watch).status(), 503);
        nothing_left(&net);
    }
}

#[test]
fn a_scheduled_conference_survives_that_the_server_goes_down() {
    let mut net = Net::new(2);
    let wish = Wish { expiry: SCHEDULED, ..Wish::default() };
    let mut alice = Client::lync(&mut net, 0, "alice");
    let meeting = convened(&mut net, &mut alice, &id_at(2, 1, 1), wish);
    seated(&mut net, &mut alice, &meeting);
    net.control(|| Control::Drain);
    let_go(&mut net, &[&alice]);
    assert_eq!(net.shelf.conferences().len(), 1);
    net.restart();
    let mut alice = Client::lync(&mut net, 0, "alice");
    seated(&mut net, &mut alice, &meeting);
    let partings: Vec<_> = net
        .records
        .iter()
        .filter_map(|record| match record {
            Record::ConferenceDeparted(departed) => Some(departed.end.parting),
            _ => None,
        })
        .collect();
    assert_eq!(partings, [Parting::Ended]);
    let ended = net.records.iter().find_map(|record| match record {
        Record::ConferenceEnded(ended) => Some(ended.end.ending),
        _ => None,
    });
    assert_eq!(ended, Some(ConferenceEnding::Drained));
}

#[test]
fn a_member_who_answers_nothing_and_one_who_has_gone_are_recorded_as_such() {
    let net = Net::limited(2, |limits| limits.conference_unanswered_max = 1);
    let Table { mut net, meeting, mut alice, bob, mut carol, mut seats } = Table::of(net, 1);
    left(&mut net, &mut carol, &mut seats[2].focus);
    net.put_user("dave", |_| {});
    let mut dave = Client::simple(&mut net, 0, "dave");
    assert_eq!(net.ask(dave.conn, &dave.page(&meeting.chat, "hello")).status(), 202);
    heard(&mut net, &alice);
    heard(&mut net, &bob);
    net.close(dave.conn);
    said(&mut net, &mut alice, &mut seats[0].chat, "2");
    heard(&mut net, &bob);
    pass_over(&mut net, &[alice.conn, carol.conn]);
    let all = told(&net, net.now.unix_ms);
    let mut departed: Vec<_> = all.iter().filter(|line| line.contains("departed")).collect();
    departed.sort();
    assert_eq!(
        departed,
        ["0 departed carol@example.test 0 unresponsive", "0 departed dave@example.test 1 gone"]
    );
}

#[test]
fn a_user_who_is_removed_from_the_directory_has_left() {
    for shards in [1, 2] {
        let Table { mut net, meeting, alice, mut bob, carol, mut seats } = Table::new(shards, 1);
        net.remove_user("alice");
        assert!(!net.is_open(alice.conn));
        said(&mut net, &mut bob, &mut seats[1].chat, "she is gone");
        assert_eq!(heard(&mut net, &carol).body(), "she is gone");
        assert_eq!(seats[0].chat.target, meeting.chat);
        let all = told(&net, net.now.unix_ms);
        assert_eq!(all[4..], ["0 departed alice@example.test 0 connection_lost"]);
    }
}

#[test]
fn no_timer_is_left_when_its_time_has_come() {
    for (shards, owner) in [(1, 0), (2, 1), (4, 3)] {
        let mut net = Net::new(shards);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut bob = Client::lync(&mut net, shards - 1, "bob");
        // Whatever their registrations need is armed.
        net.pass_s(601);
        let timers = |net: &Net| -> usize { net.all().iter().map(|s| s.occupancy().timers).sum() };
        let before = timers(&net);
        let meeting = convened(&mut net, &mut alice, &id_at(shards, owner, 1), Wish::default());
        let mut seat = seated(&mut net, &mut alice, &meeting);
        seated(&mut net, &mut bob, &meeting);
        let (_, roster) = watching(&mut net, &mut bob, &meeting);
        assert_eq!(roster.status(), 200);
        said(&mut net, &mut alice, &mut seat.chat, "1");
        heard(&mut net, &bob);
        let end = alice.operation_at(&meeting.focus, &meeting.end());
        assert_eq!(net.ask(alice.conn, &end).status(), 200);
        let_go(&mut net, &[&alice, &bob]);
        net.pass_s(601);
        nothing_left(&net);
        assert!(timers(&net) <= before, "{} timers, {before} before", timers(&net));
    }
}
