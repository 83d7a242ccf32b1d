//! What an endpoint knows of its own user: publications, containers, who added him, contacts.

use std::collections::{BTreeMap, BTreeSet};

use mynah::shard::question::{Contacts, Presence};

use super::book::{Key, key_of};
use super::reading::{attribute, elements, number, user};

/// What it was told as roaming-self, and by the answers to what it published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// Versions of what is published.
    pub versions: BTreeMap<Key, u32>,
    /// Versions and users of containers.
    pub containers: BTreeMap<u32, (u32, BTreeSet<String>)>,
    /// Who added the user, and whether he has seen it.
    pub subscribers: BTreeMap<String, bool>,
}

impl Own {
    /// Takes a document. An instance of a category in it means that all are in it.
    pub fn take(&mut self, body: &str) {
        let listed = elements(body, "categories");
        let listed: Vec<_> =
            listed.iter().flat_map(|(_, inner)| elements(inner, "category")).collect();
        for (tag, _) in &listed {
            self.versions.retain(|key, _| key.0 != attribute(tag, "name"));
        }
        for (tag, inner) in
            listed.into_iter().filter(|(tag, _)| !attribute(tag, "version").is_empty())
        {
            let name = attribute(tag, "name").to_owned();
            let key = (name, number(tag, "container"), number(tag, "instance"));
            if !inner.contains("xsi:type=\"aggregateState\"") {
                self.versions.insert(key, number(tag, "version"));
            }
        }
        for (tag, inner) in elements(body, "container") {
            let members = elements(inner, "member").into_iter();
            let users = members.filter(|(tag, _)| attribute(tag, "type") == "user");
            let users = users.map(|(tag, _)| user(attribute(tag, "value"))).collect();
            self.containers.insert(number(tag, "id"), (number(tag, "version"), users));
        }
        for (_, inner) in elements(body, "subscribers") {
            self.subscribers.clear();
            for (tag, _) in elements(inner, "subscriber") {
                let seen = attribute(tag, "acknowledged") == "true";
                self.subscribers.insert(user(attribute(tag, "user")), seen);
            }
        }
    }

    /// What the server holds, in the same words.
    pub fn of(held: &Presence) -> Own {
        let version = |one: &mynah::presence::publication::Publication| (key_of(one), one.version);
        let containers = held.containers.iter().map(|container| {
            let users = container.members.iter().filter_map(|member| match member {
                mynah::presence::container::Member::User(aor) => Some(aor.user().to_owned()),
                _ => None,
            });
            (container.id.0, (container.version, users.collect()))
        });
        let subscribers = held.subscribers.iter().map(|(who, seen)| (who.user().to_owned(), *seen));
        Own {
            versions: held.publications.iter().map(version).collect(),
            containers: containers.collect(),
            subscribers: subscribers.collect(),
        }
    }
}

/// The contact list as it was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    number: u32,
    /// A step did not come: until the next whole list this one is not right.
    missed: bool,
    /// Names of groups.
    pub groups: BTreeMap<u32, String>,
    /// Names of contacts and their groups.
    pub contacts: BTreeMap<String, (String, BTreeSet<u32>)>,
}

impl List {
    /// Takes a whole list, or a step from the one it has to the next.
    pub fn take(&mut self, body: &str) {
        for (tag, inner) in elements(body, "contactList") {
            *self = List { number: number(tag, "deltaNum"), ..List::default() };
            self.put(inner, "group", "contact");
        }
        for (tag, inner) in elements(body, "contactDelta") {
            self.missed |= number(tag, "prevDeltaNum") != self.number;
            if self.missed {
                return;
            }
            self.number = number(tag, "deltaNum");
            self.put(inner, "addedGroup", "addedContact");
            self.put(inner, "modifiedGroup", "modifiedContact");
            for (tag, _) in elements(inner, "deletedContact") {
                let who = user(attribute(tag, "uri"));
                assert!(self.contacts.remove(&who).is_some(), "{who} is not there: {body}");
            }
            for (tag, _) in elements(inner, "deletedGroup") {
                assert!(self.groups.remove(&number(tag, "id")).is_some(), "not there: {body}");
            }
        }
    }

    fn put(&mut self, inner: &str, group: &str, contact: &str) {
        for (tag, _) in elements(inner, group) {
            self.groups.insert(number(tag, "id"), attribute(tag, "name").to_owned());
        }
        for (tag, _) in elements(inner, contact) {
            let groups = attribute(tag, "groups").split(' ');
            let groups = groups.map(|group| group.parse().expect("a group")).collect();
            let named = (attribute(tag, "name").to_owned(), groups);
            self.contacts.insert(user(attribute(tag, "uri")), named);
        }
    }

    /// What the server holds, in the same words.
    pub fn of(held: &Contacts) -> List {
        let groups = held.groups.iter().map(|group| (group.id.number(), group.name.to_string()));
        let contacts = held.contacts.iter().map(|contact| {
            let groups = contact.groups.iter().map(|group| group.number()).collect();
            (contact.address.user().to_owned(), (contact.name.to_string(), groups))
        });
        List {
            number: held.number,
            missed: false,
            groups: groups.collect(),
            contacts: contacts.collect(),
        }
    }
}
