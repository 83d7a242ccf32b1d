//! The contact list.

use super::edit::{Bounds, Change, Contact, Delta, Edit, EditError, Row};
use super::group::{Group, GroupId, Groups};
use super::packed::Packed;
use crate::base::aor::Aor;
use crate::base::plain_text::is_plain_text;

/// The name by which clients know "Other Contacts".
const OTHERS_NAME: &str = "~";

/// The contacts and groups of a user. Memory: 32 octets and the texts for each contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactList {
    /// All but "Other Contacts", by number.
    groups: Vec<Group>,
    /// By address.
    contacts: Vec<Packed>,
    number: u32,
}

impl Default for ContactList {
    fn default() -> Self {
        ContactList { groups: Vec::new(), contacts: Vec::new(), number: 1 }
    }
}

impl ContactList {
    /// Applies `edit`, all of it or nothing. Which number of the list the client knew does not
    /// matter: an edit says whole contacts and groups, so it means the same on any list, and the
    /// client counts on even when it missed a change.
    pub fn apply(&mut self, edit: Edit, bounds: &Bounds) -> Result<Delta, EditError> {
        let changes = match edit {
            Edit::AddGroup { name, external_uri } => self.add_group(name, external_uri, bounds),
            Edit::DeleteContact(address) => self.delete_contact(address),
            Edit::DeleteGroup(id) => self.delete_group(id),
            Edit::ModifyGroup(group) => self.modify_group(group, bounds),
            Edit::SetContact(contact) => self.set_contact(contact, bounds),
        }?;
        let previous = self.number;
        // A client takes 0 for "no list".
        self.number = previous.checked_add(1).unwrap_or(1);
        if cfg!(debug_assertions) {
            self.check_invariants();
        }
        Ok(Delta { number: self.number, previous, changes })
    }

    /// Takes back a row that was kept: groups before the contacts in them. Bounds do not apply,
    /// for they may have been wider once; a contact no list can hold is left out.
    pub fn restore(&mut self, row: Row) {
        match row {
            Row::DeltaNumber(number) => self.number = number.max(1),
            Row::DeleteContact(address) => {
                if let Ok(index) = self.find(address.as_str()) {
                    self.contacts.remove(index);
                }
            }
            Row::DeleteGroup(id) => {
                self.groups.retain(|group| group.id != id);
                self.leave(id);
            }
            Row::PutContact(mut contact) => {
                contact.groups = or_others(contact.groups.and(self.group_ids()));
                self.put(&contact);
            }
            Row::PutGroup(group) if group.id != GroupId::OTHERS => self.put_group(group),
            Row::PutGroup(_) => {}
        }
    }

    /// Counts the changes; never 0.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The groups by number; "Other Contacts" is the first.
    pub fn groups(&self) -> impl Iterator<Item = Group> {
        let others =
            Group { id: GroupId::OTHERS, name: OTHERS_NAME.into(), external_uri: "".into() };
        std::iter::once(others).chain(self.groups.iter().cloned())
    }

    /// The contacts by address.
    pub fn contacts(&self) -> impl ExactSizeIterator<Item = Contact> {
        self.contacts.iter().map(Packed::contact)
    }

    /// The addresses of the contacts in order.
    pub fn addresses(&self) -> impl ExactSizeIterator<Item = &str> {
        self.contacts.iter().map(Packed::address)
    }

    /// True if `address` (`user@domain`, lower case) is a contact.
    pub fn contains(&self, address: &str) -> bool {
        self.find(address).is_ok()
    }

    /// The contact of that address (`user@domain`, lower case).
    pub fn contact(&self, address: &str) -> Option<Contact> {
        self.find(address).ok().and_then(|index| self.contacts.get(index)).map(Packed::contact)
    }

    /// Panics when the list contradicts itself.
    pub fn check_invariants(&self) {
        assert_ne!(self.number, 0);
        assert!(self.groups.is_sorted_by(|a, b| a.id < b.id));
        assert!(self.groups.iter().all(|group| group.id != GroupId::OTHERS));
        assert!(self.contacts.is_sorted_by(|a, b| a.address() < b.address()));
        let known = self.group_ids();
        for contact in &self.contacts {
            assert!(!contact.groups().is_empty() && known.contains_all(contact.groups()));
        }
    }

    fn add_group(
        &mut self,
        name: Box<str>,
        external_uri: Box<str>,
        bounds: &Bounds,
    ) -> Result<Vec<Change>, EditError> {
        check(&[&name, &external_uri], bounds)?;
        // "Other Contacts" is one of them.
        if self.groups.len() + 1 >= bounds.groups_max {
            return Err(EditError::TooManyGroups);
        }
        let id = self.group_ids().lowest_free().ok_or(EditError::TooManyGroups)?;
        let group = Group { id, name, external_uri };
        self.put_group(group.clone());
        Ok(vec![Change::GroupAdded(group)])
    }

