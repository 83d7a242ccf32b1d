//! The machine beside the model, over random lists of what may happen to it.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;

use super::super::*;
use super::model::{Model, take};
use super::steps::{Step, WATCHERS, any_member_change, any_step, any_watch};
use crate::presence::publication::Life;
use crate::presence::samples::{SEEN, card, conn, everything, note, now, states, watch};
use crate::presence::state::StateKind;

/// Takes steps beside the model; a second later everybody has been told everything.
pub fn run(steps: Vec<Step>) {
    let mut presentity = Presentity::new(now(), card());
    let mut model = Model::new(&presentity);
    let mut time = now();
    for step in steps {
        take(step, &mut time, &mut presentity, &mut model);
    }
    take(Step::Pass(1_000), &mut time, &mut presentity, &mut model);
    assert!(presentity.untold.iter().all(|untold| untold.is_empty()));
}

proptest! {
    /// Documents are as the model says, versions never go back, nobody is at a wrong level, and
    /// whoever has been told everything sees exactly the view of his level.
    #[test]
    fn behaves_as_the_model(steps in prop::collection::vec(any_step(), 0..60)) {
        run(steps);
    }

    /// Whatever is published, no view holds a text that its level may not read.
    #[test]
    fn no_view_holds_a_field_above_its_level(
        mask in any::<u128>(),
        chosen in select(vec![3500, 6500, 9500, 18_500]),
        steps in prop::collection::vec((0..WATCHERS.len(), any_member_change(),
            select(ContainerId::LEVELS.to_vec())), 0..12),
        watches in prop::collection::vec(any_watch(), 1..6),
    ) {
        let limits = Limits::default();
        let mut alice = Presentity::new(now(), card());
        alice.endpoint_added(now(), conn(0), &limits);
        let mut operations: Vec<Operation> = (0..).zip(everything(Life::Static))
            .filter(|(at, _)| mask >> (at % 128) & 1 == 1)
            .map(|(_, operation)| operation)
            .collect();
        operations.extend(states(StateKind::User, Life::Static, chosen));
        alice.publish(now(), operations, &limits).unwrap();
        for watch in watches {
            alice.watch(watch, true, &limits).unwrap();
        }
        for (_, change, container) in steps {
            let version = alice.containers().find(|one| one.id == container).unwrap().version;
            let changes = [MembersChange { container, version, steps: vec![change] }];
            alice.set_members(&changes, &limits).unwrap();
            for one in alice.watches() {
                let watch = one.watch();
                let level = alice.level_of(&watch.watcher, watch.relation, watch.is_contact);
                prop_assert_eq!(level, one.level());
                let text = format!("{:?}", alice.view(level));
                for (marker, levels) in SEEN {
                    prop_assert!(
                        levels.contains(&level.0) || !text.contains(&format!("\"{marker}\"")),
                        "{} in {:?}", marker, level
                    );
                }
            }
        }
    }

    /// Between two notices lies the window; the first of a burst does not wait, and the last word
    /// arrives within a window after it was said.
    #[test]
    fn bursts_merge_and_nothing_is_lost(gaps in prop::collection::vec(0u64..250, 1..40)) {
        let limits = Limits::default();
        let window = limits.presence_damping_time.as_millis() as u64;
        let mut alice = Presentity::new(now(), card());
        alice.watch(watch(1, "bob@example.test"), false, &limits).unwrap();
        let (mut time, mut told_at) = (now(), None::<u64>);
        let mut heard: Option<String> = None;
        let mut said: Option<(u64, String)> = None;
        for (at, gap) in gaps.into_iter().chain([1_000]).enumerate() {
            let until = time.plus(Duration::from_millis(gap));
            // The caller wakes the machine when it asks for it.
            while let Some(due) = alice.next_deadline().filter(|due| until.reached(*due)) {
                time = time.plus(Duration::from_millis(due.0 - time.mono_ms));
                alice.expire(time, &limits);
                hear(&mut alice, time, window, &mut told_at, &mut heard);
            }
            time = until;
            let said_before = said.clone();
            let text = format!("note {at}");
            let is_quiet = told_at.is_none_or(|told_at| time.mono_ms >= told_at + window);
            alice.publish(time, vec![note(200, &text)], &limits).unwrap();
            if let Some((said_at, before)) = said_before.filter(|said| time.mono_ms >= said.0 + window) {
                prop_assert_eq!(heard.as_ref(), Some(&before), "said at {}", said_at);
            }
            hear(&mut alice, time, window, &mut told_at, &mut heard);
            prop_assert_eq!(heard.as_ref() == Some(&text), is_quiet);
            said = Some((time.mono_ms, text));
        }
    }
}

/// Takes the notices of this moment; there is at most one.
fn hear(
    alice: &mut Presentity,
    time: Now,
    window: u64,
    told_at: &mut Option<u64>,
    heard: &mut Option<String>,
) {
    while let Some(output) = alice.next_output() {
        if let Output::Notice { container, .. } = output {
            assert!(told_at.is_none_or(|told_at| time.mono_ms >= told_at + window));
            *told_at = Some(time.mono_ms);
            *heard = alice.view(container).notes().next().map(|note| note.text.to_string());
        }
    }
}
