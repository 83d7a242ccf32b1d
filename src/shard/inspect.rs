//! What operators ask of a user whose home this is.

use super::Shard;
use super::conference_standing::{ConferenceList, ConferenceStanding};
use super::question::{Answer, Contacts, Endpoint, Presence, Question, Seen, Watcher};
use crate::base::aor::Aor;
use crate::base::limits::Limit;
use crate::base::time::Now;
use crate::presence::container::Relation;

impl Shard {
    /// How somebody stands to this enterprise.
    fn relation_of(&self, who: &Aor) -> Relation {
        match self.serves(who) {
            true => Relation::SameEnterprise,
            false => Relation::Federated,
        }
    }

    /// Answers a question about a user.
    pub(super) fn inspect(&mut self, now: Now, question: &Question) -> Answer {
        let Some(user) = question.user() else { return self.inspect_conferences(question) };
        let Some(slot) = self.users.slot(user) else { return Answer::NoSuchUser };
        if let Question::Presence { .. } = question {
            // Asking makes the document of a user of whom nothing is known yet.
            self.presentity(now, slot);
        }
        let Some(entry) = self.users.get(slot) else { return Answer::NoSuchUser };
        let presentity = entry.presence.as_ref().map(|presence| &presence.presentity);
        match question {
            Question::Conference(_) | Question::Conferences | Question::EndConference(_) => {
                Answer::NoSuchConference
            }
            Question::Contacts(_) => Answer::Contacts(Contacts::from(&entry.contacts)),
            Question::Watchers(_) => {
                let watches = presentity.into_iter().flat_map(|presentity| presentity.watches());
                Answer::Watchers(watches.map(Watcher::from).collect())
            }
            Question::Presence { watcher, .. } => {
                let Some(presentity) = presentity else { return Answer::NoSuchUser };
                let bindings = entry.registrar.bindings(now);
                let endpoints = bindings.map(|binding| Endpoint::new(now, binding)).collect();
                let seen = watcher.as_ref().map(|watcher| {
                    let is_contact = entry.contacts.contains(watcher.as_str());
                    Seen::new(presentity, watcher.clone(), self.relation_of(watcher), is_contact)
                });
                Answer::Presence(Box::new(Presence::new(presentity, endpoints, seen)))
            }
        }
    }

    /// Answers a question about conferences.
    fn inspect_conferences(&mut self, question: &Question) -> Answer {
        match question {
            Question::Conferences => {
                let machines = self.conferences.iter().map(|(_, entry)| &entry.machine);
                let max = self.settings.limits.conferences_listed_max;
                let list = ConferenceList::of(machines, max);
                if list.total > max {
                    self.counters.hit(Limit::ConferencesListed);
                }
                Answer::Conferences(list)
            }
            Question::Conference(id) => match self.conferences.get(*id) {
                Some(entry) => {
                    Answer::Conference(Box::new(ConferenceStanding::from(&entry.machine)))
                }
                None => Answer::NoSuchConference,
            },
            _ => Answer::NoSuchConference,
        }
    }
}
