//! Changes of a user's durable data at his home: made on a copy, written by the store, and only
//! then put in force, answered and told. One at a time for each user: the next one is made on what
//! the last one left.

use std::collections::VecDeque;

use super::Shard;
use super::durable::{NotWritten, Rows, Write};
use super::frame::watch::Service;
use super::operation::ConferenceEdit;
use super::output::Output;
use crate::base::aor::Aor;
use crate::base::ids::Slot;
use crate::base::limits::Limit;
use crate::base::time::Now;
use crate::contacts::{ContactList, Delta};
use crate::dialect::reject::Reject;
use crate::metrics::names::Series;
use crate::presence::category::Category;
use crate::presence::row::Row;
use crate::sip::subscription::Content;

/// What the store is writing.
#[derive(Debug)]
pub(super) enum Pending {
    /// A change of a conference that is kept.
    Conference(ConferenceEdit),
    /// A change of a user's data.
    User(Edit),
}

/// A change of a user's data that the store is writing.
#[derive(Debug)]
pub(super) struct Edit {
    /// Whose data it changes.
    user: Slot,
    /// The request that asked for it, if somebody did.
    service: Option<Service>,
    /// What to do once it is written.
    change: Change,
}

/// What a change puts in force.
#[derive(Debug)]
pub(super) enum Change {
    /// Another contact list, the step to it, and the answer.
    Contacts(Box<ContactList>, Box<Delta>, Content),
    /// Members of containers, or acknowledged subscribers.
    Presence(Vec<Row>),
    /// Nothing: it is in force already, and the answer lists what there is of these categories.
    Published(Vec<Category>),
    /// Nothing: nobody asked for it.
    Nothing,
}

impl Change {
    /// True if the next change of the user is made on what this one leaves.
    fn is_exclusive(&self) -> bool {
        matches!(self, Change::Contacts(..) | Change::Presence(_))
    }

    fn is_published(&self) -> bool {
        matches!(self, Change::Published(_))
    }
}

/// The requests of one user that wait for what the store is writing.
#[derive(Debug, Default)]
pub(super) struct Edits {
    /// An exclusive change is being written.
    writing: bool,
    /// Changes that wait for it.
    waiting: VecDeque<Service>,
    /// Publications being written, in force already and not answered yet.
    publishing: usize,
    /// Publications with a wrong version, and what to answer after those.
    conflicts: Vec<(Service, Content)>,
}

impl Edits {
    fn is_idle(&self) -> bool {
        !self.writing && self.publishing == 0
    }
}

impl Shard {
    /// Starts a change of a user's durable data, or has it wait its turn.
    pub(super) fn edit(&mut self, now: Now, user: Slot, service: Service) {
        let limits = &self.settings.limits;
        let Some(entry) = self.users.get_mut(user) else { return };
        let edits = entry.edits.get_or_insert_default();
        if !edits.writing {
            return self.begin_edit(now, user, service);
        }
        let octets: usize = edits.waiting.iter().map(|waiting| waiting.request.len()).sum();
        if edits.waiting.len() >= limits.edits_waiting_per_user_max
            || octets.saturating_add(service.request.len()) > limits.sip_body_bytes_max
        {
            self.counters.hit(Limit::EditsWaiting);
            return self.refuse_service(&service, Reject::TooManyRequests);
        }
        edits.waiting.push_back(service);
    }

    /// Answers a publication that has a wrong version, after those it came behind. At once, a client
    /// that does not know yet of the versions it has made itself would try again and again.
    pub(super) fn conflict(&mut self, user: Slot, service: Service, fault: Content) {
        let max = self.settings.limits.edits_waiting_per_user_max;
        let edits = self.users.get_mut(user).and_then(|entry| entry.edits.as_deref_mut());
        match edits.filter(|edits| edits.publishing > 0) {
            None => self.answer_service_with(&service, 409, Some(&fault)),
            Some(edits) if edits.conflicts.len() < max => edits.conflicts.push((service, fault)),
            Some(_) => {
                self.counters.hit(Limit::EditsWaiting);
                self.refuse_service(&service, Reject::TooManyRequests);
            }
        }
    }

