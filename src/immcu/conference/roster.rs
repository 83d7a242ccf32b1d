//! Members in the order in which they came, found by address and by leg.

use std::collections::{BTreeMap, HashMap};

use super::input::Reach;
use super::member::{Leg, Member};
use crate::base::aor::Aor;
use crate::base::ids::LegId;

/// Those who are in, or those who wait in the lobby.
#[derive(Debug)]
pub(super) struct Roster {
    next: u64,
    members: BTreeMap<u64, Member>,
    by_aor: BTreeMap<Aor, u64>,
    by_leg: HashMap<LegId, u64, ahash::RandomState>,
}

impl Roster {
    /// Nobody.
    pub(super) fn new() -> Self {
        // Legs are named by ourselves: nobody can choose names that collide.
        let hasher = ahash::RandomState::with_seeds(1, 2, 3, 4);
        Roster {
            next: 0,
            members: BTreeMap::new(),
            by_aor: BTreeMap::new(),
            by_leg: HashMap::with_hasher(hasher),
        }
    }

    /// Puts somebody new at the end, with his legs.
    pub(super) fn insert(&mut self, member: Member) {
        debug_assert!(!self.by_aor.contains_key(&member.aor));
        let place = self.next;
        self.next += 1;
        self.by_aor.insert(member.aor.clone(), place);
        self.by_leg.extend(member.legs.iter().filter_map(|leg| Some((dialog(&leg.reach)?, place))));
        self.members.insert(place, member);
    }

    /// Takes somebody out, with his legs.
    pub(super) fn remove(&mut self, who: &Aor) -> Option<Member> {
        let place = self.by_aor.remove(who)?;
        let member = self.members.remove(&place)?;
        for leg in member.legs.iter().filter_map(|leg| dialog(&leg.reach)) {
            self.by_leg.remove(&leg);
        }
        Some(member)
    }

    /// Gives somebody another leg.
    pub(super) fn add_leg(&mut self, who: &Aor, leg: Leg) {
        let Some(place) = self.by_aor.get(who).copied() else { return };
        let Some(member) = self.members.get_mut(&place) else { return };
        self.by_leg.extend(dialog(&leg.reach).map(|dialog| (dialog, place)));
        member.legs.push(leg);
    }

    /// Takes a leg away; whose it was may have none left, and stays until he is removed.
    pub(super) fn remove_leg(&mut self, reach: &Reach) -> Option<(&mut Member, Leg)> {
        let place = self.place(reach)?;
        let member = self.members.get_mut(&place)?;
        let at = member.legs.iter().position(|leg| leg.reach == *reach)?;
        let leg = member.legs.remove(at);
        if let Some(dialog) = dialog(reach) {
            self.by_leg.remove(&dialog);
        }
        Some((member, leg))
    }

    /// Somebody, by address.
    pub(super) fn get_mut(&mut self, who: &Aor) -> Option<&mut Member> {
        self.members.get_mut(self.by_aor.get(who)?)
    }

    /// Whose leg it is.
    pub(super) fn at_mut(&mut self, reach: &Reach) -> Option<&mut Member> {
        let place = self.place(reach)?;
        self.members.get_mut(&place)
    }

    /// Takes out all, in the order in which they came.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Member> + use<> {
        self.by_aor.clear();
        self.by_leg.clear();
        std::mem::take(&mut self.members).into_values()
    }

    /// Somebody, by address.
    pub(super) fn get(&self, who: &Aor) -> Option<&Member> {
        self.members.get(self.by_aor.get(who)?)
    }

    /// Whose leg it is.
    pub(super) fn at(&self, reach: &Reach) -> Option<&Member> {
        self.members.get(&self.place(reach)?)
    }

    /// All, in the order in which they came.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// True when there is nobody.
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// True if somebody is reached by a dialog.
    pub(super) fn has_dialogs(&self) -> bool {
        !self.by_leg.is_empty()
    }

    /// Panics when what finds a member does not find exactly that member.
    pub(super) fn check_invariants(&self) {
        assert_eq!(self.by_aor.len(), self.members.len());
        let mut dialogs = 0;
        for (place, member) in &self.members {
            assert!(*place < self.next);
            assert_eq!(self.by_aor.get(&member.aor), Some(place));
            assert!(!member.legs.is_empty(), "{} without a leg", member.aor);
            for (at, leg) in member.legs.iter().enumerate() {
                assert!(member.legs.iter().skip(at + 1).all(|other| other.reach != leg.reach));
                match &leg.reach {
                    Reach::Leg(dialog) => {
                        dialogs += 1;
                        assert_eq!(self.by_leg.get(dialog), Some(place));
                    }
                    Reach::Pager(aor) => assert_eq!(*aor, member.aor),
                }
            }
        }
        assert_eq!(self.by_leg.len(), dialogs);
    }

    fn place(&self, reach: &Reach) -> Option<u64> {
        match reach {
            Reach::Leg(dialog) => self.by_leg.get(dialog).copied(),
            Reach::Pager(aor) => {
                let place = self.by_aor.get(aor)?;
                self.members.get(place)?.leg(reach).map(|_| *place)
            }
        }
    }
}

fn dialog(reach: &Reach) -> Option<LegId> {
    match reach {
        Reach::Leg(dialog) => Some(*dialog),
        Reach::Pager(_) => None,
    }
}
