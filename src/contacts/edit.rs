//! What may be asked of a contact list, what comes of it, and what is kept.

use super::group::{Group, GroupId, Groups};
use crate::base::aor::Aor;
use crate::base::limits::{Limit, Limits};

/// A contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Whom it names.
    pub address: Aor,
    /// What the user calls him; empty for the name on his own card.
    pub name: Box<str>,
    /// The groups it is in; never none within a list.
    pub groups: Groups,
    /// Whether the user wants to see his presence.
    pub subscribed: bool,
    /// A URI the client keeps with it; we only carry it.
    pub external_uri: Box<str>,
}

/// A wish of the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// A new group, to be given a number.
    AddGroup {
        /// Its name.
        name: Box<str>,
        /// Its URI.
        external_uri: Box<str>,
    },
    /// Forget a contact.
    DeleteContact(Aor),
    /// Forget a group; its contacts stay.
    DeleteGroup(GroupId),
    /// Another name for a group.
    ModifyGroup(Group),
    /// Add a contact, or replace the one of that address. In no group means in "Other Contacts".
    SetContact(Contact),
}

/// How much a list may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Contacts.
    pub contacts_max: usize,
    /// Groups, "Other Contacts" included; 64 at most, whatever stands here.
    pub groups_max: usize,
    /// Octets of address, name and external URI of a contact, or of a group.
    pub bytes_max: usize,
}

impl Bounds {
    /// Those of the server; a policy may set its own.
    pub fn new(limits: &Limits) -> Self {
        Bounds {
            contacts_max: limits.contacts_per_user_max,
            groups_max: limits.contact_groups_per_user_max,
            bytes_max: limits.contact_bytes_max,
        }
    }
}

/// One step of a list from one state to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    /// The number of the list after it.
    pub number: u32,
    /// The number before.
    pub previous: u32,
    /// What changed, in the order to apply it; at least one.
    pub changes: Vec<Change>,
}

/// A part of a [`Delta`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new contact.
    ContactAdded(Contact),
    /// A contact that is gone.
    ContactDeleted(Aor),
    /// A contact that is different now.
    ContactModified(Contact),
    /// A new group.
    GroupAdded(Group),
    /// A group that is gone.
    GroupDeleted(GroupId),
    /// A group that is different now.
    GroupModified(Group),
}

/// What is kept of a list, row by row. A row replaces the earlier one of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// The number of the list; one a list.
    DeltaNumber(u32),
    /// The contact of this address is gone.
    DeleteContact(Aor),
    /// The group of this number is gone.
    DeleteGroup(GroupId),
    /// A contact; its address is the key.
    PutContact(Contact),
    /// A group; its number is the key.
    PutGroup(Group),
}

impl Delta {
    /// What the store has to write for it, all or nothing.
    pub fn rows(&self) -> Vec<Row> {
        let row = |change: &Change| match change {
            Change::ContactAdded(contact) | Change::ContactModified(contact) => {
                Row::PutContact(contact.clone())
            }
            Change::ContactDeleted(address) => Row::DeleteContact(address.clone()),
            Change::GroupAdded(group) | Change::GroupModified(group) => {
                Row::PutGroup(group.clone())
            }
            Change::GroupDeleted(id) => Row::DeleteGroup(*id),
        };
        self.changes.iter().map(row).chain([Row::DeltaNumber(self.number)]).collect()
    }
}

/// Why an edit is refused; the list is as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum EditError {
    /// "Other Contacts" can be neither deleted nor renamed.
    #[error("this group stays")]
    GroupStays,
    /// A name or URI has a control character.
    #[error("control characters are not allowed")]
    Text,
    /// A contact or group longer than `contact_bytes_max`.
    #[error("the contact or group is too long")]
    TooLong,
    /// `contacts_per_user_max` is reached.
    #[error("the contact list is full")]
    TooManyContacts,
    /// `contact_groups_per_user_max` is reached.
    #[error("there are too many groups")]
    TooManyGroups,
    /// No contact of that address.
    #[error("there is no such contact")]
    UnknownContact,
    /// No group of that number.
    #[error("there is no such group")]
    UnknownGroup,
}

impl EditError {
    /// The limit that was hit, for its counter.
    pub fn limit(self) -> Option<Limit> {
        match self {
            EditError::TooLong => Some(Limit::ContactBytes),
            EditError::TooManyContacts => Some(Limit::Contacts),
            EditError::TooManyGroups => Some(Limit::ContactGroups),
            EditError::GroupStays
            | EditError::Text
            | EditError::UnknownContact
            | EditError::UnknownGroup => None,
        }
    }
}