    /// Hands rows to the store. `change` comes into force when they are written.
    pub(super) fn write(
        &mut self,
        now: Now,
        user: Slot,
        service: Option<Service>,
        rows: Rows,
        change: Change,
    ) {
        let exclusive = change.is_exclusive();
        let published = change.is_published();
        let Some(entry) = self.users.get_mut(user) else { return };
        let aor = Aor::new(&entry.user.aor);
        let ticket = match self.edits.insert(Pending::User(Edit { user, service, change })) {
            Ok(ticket) => ticket,
            Err(Pending::User(Edit { service, change, .. })) => {
                self.counters.hit(Limit::WritesInFlight);
                return self.not_written(now, user, service.as_ref(), change);
            }
            Err(Pending::Conference(_)) => return,
        };
        if exclusive {
            entry.edits.get_or_insert_default().writing = true;
        }
        entry.writes += 1;
        if published {
            entry.edits.get_or_insert_default().publishing += 1;
        }
        self.counters.count(Series::Writes);
        self.outputs.push_back(Output::Write(Write { ticket, aor, rows }));
    }

    /// The store has answered.
    pub(super) fn written(&mut self, now: Now, ticket: Slot, result: Result<(), NotWritten>) {
        let Edit { user, service, change } = match self.edits.remove(ticket) {
            Some(Pending::User(edit)) => edit,
            Some(Pending::Conference(edit)) => return self.conference_written(now, edit, result),
            None => return,
        };
        if let Some(entry) = self.users.get_mut(user) {
            entry.writes = entry.writes.saturating_sub(1);
        }
        let (exclusive, published) = (change.is_exclusive(), change.is_published());
        match (result, service) {
            (Ok(()), Some(service)) => self.put_in_force(now, user, &service, change),
            (Ok(()), None) => {}
            (Err(NotWritten::NoSuchUser), service) => {
                self.refuse_edit(service.as_ref(), Reject::UnknownUser);
            }
            (Err(_), service) => self.not_written(now, user, service.as_ref(), change),
        }
        if published {
            self.publication_answered(user);
        }
        if exclusive {
            self.next_edit(now, user);
        }
    }

    /// Answers what waited for a publication to be answered, if that was the last one.
    fn publication_answered(&mut self, user: Slot) {
        let Some(entry) = self.users.get_mut(user) else { return };
        let Some(edits) = entry.edits.as_mut() else { return };
        edits.publishing = edits.publishing.saturating_sub(1);
        if edits.publishing > 0 {
            return;
        }
        let conflicts = std::mem::take(&mut edits.conflicts);
        if edits.is_idle() && edits.waiting.is_empty() {
            entry.edits = None;
        }
        for (service, fault) in conflicts {
            self.answer_service_with(&service, 409, Some(&fault));
        }
    }

    fn put_in_force(&mut self, now: Now, user: Slot, service: &Service, change: Change) {
        match change {
            Change::Contacts(list, delta, answer) => {
                if let Some(entry) = self.users.get_mut(user) {
                    entry.contacts = *list;
                }
                self.answer_service(service, Some(&answer));
                self.tell_contacts(user, &delta);
                self.contacts_changed(now, user, &delta);
            }
            Change::Presence(rows) => {
                self.answer_service(service, None);
                if let Some(presentity) = self.presentity(now, user) {
                    presentity.commit(rows);
                }
                self.presence_changed(now, user, None);
            }
            Change::Published(categories) => {
                self.answer_publisher(now, user, service, &categories);
            }
            Change::Nothing => {}
        }
    }

    /// The store could not write. What was published is in force all the same, and all but its
    /// publisher were told.
    fn not_written(&mut self, now: Now, user: Slot, service: Option<&Service>, change: Change) {
        self.refuse_edit(service, Reject::StoreBusy);
        if let (Change::Published(categories), Some(service)) = (change, service) {
            self.tell_publisher(now, user, &categories, service.conn);
        }
    }

    fn refuse_edit(&mut self, service: Option<&Service>, reject: Reject) {
        if let Some(service) = service {
            self.refuse_service(service, reject);
        }
    }

    /// Begins what waited for its turn.
    pub(super) fn next_edit(&mut self, now: Now, user: Slot) {
        loop {
            let Some(entry) = self.users.get_mut(user) else { return };
            let Some(edits) = entry.edits.as_mut() else { return };
            edits.writing = false;
            let Some(service) = edits.waiting.pop_front() else {
                if edits.is_idle() {
                    entry.edits = None;
                }
                return;
            };
            self.begin_edit(now, user, service);
            let writing = |edits: &Edits| edits.writing;
            if self.users.get(user).and_then(|entry| entry.edits.as_deref()).is_some_and(writing) {
                return;
            }
        }
    }
}
