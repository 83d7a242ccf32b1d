//! What operators are told of a conference, against the conference itself.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::base::ids::{LegId, ShardId, Slot};
use crate::base::limits::Limits;
use crate::base::time::Now;
use crate::immcu::conference::{Accepts, Command, Description, Input, Join, Relation};

const MADE: Now = Now { mono_ms: 5_000, unix_ms: 1_800_000_000_000 };

fn aor(name: &str) -> Aor {
    Aor::new(&format!("{name}@example.test"))
}

/// A conference of alice in which nobody is.
fn conference(id: u128) -> Conference {
    let description = Description {
        id: ConferenceId(id),
        organiser: aor("alice"),
        organiser_name: "Alice".into(),
        subject: "Budget".into(),
        admission: Admission::ClosedAuthenticated,
        lobby: true,
        locked: false,
        expires_unix_ms: MADE.unix_ms + 3_600_000,
        scheduled: true,
        invited: BTreeMap::from([(aor("bob"), Role::Attendee)]),
    };
    Conference::new(MADE, description, &Limits::default())
}

fn take(conference: &mut Conference, now: Now, input: Input) {
    conference.handle(now, input, &Limits::default());
    while conference.next_output().is_some() {}
}

fn reach(index: u32) -> Reach {
    Reach::Leg(LegId::new(ShardId(1), Slot { index, generation: 1 }))
}

fn join(conference: &mut Conference, now: Now, name: &str, index: u32, kind: LegKind) {
    let join = Join {
        reach: reach(index),
        who: aor(name),
        name: name.to_uppercase().into(),
        relation: Relation::Enterprise,
        kind,
        endpoint: format!("{{{index}}}").into(),
        accepts: Accepts::default(),
    };
    take(conference, now, Input::Join(join));
}

#[test]
fn a_conference_stands_as_it_was_made_and_as_its_members_came() {
    let mut conference = conference(7);
    let later = |seconds| MADE.plus(Duration::from_secs(seconds));
    let before = ConferenceStanding::from(&conference);
    assert_eq!((before.summary.started_unix_ms, before.summary.members), (None, 0));

    join(&mut conference, later(1), "alice", 1, LegKind::Focus);
    join(&mut conference, later(2), "alice", 2, LegKind::Chat);
    join(&mut conference, later(3), "bob", 3, LegKind::Chat);
    join(&mut conference, later(4), "carol", 4, LegKind::Focus);
    let said = Input::Say {
        reach: reach(2),
        content_type: "text/plain".into(),
        body: "good morning".into(),
    };
    take(&mut conference, later(5), said);
    let standing = ConferenceStanding::from(&conference);
    assert_eq!(
        standing.summary,
        ConferenceSummary {
            id: ConferenceId(7),
            organiser: aor("alice"),
            subject: "Budget".into(),
            admission: Admission::ClosedAuthenticated,
            lobby: true,
            locked: false,
            scheduled: true,
            made_unix_ms: MADE.unix_ms,
            started_unix_ms: Some(later(1).unix_ms),
            expires_unix_ms: MADE.unix_ms + 3_600_000,
            members: 2,
            peak: 2,
            waiting: 1,
            messages: 1,
        }
    );
    let leg = |index, kind| LegStanding {
        reach: reach(index),
        kind,
        endpoint: format!("{{{index}}}").into(),
    };
    let member = |name: &str, role, seconds, messages, legs| MemberStanding {
        aor: aor(name),
        name: name.to_uppercase().into(),
        role,
        since_unix_ms: later(seconds).unix_ms,
        messages,
        legs,
    };
    let alices = vec![leg(1, LegKind::Focus), leg(2, LegKind::Chat)];
    assert_eq!(
        standing.members,
        [
            member("alice", Role::Presenter, 1, 1, alices),
            member("bob", Role::Attendee, 3, 0, vec![leg(3, LegKind::Chat)]),
        ]
    );
    let carols = vec![leg(4, LegKind::Focus)];
    assert_eq!(standing.waiting, [member("carol", Role::Attendee, 4, 0, carols)]);
    assert_eq!(standing.invited, [(aor("bob"), Role::Attendee)]);

    let eject = Input::Command { by: None, command: Command::Eject { who: aor("bob") } };
    take(&mut conference, later(6), eject);
    let summary = ConferenceSummary::from(&conference);
    assert_eq!((summary.members, summary.peak), (1, 2));
}

/// Limit `conferences_listed_max`.
#[test]
fn a_list_has_the_conferences_with_the_most_members() {
    let conferences: Vec<Conference> = (0..10)
        .map(|id| {
            let mut conference = conference(id);
            // Two have one member each, the last three two.
            for (index, name) in ["alice", "bob"].iter().enumerate() {
                if id >= [5, 7][index] {
                    join(&mut conference, MADE, name, index as u32, LegKind::Chat);
                }
            }
            conference
        })
        .collect();
    let listed = |list: &ConferenceList| {
        let ids: Vec<u128> = list.conferences.iter().map(|one| one.id.0).collect();
        (list.total, ids)
    };
    let of =
        |range: std::ops::Range<usize>, max| ConferenceList::of(conferences[range].iter(), max);
    assert_eq!(listed(&of(0..10, 20)), (10, vec![7, 8, 9, 5, 6, 0, 1, 2, 3, 4]));
    assert_eq!(listed(&of(0..10, 4)), (10, vec![7, 8, 9, 5]));
    assert_eq!(listed(&of(0..10, 0)), (10, vec![]));
    assert_eq!(listed(&of(0..0, 4)), (0, vec![]));

    // Put together from those of three shards it is the same.
    let mut list = ConferenceList::default();
    for range in [3..8, 0..3, 8..10] {
        list.merge(of(range, 4), 4);
    }
    assert_eq!(list, of(0..10, 4));
}
