//! What is said, in the model.

use std::collections::BTreeSet;

use super::{Model, Person};
use crate::base::aor::Aor;
use crate::base::time::Now;
use crate::immcu::conference::*;

/// A message and everybody who has to do with it. Legs go by their numbers.
pub(super) struct Said {
    pub(super) at_ms: u64,
    pub(super) number: u64,
    pub(super) octets: usize,
    pub(super) author: Aor,
    pub(super) from: Reach,
    pub(super) heard_by: BTreeSet<Aor>,
    pub(super) carried: BTreeSet<usize>,
    pub(super) failed: BTreeSet<usize>,
    pub(super) reported: BTreeSet<Aor>,
}

impl Model {
    fn may_speak(&mut self, now: Now, who: &Aor) -> bool {
        let full = u64::from(self.limits.conference_burst_max) * 1000;
        let (left, at_ms) = self.allowances.get(who).copied().unwrap_or((full, now.mono_ms));
        let gained =
            (now.mono_ms - at_ms) * u64::from(self.limits.conference_messages_per_second_max);
        let left = full.min(left + gained);
        let may = left >= 1000;
        let left = if may { left - 1000 } else { left };
        self.allowances.insert(who.clone(), (left, now.mono_ms));
        may
    }

    fn author(&self, reach: &Reach) -> Option<Aor> {
        let speaks = |person: &&Person| {
            person.legs.iter().any(|(leg, kind, _)| leg == reach && *kind == LegKind::Chat)
        };
        self.members.iter().find(speaks).map(|person| person.aor.clone())
    }

    pub(super) fn typing(&mut self, now: Now, reach: &Reach) {
        let Some(author) = self.author(reach) else { return };
        if self.may_speak(now, &author) {
            self.spoken_ms = Some(now.mono_ms);
            self.last_ms = now.mono_ms;
        }
    }

    pub(super) fn say(&mut self, now: Now, reach: Reach, octets: usize) {
        let author = self.author(&reach);
        let refusal = match &author {
            _ if self.over => Some(Refusal::Ended),
            None => Some(Refusal::NotMember),
            _ if octets > self.limits.conference_message_bytes_max => Some(Refusal::TooLong),
            Some(author) if !self.may_speak(now, author) => Some(Refusal::TooFast),
            Some(_) => None,
        };
        let Some(author) = author.filter(|_| refusal.is_none()) else {
            return refusal.into_iter().for_each(|refusal| {
                self.put(Output::Unsaid { reach: reach.clone(), refusal });
            });
        };
        let number = self.messages() + 1;
        self.put(Output::Said { reach: reach.clone(), number });
        self.spoken_ms = Some(now.mono_ms);
        self.last_ms = now.mono_ms;
        let (mut heard_by, mut carried) = (BTreeSet::new(), BTreeSet::new());
        for person in &mut self.members {
            person.messages += u64::from(person.aor == author);
            for (leg, _, opened) in person.legs.iter().filter(|(_, kind, _)| *kind == LegKind::Chat)
            {
                heard_by.insert(person.aor.clone());
                if *leg != reach {
                    carried.insert(*opened);
                    self.words.push(sent(leg, number));
                }
            }
        }
        self.said.push(Said {
            at_ms: now.mono_ms,
            number,
            octets,
            author,
            from: reach,
            heard_by,
            carried,
            failed: BTreeSet::new(),
            reported: BTreeSet::new(),
        });
    }

    pub(super) fn undelivered(&mut self, reach: &Reach, number: u64, status: u16) {
        let present = self.members.iter().flat_map(|person| {
            person.legs.iter().map(|(leg, _, opened)| (leg.clone(), *opened, person.aor.clone()))
        });
        let present: Vec<_> = present.collect();
        let Some(said) = self.said.iter_mut().find(|said| said.number == number) else { return };
        let carried = |legs: &[(Reach, usize, Aor)]| {
            let to = |(leg, opened, _): &&(Reach, usize, Aor)| {
                leg == reach && said.carried.contains(opened)
            };
            legs.iter().rev().find(to).cloned()
        };
        let Some((_, opened, who)) = carried(&present).or_else(|| carried(&self.gone)) else {
            return;
        };
        let author_is_there = present.iter().any(|(leg, _, _)| *leg == said.from);
        if !author_is_there || who == said.author {
            return;
        }
        said.failed.insert(opened);
        let mut others = present.iter().filter(|(_, leg, aor)| {
            *aor == who && said.carried.contains(leg) && !said.failed.contains(leg)
        });
        if others.next().is_none() && said.reported.insert(who.clone()) {
            let reach = said.from.clone();
            self.put(Output::Report { reach, number, recipient: who, status });
        }
    }
}

/// A message is carried to a leg.
pub fn sent(reach: &Reach, number: u64) -> String {
    format!("sent {reach:?} #{number}")
}

/// A message is carried to a leg that was not there when it was said.
pub fn recalled(reach: &Reach, number: u64) -> String {
    format!("recalled {reach:?} #{number}")
}
