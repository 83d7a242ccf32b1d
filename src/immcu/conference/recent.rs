//! What was said of late, for those who join; and what those who left have heard of it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::allowance::Allowance;
use super::output::Speech;
use crate::base::aor::Aor;
use crate::base::limits::Limits;
use crate::base::time::Now;

/// Messages by number, the latest last, and members who left since the first of them.
#[derive(Debug, Default)]
pub(super) struct Recent {
    said: VecDeque<Said>,
    octets: usize,
    departed: VecDeque<Departed>,
}

#[derive(Debug)]
struct Said {
    at_ms: u64,
    speech: Arc<Speech>,
}

/// What is remembered of a member who left: should he come back, he hears nothing twice and may say
/// no more than if he had stayed.
#[derive(Debug)]
pub(super) struct Departed {
    pub(super) who: Aor,
    /// The last message that was sent to him.
    pub(super) heard: u64,
    pub(super) allowance: Allowance,
}

impl Recent {
    /// Remembers what is said now.
    pub(super) fn push(&mut self, now: Now, speech: Arc<Speech>, limits: &Limits) {
        self.octets += speech.body.len();
        self.said.push_back(Said { at_ms: now.mono_ms, speech });
        while self.said.len() > limits.conference_recent_messages_max
            || self.octets > limits.conference_recent_bytes_max
            || self.said.front().is_some_and(|said| !is_recent(said, now, limits))
        {
            let Some(said) = self.said.pop_front() else { break };
            self.octets -= said.speech.body.len();
        }
    }

    /// Remembers somebody who leaves; at the bound who left first is forgotten.
    pub(super) fn depart(&mut self, departed: Departed, limits: &Limits) {
        self.departed.push_back(departed);
        while self.departed.len() > limits.conference_members_max {
            self.departed.pop_front();
        }
    }

    /// Somebody comes: what is remembered of him.
    pub(super) fn rejoin(&mut self, who: &Aor) -> Option<Departed> {
        let at = self.departed.iter().position(|departed| departed.who == *who)?;
        self.departed.remove(at)
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Recent::default();
    }

    /// What was said after message `heard`, if it is recent.
    pub(super) fn since(
        &self,
        heard: u64,
        now: Now,
        limits: &Limits,
    ) -> impl Iterator<Item = &Arc<Speech>> {
        self.said
            .iter()
            .filter(move |said| said.speech.number > heard && is_recent(said, now, limits))
            .map(|said| &said.speech)
    }

    /// Panics when more is remembered than may be.
    pub(super) fn check_invariants(&self, limits: &Limits) {
        assert!(self.said.len() <= limits.conference_recent_messages_max);
        assert!(self.octets <= limits.conference_recent_bytes_max);
        assert!(self.departed.len() <= limits.conference_members_max);
        assert_eq!(self.octets, self.said.iter().map(|said| said.speech.body.len()).sum::<usize>());
    }
}

fn is_recent(said: &Said, now: Now, limits: &Limits) -> bool {
    let age_ms = now.mono_ms.saturating_sub(said.at_ms);
    u128::from(age_ms) < limits.conference_recent_time.as_millis()
}
