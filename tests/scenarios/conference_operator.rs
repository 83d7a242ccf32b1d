//! Conferences as operators see and end them.

use mynah::base::limits::Limit;
use mynah::shard::conference_standing::{ConferenceList, ConferenceStanding};
use mynah::shard::durable::NotWritten;
use mynah::shard::question::{Answer, Question};

use crate::harness::conference::{Meeting, SCHEDULED, Wish, convened, id_at, nothing_left, seated};
use crate::harness::{Client, Net};

fn lync(net: &mut Net, at: u16, user: &str) -> Client {
    let at = at % net.shards();
    Client::lync(net, at, user)
}

fn scheduled() -> Wish<'static> {
    Wish { subject: "Budget", expiry: SCHEDULED, ..Wish::default() }
}

/// The list as the server puts it together.
fn list(net: &mut Net, max: usize) -> ConferenceList {
    let mut list = ConferenceList::default();
    for answer in net.inquire_everywhere(&Question::Conferences) {
        let Answer::Conferences(part) = answer else { panic!("{answer:?}") };
        list.merge(part, max);
    }
    list
}

fn shown(net: &mut Net, meeting: &Meeting) -> ConferenceStanding {
    match net.inquire(Question::Conference(meeting.conference())) {
        Answer::Conference(standing) => *standing,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_operator_sees_the_conferences_of_all_shards_and_who_is_in_them() {
    for shards in [1, 3] {
        let mut net = Net::new(shards);
        let mut alice = lync(&mut net, 0, "alice");
        let mut bob = lync(&mut net, 1, "bob");
        let meetings: Vec<Meeting> = (0..3)
            .map(|n| {
                let id = id_at(shards, n, u32::from(n));
                convened(&mut net, &mut alice, &id, Wish { subject: "Budget", ..Wish::default() })
            })
            .collect();
        seated(&mut net, &mut alice, &meetings[1]);
        seated(&mut net, &mut bob, &meetings[1]);
        let list = list(&mut net, 10);
        assert_eq!(list.total, 3);
        let first = &list.conferences[0];
        assert_eq!((first.id, first.members, first.peak), (meetings[1].conference(), 2, 2));
        assert_eq!((&*first.subject, first.organiser.user()), ("Budget", "alice"));
        assert!(list.conferences[1..].iter().all(|one| one.started_unix_ms.is_none()));

        let standing = shown(&mut net, &meetings[1]);
        assert_eq!(standing.summary, *first);
        let members: Vec<_> =
            standing.members.iter().map(|one| (one.aor.user(), one.legs.len())).collect();
        assert_eq!(members, [("alice", 2), ("bob", 2)]);
    }
}

/// Limit `conferences_listed_max`.
#[test]
fn a_long_list_has_those_with_the_most_members() {
    let mut net = Net::limited(1, |limits| limits.conferences_listed_max = 1);
    let mut alice = lync(&mut net, 0, "alice");
    let meetings = [1, 2].map(|n| convened(&mut net, &mut alice, &id_at(1, 0, n), Wish::default()));
    seated(&mut net, &mut alice, &meetings[1]);
    let list = list(&mut net, 1);
    let ids: Vec<_> = list.conferences.iter().map(|one| one.id).collect();
    assert_eq!((list.total, ids), (2, vec![meetings[1].conference()]));
    assert_eq!(net.hits(Limit::ConferencesListed), 1);
}

#[test]
fn an_operator_ends_a_conference_for_all() {
    for (shards, wish) in [(1, Wish::default()), (3, Wish::default()), (3, scheduled())] {
        let mut net = Net::new(shards);
        let mut alice = lync(&mut net, 0, "alice");
        let mut bob = lync(&mut net, 1, "bob");
        let meeting = convened(&mut net, &mut alice, &id_at(shards, 2, 1), wish);
        seated(&mut net, &mut bob, &meeting);
        let end = Question::EndConference(meeting.conference());
        assert_eq!(net.inquire(end.clone()), Answer::ConferenceEnded);
        assert_eq!(net.recv(bob.conn).method(), "BYE", "his leg with the IMMCU is over");
        assert_eq!(net.shelf.conferences(), []);
        assert_eq!(list(&mut net, 10).total, 0);
        let gone = Answer::NoSuchConference;
        assert_eq!(net.inquire(Question::Conference(meeting.conference())), gone);
        assert_eq!(net.inquire(end), gone);
    }
}

#[test]
fn an_end_that_cannot_be_kept_is_said_to_be_one() {
    let mut net = Net::new(2);
    let mut alice = lync(&mut net, 0, "alice");
    let meeting = convened(&mut net, &mut alice, &id_at(2, 1, 1), scheduled());
    net.shelf.fails = Some(NotWritten::Failing);
    let end = Question::EndConference(meeting.conference());
    assert_eq!(net.inquire(end.clone()), Answer::ConferenceStays);
    assert_eq!(list(&mut net, 10).total, 0);
    net.shelf.fails = None;
    net.restart();
    assert_eq!(&*shown(&mut net, &meeting).summary.subject, "Budget", "it is there again");
    assert_eq!(net.inquire(end), Answer::ConferenceEnded);
    net.restart();
    assert_eq!(list(&mut net, 10).total, 0);
    nothing_left(&net);
}
