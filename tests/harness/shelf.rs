//! Stands in for the store: keeps rows in memory, late or not at all when a test wants it so.

use std::collections::{BTreeMap, VecDeque};

use mynah::base::aor::Aor;
use mynah::base::ids::{ConferenceId, Slot};
use mynah::contacts;
use mynah::immcu::conference::Description;
use mynah::presence::category::Category;
use mynah::presence::container::ContainerId;
use mynah::presence::publication::Key;
use mynah::presence::row;
use mynah::shard::durable::{ConferenceWrite, NotWritten, Rows, Write};

/// Rows of users, conferences, and the writes of shards that are not answered.
#[derive(Default)]
pub struct Shelf {
    kept: BTreeMap<Aor, Kept>,
    conferences: BTreeMap<ConferenceId, Description>,
    waiting: VecDeque<(u16, Waiting)>,
    /// All that was ever written, in order.
    pub log: Vec<(Aor, Rows)>,
    /// Writes wait until the test has them answered one by one.
    pub held: bool,
    /// Every write fails so.
    pub fails: Option<NotWritten>,
}

/// A write that is not answered.
enum Waiting {
    Conference(ConferenceWrite),
    User(Write),
}

/// What is kept of one user, by key.
#[derive(Default)]
struct Kept {
    delta: Option<u32>,
    groups: BTreeMap<u32, contacts::Group>,
    contacts: BTreeMap<Aor, contacts::Contact>,
    floor: u32,
    publications: BTreeMap<Key, row::Row>,
    containers: BTreeMap<ContainerId, row::Row>,
    subscribers: BTreeMap<Aor, bool>,
}

/// An answer: the shard that asked, its ticket, and what became of the write.
pub type Answered = (u16, Slot, Result<(), NotWritten>);

impl Shelf {
    /// A shard writes.
    pub fn take(&mut self, shard: u16, write: Write) {
        self.waiting.push_back((shard, Waiting::User(write)));
    }

    /// A shard writes a conference.
    pub fn take_conference(&mut self, shard: u16, write: ConferenceWrite) {
        self.waiting.push_back((shard, Waiting::Conference(write)));
    }

    /// Number of writes that are not answered.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Answers the oldest write; `is_user` says who is in the directory.
    pub fn answer(&mut self, is_user: impl Fn(&Aor) -> bool) -> Option<Answered> {
        let (shard, write) = self.waiting.pop_front()?;
        let is_known = write.owner().is_none_or(is_user);
        let ticket = write.ticket();
        let result = match self.fails {
            Some(why) => Err(why),
            None if !is_known => Err(NotWritten::NoSuchUser),
            None => {
                self.keep(write);
                Ok(())
            }
        };
        Some((shard, ticket, result))
    }

    /// The user is gone, and all that was kept of him.
    pub fn remove(&mut self, aor: &Aor) {
        self.kept.remove(aor);
        self.conferences.retain(|_, conference| conference.organiser != *aor);
    }

    fn keep(&mut self, write: Waiting) {
        match write {
            Waiting::User(Write { aor, rows, .. }) => {
                self.log.push((aor.clone(), rows.clone()));
                self.kept.entry(aor).or_default().write(rows);
            }
            Waiting::Conference(ConferenceWrite { id, row: Some(description), .. }) => {
                self.conferences.insert(id, *description);
            }
            Waiting::Conference(ConferenceWrite { id, row: None, .. }) => {
                self.conferences.remove(&id);
            }
        }
    }

    /// Writes the oldest and is in no hurry to say so: the process dies before it hears.
    pub fn commit_unheard(&mut self) {
        if let Some((_, write)) = self.waiting.pop_front() {
            self.keep(write);
        }
    }

    /// The process dies: what it was not answered is as if it had not been asked.
    pub fn crash(&mut self) {
        self.waiting.clear();
    }

    /// What is kept of a user, as a shard gets it at start.
    pub fn rows(&self, aor: &Aor) -> Vec<Rows> {
        self.kept.get(aor).map(Kept::rows).unwrap_or_default()
    }

    /// The conferences that are kept, as shards get them at start.
    pub fn conferences(&self) -> Vec<Description> {
        self.conferences.values().cloned().collect()
    }
}

impl Waiting {
    fn ticket(&self) -> Slot {
        match self {
            Waiting::Conference(write) => write.ticket,
            Waiting::User(write) => write.ticket,
        }
    }

    /// Who must be in the directory for it to be kept.
    fn owner(&self) -> Option<&Aor> {
        match self {
            Waiting::Conference(write) => write.row.as_ref().map(|row| &row.organiser),
            Waiting::User(write) => Some(&write.aor),
        }
    }
}

impl Kept {
    fn write(&mut self, rows: Rows) {
        match rows {
            Rows::Contacts(rows) => rows.into_iter().for_each(|row| self.contacts_row(row)),
            Rows::Presence(rows) => rows.into_iter().for_each(|row| self.presence_row(row)),
        }
    }

    fn contacts_row(&mut self, row: contacts::Row) {
        match row {
            contacts::Row::DeltaNumber(number) => self.delta = Some(number),
            contacts::Row::DeleteContact(aor) => drop(self.contacts.remove(&aor)),
            contacts::Row::DeleteGroup(id) => drop(self.groups.remove(&id.number())),
            contacts::Row::PutContact(contact) => {
                self.contacts.insert(contact.address.clone(), contact);
            }
            contacts::Row::PutGroup(group) => {
                self.groups.insert(group.id.number(), group);
            }
        }
    }

    fn presence_row(&mut self, row: row::Row) {
        match row {
            row::Row::PutPublication(ref publication) => {
                self.publications.insert(publication.key.clone(), row);
            }
            row::Row::DeletePublication { ref key, .. } => {
                self.publications.insert(key.clone(), row);
            }
            row::Row::Forget { key, floor } => {
                self.publications.remove(&key);
                self.floor = self.floor.max(floor);
            }
            row::Row::PutContainer(ref container) => {
                self.containers.insert(container.id, row);
            }
            row::Row::PutSubscriber { user, acknowledged } => {
                self.subscribers.insert(user, acknowledged);
            }
            row::Row::DeleteSubscriber(user) => drop(self.subscribers.remove(&user)),
        }
    }

    fn rows(&self) -> Vec<Rows> {
        let groups = self.groups.values().cloned().map(contacts::Row::PutGroup);
        let contacts = self.contacts.values().cloned().map(contacts::Row::PutContact);
        let delta = self.delta.map(contacts::Row::DeltaNumber);
        let nobodys =
            Key { category: Category::of(""), container: ContainerId::DEFAULT, instance: 0 };
        let floor =
            (self.floor > 0).then_some(row::Row::Forget { key: nobodys, floor: self.floor });
        let kept = self.publications.values().chain(self.containers.values()).cloned();
        let subscribers = self.subscribers.iter().map(|(user, acknowledged)| {
            row::Row::PutSubscriber { user: user.clone(), acknowledged: *acknowledged }
        });
        vec![
            Rows::Contacts(groups.chain(contacts).chain(delta).collect()),
            Rows::Presence(floor.into_iter().chain(kept).chain(subscribers).collect()),
        ]
    }
}
