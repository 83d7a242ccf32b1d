//! Conferences that the store keeps, and those that operators ask about.

use super::Shard;
use super::conference_standing::ConferenceList;
use super::question::{Answer, Question};
use crate::base::time::Now;
use crate::immcu::conference::Description;

impl Shard {
    /// Takes in a scheduled conference that was kept.
    pub(super) fn put_conference(&mut self, _now: Now, _description: Box<Description>) {}

    /// Answers a question about conferences, or obeys the order in it.
    pub(super) fn inspect_conferences(&mut self, question: &Question) -> Answer {
        match question {
            Question::Conferences => Answer::Conferences(ConferenceList::default()),
            _ => Answer::NoSuchConference,
        }
    }
}
