use crate::clock::Moment;
use crate::profile::Profile;
use crate::scenario::presence::tests::{Faults, Run, counts, only};
use crate::settings::{Dialect, Flow, Plan, Settings};
use crate::stats::{Cause, Operation, Stats};
use crate::world::Slot;

/// Six users, each a contact of all others, who publish ten states a second together.
const PRESENCE: &str = r#"description = "presence"
[registration]
refresh_every = "6s"
own_data = false
[contacts]
classes = [{ users_percent = 100, contacts = 5 }]
internal_percent = 100
batch_max = 3
[publications]
per_hour = 6000
"#;

fn run(faults: Faults, seed: u64, dialect: Dialect) -> (Stats, Vec<(Moment, Slot, String)>) {
    let profile = Profile::parse("presence", PRESENCE, 6).unwrap().spoken(dialect);
    let plan = Box::leak(Box::new(Plan { profile, scale: 1.0, expiry_unix_s: 0 }));
    let change = |settings: &mut Settings| {
        settings.flow = Flow::Profile(plan);
        settings.dialect = dialect;
        settings.seed = seed;
    };
    Run::new(faults, change).record()
}

#[test]
fn every_state_reaches_every_contact() {
    for (dialect, subscriptions) in [(Dialect::Ms, 2), (Dialect::Simple, 5)] {
        let (stats, _) = run(Faults::default(), 1, dialect);
        let (published, failed) = counts(&stats, Operation::Publish);
        assert_eq!((stats.failed(), failed.len()), (0, 0), "{stats:?}");
        assert!(published >= 15, "{published}");
        let (arrived, _) = counts(&stats, Operation::Notify);
        assert_eq!(arrived + stats.seen.merged, published * 5);
        // Of five contacts three are in the first batch and two in the next.
        assert_eq!(counts(&stats, Operation::Subscribe).0, 6 * subscriptions);
        // One for each of six users in six seconds, for two seconds.
        assert_eq!(counts(&stats, Operation::Refresh).0, 2);
    }
}

#[test]
fn a_state_that_does_not_arrive_is_lost() {
    let faults = Faults { drop_from: 3, ..Faults::default() };
    let (stats, _) = run(faults, 1, Dialect::Ms);
    let (published, _) = counts(&stats, Operation::Publish);
    let (arrived, failed) = counts(&stats, Operation::Notify);
    assert_eq!(failed, only(Cause::Undelivered, published * 5 - arrived));
}

#[test]
fn the_same_seed_makes_the_same_octets_at_the_same_moments() {
    let (_, one) = run(Faults::default(), 7, Dialect::Ms);
    let (_, two) = run(Faults::default(), 7, Dialect::Ms);
    let (_, other) = run(Faults::default(), 8, Dialect::Ms);
    assert!(one.len() > 40);
    assert_eq!(one, two);
    let moments = |log: &[(Moment, Slot, String)]| {
        log.iter().map(|(at, slot, _)| (*at, *slot)).collect::<Vec<_>>()
    };
    assert_ne!(moments(&one), moments(&other));
}
