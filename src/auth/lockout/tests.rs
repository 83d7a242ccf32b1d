use super::*;
use proptest::prelude::*;

const TIME: Duration = Duration::from_secs(900);

fn at(mono_ms: u64) -> Now {
    Now { mono_ms, unix_ms: 0 }
}

fn table(failures_max: u32, entries_max: usize) -> Lockout {
    Lockout::new(failures_max, TIME, entries_max, &mut Seed::from_u64(1))
}

#[test]
fn the_failure_that_reaches_the_bound_locks_out() {
    let mut table = table(3, 8);
    assert_eq!(table.failure(at(0), "alice"), None);
    assert_eq!(table.failure(at(10), "alice"), None);
    assert_eq!(table.locked(at(10), "alice"), None);
    assert_eq!(table.failure(at(20), "alice"), Some(Deadline(900_020)));
    assert_eq!(table.locked(at(900_019), "alice"), Some(Deadline(900_020)));
    assert_eq!(table.locked(at(900_020), "alice"), None);
    assert_eq!(table.locked(at(20), "bob"), None);
}

#[test]
fn a_failure_during_a_lock_out_does_not_prolong_it() {
    let mut table = table(1, 8);
    assert_eq!(table.failure(at(0), "alice"), Some(Deadline(900_000)));
    assert_eq!(table.failure(at(800_000), "alice"), Some(Deadline(900_000)));
    assert_eq!(table.failure(at(900_000), "alice"), Some(Deadline(1_800_000)));
}

#[test]
fn failures_of_an_older_window_do_not_count() {
    let mut table = table(2, 8);
    assert_eq!(table.failure(at(0), "alice"), None);
    assert_eq!(table.failure(at(900_000), "alice"), None);
    assert_eq!(table.failure(at(900_001), "alice"), Some(Deadline(1_800_001)));
}

#[test]
fn success_forgets_failures_but_not_a_lock_out() {
    let mut table = table(2, 8);
    table.failure(at(0), "alice");
    table.success(at(1), "alice");
    assert!(table.is_empty());
    assert_eq!(table.failure(at(2), "alice"), None);
    assert!(table.failure(at(3), "alice").is_some());
    table.success(at(4), "alice");
    assert!(table.locked(at(5), "alice").is_some());
}

#[test]
fn at_the_bound_the_oldest_leaves() {
    let mut table = table(1, 2);
    table.failure(at(0), "a");
    table.failure(at(1), "b");
    table.failure(at(2), "c");
    assert_eq!(table.len(), 2);
    assert_eq!(table.locked(at(3), "a"), None);
    assert!(table.locked(at(3), "b").is_some());
    assert!(table.locked(at(3), "c").is_some());
    assert_eq!((table.take_evicted(), table.take_evicted()), (1, 0));
}

#[test]
fn nobody_is_locked_out_without_a_bound() {
    let mut table = table(0, 2);
    assert!((0..100).all(|i| table.failure(at(i), "alice").is_none()));
    assert_eq!(table.locked(at(100), "alice"), None);
    assert!(table.is_empty());
}

#[test]
fn an_address_of_ipv6_stands_for_its_network() {
    let network = |text: &str| network(text.parse().unwrap());
    assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2:ffff::1"));
    assert_ne!(network("2001:db8:1:2::"), network("2001:db8:1:3::"));
    assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
}

/// The rules again, in the plainest form: a list in the order the windows opened.
#[derive(Default)]
struct Model(Vec<(u8, u32, u64)>);

impl Model {
    fn locked(&self, now: u64, key: u8, failures_max: u32) -> Option<Deadline> {
        self.0
            .iter()
            .find(|entry| entry.0 == key && entry.1 >= failures_max && now < entry.2)
            .map(|entry| Deadline(entry.2))
    }

    fn failure(&mut self, now: u64, key: u8, failures_max: u32, entries_max: usize) {
        if self.locked(now, key, failures_max).is_some() {
            return;
        }
        self.0.retain(|entry| entry.0 != key || now < entry.2);
        if !self.0.iter().any(|entry| entry.0 == key) {
            if self.0.len() == entries_max {
                self.0.remove(0);
            }
            self.0.push((key, 0, now + TIME.as_millis() as u64));
        }
        for entry in self.0.iter_mut().filter(|entry| entry.0 == key) {
            entry.1 += 1;
            if entry.1 == failures_max {
                entry.2 = now + TIME.as_millis() as u64;
            }
        }
    }

    fn success(&mut self, now: u64, key: u8, failures_max: u32) {
        if self.locked(now, key, failures_max).is_none() {
            self.0.retain(|entry| entry.0 != key);
        }
    }
}

proptest! {
    #[test]
    fn behaves_as_the_model(
        failures_max in 1u32..4,
        entries_max in 1usize..6,
        steps in proptest::collection::vec((0u8..3, 0u8..8, 0u64..600_000), 0..300),
    ) {
        let mut table = table(failures_max, entries_max);
        let mut model = Model::default();
        let mut now = 0;
        for (step, key, pause) in steps {
            match step {
                0 => {
                    table.success(at(now), key);
                    model.success(now, key, failures_max);
                }
                1 => now += pause,
                _ => {
                    let said = table.failure(at(now), key);
                    model.failure(now, key, failures_max, entries_max);
                    prop_assert_eq!(said, model.locked(now, key, failures_max));
                }
            }
            for key in 0..8 {
                let expected = model.locked(now, key, failures_max);
                prop_assert_eq!(table.locked(at(now), key), expected);
            }
            prop_assert_eq!(table.len(), model.0.len());
            table.check_invariants();
        }
    }
}
