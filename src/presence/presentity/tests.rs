//! What the machine does, step by step.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::base::ids::{ShardId, Slot};
use crate::presence::publication::{Key, Payload};
use crate::presence::state::{Availability, State, StateKind};

fn now() -> Now {
    Now { mono_ms: 1_000, unix_ms: 1_700_000_000_000 }
}

fn conn(index: u32) -> ConnId {
    ConnId::new(ShardId(0), Slot { index, generation: 1 })
}

fn subscription(index: u32) -> SubscriptionId {
    SubscriptionId::new(ShardId(1), Slot { index, generation: 1 })
}

fn watch(index: u32, watcher: &str) -> Watch {
    Watch {
        subscription: subscription(index),
        watcher: Aor::new(watcher),
        relation: Relation::SameEnterprise,
        is_contact: true,
        categories: CategorySet::ALL,
        format: Format::Categories,
    }
}

fn state(kind: StateKind, container: u32, life: Life, availability: u32) -> Operation {
    let state = State::new(kind, Availability(availability));
    Operation {
        key: Key { category: Category::State, container: ContainerId(container), instance: 7 },
        version: Some(0),
        life,
        payload: Some(Arc::new(Payload {
            meaning: Meaning::State(state),
            source: "<state/>".into(),
        })),
    }
}

fn outputs(presentity: &mut Presentity) -> Vec<Output> {
    presentity.check_invariants();
    std::iter::from_fn(|| presentity.next_output()).collect()
}

#[test]
fn a_publication_is_told_to_watchers_and_own_endpoints() {
    let limits = Limits::default();
    let mut alice = Presentity::new(now(), Card::default());
    alice.watch(watch(1, "bob@example.test"), false, &limits).unwrap();
    alice.endpoint_added(now(), conn(1), &limits);
    assert_eq!(outputs(&mut alice).len(), 2);

    let later = now().plus(Duration::from_secs(1));
    let operations = vec![
        state(StateKind::User, 2, Life::Static, 6500),
        state(StateKind::User, 3, Life::Static, 6500),
    ];
    let published = alice.publish(later, operations, &limits).unwrap();
    assert_eq!(published.touched, [Category::State]);
    assert_eq!(published.rows.len(), 2);
    assert_eq!(
        outputs(&mut alice),
        [
            Output::OwnCategories(vec![Category::State]),
            Output::Notice {
                container: ContainerId::COLLEAGUES,
                format: Format::Categories,
                categories: CategorySet::ALL,
                changed: CategorySet::only(&Category::State),
                watches: vec![subscription(1)],
            }
        ]
    );
    let view = alice.view(ContainerId::COLLEAGUES);
    assert_eq!(view.state().unwrap().availability, Availability::BUSY);
}
