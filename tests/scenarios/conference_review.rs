//! Conferences outlive neither who made them nor a fault of the store, leave nothing behind, and take
//! nobody in whom a stranger names.

use mynah::metrics::names::Series;
use mynah::shard::durable::NotWritten;
use mynah::shard::question::{Answer, Question};

use crate::harness::client::uri;
use crate::harness::conference::{
    CONF_INVITE, SCHEDULED, Wish, convened, failed, id_at, nothing_left, pass_over, said, seated,
};
use crate::harness::{Client, Net};

fn scheduled() -> Wish<'static> {
    Wish { expiry: SCHEDULED, ..Wish::default() }
}

#[test]
fn a_removed_organiser_takes_his_scheduled_conferences_with_him() {
    for shards in [1, 2, 4] {
        let mut net = Net::new(shards);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut bob = Client::lync(&mut net, 1 % shards, "bob");
        for owner in 0..shards {
            let id = id_at(shards, owner, 1);
            let meeting = convened(&mut net, &mut alice, &id, scheduled());
            seated(&mut net, &mut bob, &meeting);
        }
        let his = convened(&mut net, &mut bob, &id_at(shards, 0, 2), scheduled());
        net.remove_user("alice");
        for _ in 0..shards {
            assert_eq!(net.recv(bob.conn).method(), "BYE");
        }
        assert_eq!(net.value(Series::ConferencesCurrent), 1, "bob's own goes on");
        let end = bob.operation_at(&his.focus, &his.end());
        assert_eq!(net.ask(bob.conn, &end).status(), 200);
        assert_eq!(net.shelf.conferences(), []);
    }
}

#[test]
fn whoever_gets_the_address_of_an_organiser_is_not_one() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let meeting = convened(&mut net, &mut alice, &id_at(2, 1, 1), scheduled());
    net.remove_user("alice");
    net.put_user("alice", |_| {});
    let mut alice = Client::lync(&mut net, 0, "alice");
    let invite = alice.invite_focus(&meeting);
    assert_eq!(net.ask(alice.conn, &invite).status(), 404);
}

#[test]
fn an_end_that_the_store_refused_is_tried_again() {
    for why in [NotWritten::Failing, NotWritten::Full] {
        let mut net = Net::new(2);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let meeting = convened(&mut net, &mut alice, &id_at(2, 1, 1), scheduled());
        net.shelf.fails = Some(why);
        let end = Question::EndConference(meeting.conference());
        assert_eq!(net.inquire(end), Answer::ConferenceStays);
        net.pass_s(3);
        assert_eq!(net.shelf.conferences().len(), 1);
        net.shelf.fails = None;
        net.pass_s(3);
        assert_eq!(net.shelf.conferences(), []);
        nothing_left(&net);
    }
}

#[test]
fn a_change_that_the_store_refused_is_tried_again() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let meeting = convened(&mut net, &mut alice, &id_at(2, 1, 1), scheduled());
    let mut seat = seated(&mut net, &mut alice, &meeting);
    net.shelf.fails = Some(NotWritten::Failing);
    let lock = alice.operate(&mut seat.focus, &meeting.lock(true));
    failed(&net.ask(alice.conn, &lock), 503, "serverBusy");
    net.shelf.fails = None;
    net.pass_s(3);
    let kept = net.shelf.conferences();
    assert!(kept.len() == 1 && kept.iter().all(|kept| kept.locked), "{kept:?}");
}

#[test]
fn a_name_taken_again_is_not_removed_by_an_end_that_was_refused_before() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let meeting = convened(&mut net, &mut alice, &id_at(2, 1, 1), scheduled());
    net.shelf.fails = Some(NotWritten::Failing);
    let end = Question::EndConference(meeting.conference());
    assert_eq!(net.inquire(end), Answer::ConferenceStays);
    net.shelf.fails = None;
    net.shelf.held = true;
    let again = alice.convene(&meeting.id, scheduled());
    net.send(alice.conn, &again);
    net.pass_s(3);
    net.shelf.held = false;
    net.settle();
    assert_eq!(net.recv(alice.conn).status(), 200);
    net.pass_s(3);
    assert_eq!(net.shelf.conferences().len(), 1);
    assert_eq!(net.value(Series::ConferencesCurrent), 1);
}

#[test]
fn a_conference_laid_down_for_years_leaves_no_timer() {
    let mut net = Net::new(1);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let timers = |net: &Net| net.all().iter().map(|shard| shard.occupancy().timers).sum::<usize>();
    let before = timers(&net);
    for number in 1..=20 {
        let wish = Wish { expiry: "2999-01-01T00:00:00Z", ..Wish::default() };
        let meeting = convened(&mut net, &mut alice, &id_at(1, 0, number), wish);
        let end = Question::EndConference(meeting.conference());
        assert_eq!(net.inquire(end), Answer::ConferenceEnded);
    }
    for _ in 0..11 {
        net.pass_s(60);
        pass_over(&mut net, &[alice.conn]);
    }
    assert!(timers(&net) <= before + 2, "{} after {before}", timers(&net));
}

#[test]
fn a_client_may_ask_in_its_dialog_whether_we_live() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let meeting = convened(&mut net, &mut alice, &id_at(2, 1, 1), Wish::default());
    let mut seat = seated(&mut net, &mut alice, &meeting);
    for dialog in [&mut seat.focus, &mut seat.chat] {
        let options = alice.within(dialog, "OPTIONS");
        assert_eq!(net.ask(alice.conn, &options).status(), 200);
    }
}

#[test]
fn nobody_is_brought_in_by_who_is_not_in_himself() {
    for shards in [1, 2] {
        let mut net = Net::new(shards);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut carol = Client::lync(&mut net, shards - 1, "carol");
        let bob = Client::simple(&mut net, shards - 1, "bob");
        let meeting = convened(&mut net, &mut alice, &id_at(shards, 1, 1), Wish::default());
        let mut seat = seated(&mut net, &mut alice, &meeting);
        let invite = carol.request("INVITE", &uri("bob"));
        net.send(carol.conn, &invite.body(CONF_INVITE, &meeting.invitation()));
        assert_eq!(net.value(Series::ConferenceMembersCurrent), 1);
        said(&mut net, &mut alice, &mut seat.chat, "is he here?");
        net.silent(&[bob.conn]);
        pass_over(&mut net, &[carol.conn]);

        seated(&mut net, &mut carol, &meeting);
        let invite = carol.request("INVITE", &uri("bob"));
        net.send(carol.conn, &invite.body(CONF_INVITE, &meeting.invitation()));
        assert_eq!(net.value(Series::ConferenceMembersCurrent), 3);
    }
}
