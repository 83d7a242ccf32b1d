//! Whom a message goes to, kept so that carrying one costs nothing a member.

use std::sync::Arc;

use super::input::Reach;
use crate::base::aor::Aor;
use crate::base::ids::{LegId, ShardId, Slot};

/// The chat legs of each core, and who is in pager mode.
#[derive(Debug, Default)]
pub(super) struct Recipients {
    /// In the order of the cores; none of them empty.
    cores: Vec<(ShardId, Arc<[Slot]>)>,
    pagers: Vec<Aor>,
}

/// The legs of one core, and the one of them that gets nothing.
pub(super) struct Core {
    pub(super) shard: ShardId,
    pub(super) legs: Arc<[Slot]>,
    pub(super) except: Option<Slot>,
}

impl Recipients {
    /// Adds a chat leg.
    pub(super) fn add(&mut self, reach: &Reach) {
        match reach {
            Reach::Pager(aor) => self.pagers.push(aor.clone()),
            Reach::Leg(leg) => match self.cores.binary_search_by_key(&leg.shard, core_of) {
                Ok(at) => {
                    let legs = &mut self.cores[at].1;
                    *legs = legs.iter().copied().chain([leg.slot]).collect();
                }
                Err(at) => self.cores.insert(at, (leg.shard, [leg.slot].into())),
            },
        }
    }

    /// Takes a chat leg away.
    pub(super) fn remove(&mut self, reach: &Reach) {
        match reach {
            Reach::Pager(aor) => self.pagers.retain(|other| other != aor),
            Reach::Leg(leg) => {
                let Ok(at) = self.cores.binary_search_by_key(&leg.shard, core_of) else { return };
                let legs = &mut self.cores[at].1;
                *legs = legs.iter().copied().filter(|slot| *slot != leg.slot).collect();
                if legs.is_empty() {
                    self.cores.remove(at);
                }
            }
        }
    }

    /// Where to carry what came from `from`: a core with no other leg is left out.
    pub(super) fn cores(&self, from: &Reach) -> impl Iterator<Item = Core> {
        let from = match from {
            Reach::Leg(leg) => Some(*leg),
            Reach::Pager(_) => None,
        };
        self.cores.iter().filter_map(move |(shard, legs)| {
            let except = from.filter(|from| from.shard == *shard).map(|from| from.slot);
            let is_alone = except.is_some_and(|except| **legs == [except]);
            (!is_alone).then(|| Core { shard: *shard, legs: legs.clone(), except })
        })
    }

    /// Who in pager mode gets what came from `from`.
    pub(super) fn pagers(&self, from: &Reach) -> impl Iterator<Item = &Aor> {
        self.pagers.iter().filter(move |aor| !matches!(from, Reach::Pager(from) if from == *aor))
    }

    /// All legs, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Reach> {
        let dialogs = self.cores.iter().flat_map(|(shard, legs)| {
            legs.iter().map(|slot| Reach::Leg(LegId::new(*shard, *slot)))
        });
        dialogs.chain(self.pagers.iter().cloned().map(Reach::Pager))
    }

    /// Panics when a core is listed twice, out of order, or with no leg.
    pub(super) fn check_invariants(&self) {
        assert!(self.cores.is_sorted_by(|(one, _), (next, _)| one < next));
        assert!(self.cores.iter().all(|(_, legs)| !legs.is_empty()));
    }
}

fn core_of((shard, _): &(ShardId, Arc<[Slot]>)) -> ShardId {
    *shard
}
