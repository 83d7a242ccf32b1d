//! What operators ask of a user whose home this is.

use super::Shard;
use super::conference_standing::{ConferenceList, ConferenceStanding};
use super::question::{
    Answer, ConnectionStanding, Contacts, Endpoint, Presence, Question, Seen, Standing, Watcher,
};
use super::session_standing::{SessionList, SessionSummary};
use crate::base::aor::Aor;
use crate::base::ids::ConnId;
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
        match question {
            Question::Standing(user) => {
                return Answer::Standing(Box::new(self.standing(now, user)));
            }
            Question::Refusals(user) => {
                return Answer::Refusals(self.refusals.of(user.as_ref()).cloned().collect());
            }
            Question::Sights { users, level } => {
                let sights = users.iter().map(|user| self.sight(now, user, *level));
                return Answer::Sights(sights.collect());
            }
            Question::Connections(conns) => {
                let known = conns.iter().filter_map(|conn| self.connection_standing(*conn));
                return Answer::Connections(known.collect());
            }
            Question::Endpoints(users) => {
                let known = users.iter().filter_map(|user| {
                    let entry = self.users.get(self.users.slot(user)?)?;
                    Some((user.clone(), entry.registrar.len()))
                });
                return Answer::Endpoints(known.collect());
            }
            Question::Sessions => {
                let sessions = self.sessions.iter().map(|(_, entry)| SessionSummary::from(entry));
                return Answer::Sessions(SessionList::of(sessions, self.sessions.len()));
            }
            _ => {}
        }
        let Some(user) = question.user() else { return self.inspect_conferences(question) };
        let Some(slot) = self.users.slot(user) else { return Answer::NoSuchUser };
        if let Question::Presence { .. } = question {
            // Asking makes the document of a user of whom nothing is known yet.
            self.presentity(now, slot);
        }
        if let Question::SignOut { conn, .. } = question {
            return Answer::SignedOut(self.sign_out(slot, *conn));
        }
        let Some(entry) = self.users.get(slot) else { return Answer::NoSuchUser };
        let presentity = entry.presence.as_ref().map(|presence| &presence.presentity);
        match question {
            Question::Conference(_)
            | Question::Conferences
            | Question::Connections(_)
            | Question::EndConference(_)
            | Question::Endpoints(_)
            | Question::Sessions
            | Question::Sights { .. } => Answer::NoSuchConference,
            Question::Refusals(_) | Question::SignOut { .. } | Question::Standing(_) => {
                Answer::NoSuchUser
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

    /// Whether a user may sign in, and where he has. Who is not in the directory may be locked out
    /// too.
    fn standing(&self, now: Now, user: &Aor) -> Standing {
        let locked = self.failed_users.locked(now, user.as_str());
        let locked_s = locked.map(|until| until.0.saturating_sub(now.mono_ms).div_ceil(1000));
        let entry = self.users.slot(user).and_then(|slot| self.users.get(slot));
        let Some(entry) = entry else { return Standing { locked_s, ..Standing::default() } };
        let bindings = entry.registrar.bindings(now);
        Standing {
            known: true,
            disabled: entry.user.disabled,
            locked_s,
            policy: entry.user.policy.clone(),
            endpoints: bindings.map(|binding| Endpoint::new(now, binding)).collect(),
        }
    }

    fn connection_standing(&self, conn: ConnId) -> Option<ConnectionStanding> {
        let connection = self.connections.get(conn)?;
        Some(ConnectionStanding {
            conn,
            peer: connection.peer,
            origin: connection.origin,
            cipher: connection.cipher,
            since_unix_ms: connection.since_unix_ms,
        })
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