    fn modify_group(&mut self, group: Group, bounds: &Bounds) -> Result<Vec<Change>, EditError> {
        self.check_group(group.id)?;
        check(&[&group.name, &group.external_uri], bounds)?;
        self.put_group(group.clone());
        Ok(vec![Change::GroupModified(group)])
    }

    fn delete_group(&mut self, id: GroupId) -> Result<Vec<Change>, EditError> {
        self.check_group(id)?;
        let left = self.leave(id).into_iter().map(Change::ContactModified);
        let changes = left.chain([Change::GroupDeleted(id)]).collect();
        self.groups.retain(|group| group.id != id);
        Ok(changes)
    }

    fn set_contact(
        &mut self,
        mut contact: Contact,
        bounds: &Bounds,
    ) -> Result<Vec<Change>, EditError> {
        check(&[contact.address.as_str(), &contact.name, &contact.external_uri], bounds)?;
        contact.groups = or_others(contact.groups);
        if !self.group_ids().contains_all(contact.groups) {
            return Err(EditError::UnknownGroup);
        }
        let known = self.contains(contact.address.as_str());
        if !known && self.contacts.len() >= bounds.contacts_max {
            return Err(EditError::TooManyContacts);
        }
        if !self.put(&contact) {
            return Err(EditError::TooLong);
        }
        Ok(vec![match known {
            true => Change::ContactModified(contact),
            false => Change::ContactAdded(contact),
        }])
    }

    fn delete_contact(&mut self, address: Aor) -> Result<Vec<Change>, EditError> {
        let index = self.find(address.as_str()).map_err(|_| EditError::UnknownContact)?;
        self.contacts.remove(index);
        Ok(vec![Change::ContactDeleted(address)])
    }

    /// Adds or replaces; false if the contact cannot be held.
    fn put(&mut self, contact: &Contact) -> bool {
        let Some(packed) = Packed::new(contact) else { return false };
        match self.find(packed.address()) {
            Ok(index) => self.contacts.splice(index..=index, [packed]).for_each(drop),
            Err(index) => {
                // Lists live long and change seldom: little room to spare.
                if self.contacts.len() == self.contacts.capacity() {
                    self.contacts.reserve_exact((self.contacts.len() / 8).max(4));
                }
                self.contacts.insert(index, packed);
            }
        }
        true
    }

    fn put_group(&mut self, group: Group) {
        match self.groups.binary_search_by_key(&group.id, |group| group.id) {
            Ok(index) => self.groups.splice(index..=index, [group]).for_each(drop),
            Err(index) => self.groups.insert(index, group),
        }
    }

    /// Takes `id` from all contacts; returns those that were in it.
    fn leave(&mut self, id: GroupId) -> Vec<Contact> {
        let members = self.contacts.iter_mut().filter(|contact| contact.groups().contains(id));
        members
            .map(|contact| {
                contact.set_groups(or_others(contact.groups().without(id)));
                contact.contact()
            })
            .collect()
    }

    fn find(&self, address: &str) -> Result<usize, usize> {
        self.contacts.binary_search_by(|contact| contact.address().cmp(address))
    }

    /// The group can be changed.
    fn check_group(&self, id: GroupId) -> Result<(), EditError> {
        if id == GroupId::OTHERS {
            return Err(EditError::GroupStays);
        }
        match self.group_ids().contains(id) {
            true => Ok(()),
            false => Err(EditError::UnknownGroup),
        }
    }

    fn group_ids(&self) -> Groups {
        self.groups.iter().fold(Groups::OTHERS, |ids, group| ids.with(group.id))
    }
}

fn or_others(groups: Groups) -> Groups {
    if groups.is_empty() { Groups::OTHERS } else { groups }
}

/// The texts of a contact or group can be kept, and written in XML.
fn check(texts: &[&str], bounds: &Bounds) -> Result<(), EditError> {
    if texts.iter().map(|text| text.len()).sum::<usize>() > bounds.bytes_max {
        return Err(EditError::TooLong);
    }
    match texts.iter().all(|text| is_plain_text(text)) {
        true => Ok(()),
        false => Err(EditError::Text),
    }
}

#[cfg(any(test, fuzzing))]
#[cfg_attr(fuzzing, allow(dead_code, unused_imports))]
pub(super) mod tests;
