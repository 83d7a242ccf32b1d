use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::base::limits::Limits;

fn id(number: u32) -> GroupId {
    GroupId::new(number).unwrap()
}

fn contact(address: &str, name: &str, groups: &[u32]) -> Contact {
    Contact {
        address: Aor::new(address),
        name: name.into(),
        groups: groups.iter().copied().map(id).collect(),
        subscribed: true,
        external_uri: "".into(),
    }
}

fn set(address: &str, name: &str, groups: &[u32]) -> Edit {
    Edit::SetContact(contact(address, name, groups))
}

fn add_group(name: &str) -> Edit {
    Edit::AddGroup { name: name.into(), external_uri: "".into() }
}

fn group(number: u32, name: &str) -> Group {
    Group { id: id(number), name: name.into(), external_uri: "".into() }
}

fn apply(list: &mut ContactList, edit: Edit) -> Result<Delta, EditError> {
    list.apply(edit, &Bounds::new(&Limits::default()))
}

const BOB: &str = "bob@example.test";

#[test]
fn a_new_list_is_number_1_with_other_contacts_alone() {
    let list = ContactList::default();
    assert_eq!(list.number(), 1);
    assert_eq!(list.groups().collect::<Vec<_>>(), [group(1, "~")]);
    assert_eq!(list.contacts().len(), 0);
}

/// The edits of the transcript `contact-ops`.
#[test]
fn every_edit_is_one_step() {
    let mut list = ContactList::default();
    let bobby = |groups: &[u32]| contact(BOB, "Bobby", groups);
    let steps = [
        (add_group("Team"), Change::GroupAdded(group(2, "Team"))),
        (set(BOB, "Bob Boyle", &[2]), Change::ContactAdded(contact(BOB, "Bob Boyle", &[2]))),
        (set(BOB, "Bobby", &[2]), Change::ContactModified(bobby(&[2]))),
        (
            Edit::ModifyGroup(group(2, "Core & Team")),
            Change::GroupModified(group(2, "Core & Team")),
        ),
        (add_group("Others2"), Change::GroupAdded(group(3, "Others2"))),
        (set(BOB, "Bobby", &[3]), Change::ContactModified(bobby(&[3]))),
        (Edit::DeleteContact(Aor::new(BOB)), Change::ContactDeleted(Aor::new(BOB))),
        (Edit::DeleteGroup(id(2)), Change::GroupDeleted(id(2))),
    ];
    for ((edit, change), previous) in steps.into_iter().zip(1..) {
        let delta = Delta { number: previous + 1, previous, changes: vec![change] };
        assert_eq!(apply(&mut list, edit), Ok(delta));
    }
    assert_eq!(list.groups().map(|group| group.id.number()).collect::<Vec<_>>(), [1, 3]);
    assert!(!list.contains(BOB));
}

#[test]
fn a_contact_in_no_group_is_among_the_others() {
    let mut list = ContactList::default();
    apply(&mut list, set("BOB@example.test", "", &[])).unwrap();
    assert_eq!(list.contact(BOB), Some(contact(BOB, "", &[1])));
}

#[test]
fn deleting_a_group_takes_it_from_its_contacts() {
    let mut list = ContactList::default();
    apply(&mut list, add_group("Team")).unwrap();
    apply(&mut list, set("a@example.test", "", &[2])).unwrap();
    apply(&mut list, set("b@example.test", "", &[1])).unwrap();
    apply(&mut list, add_group("Friends")).unwrap();
    apply(&mut list, set("c@example.test", "", &[2, 3])).unwrap();
    let delta = apply(&mut list, Edit::DeleteGroup(id(2))).unwrap();
    assert_eq!(
        delta.changes,
        [
            Change::ContactModified(contact("a@example.test", "", &[1])),
            Change::ContactModified(contact("c@example.test", "", &[3])),
            Change::GroupDeleted(id(2)),
        ]
    );
    assert_eq!(
        delta.rows(),
        [
            Row::PutContact(contact("a@example.test", "", &[1])),
            Row::PutContact(contact("c@example.test", "", &[3])),
            Row::DeleteGroup(id(2)),
            Row::DeltaNumber(7),
        ]
    );
    // The number is free again.
    let delta = apply(&mut list, add_group("New")).unwrap();
    assert_eq!(delta.changes, [Change::GroupAdded(group(2, "New"))]);
    assert_eq!(list.contact("a@example.test"), Some(contact("a@example.test", "", &[1])));
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let mut list = ContactList::default();
    apply(&mut list, set(BOB, "Bob", &[1])).unwrap();
    let before = list.clone();
    for (edit, error) in [
        (Edit::DeleteContact(Aor::new("x@example.test")), EditError::UnknownContact),
        (Edit::DeleteGroup(id(2)), EditError::UnknownGroup),
        (Edit::DeleteGroup(id(1)), EditError::GroupStays),
        (Edit::ModifyGroup(group(1, "x")), EditError::GroupStays),
        (Edit::ModifyGroup(group(64, "x")), EditError::UnknownGroup),
        (set(BOB, "Bob", &[1, 2]), EditError::UnknownGroup),
        (set(BOB, "B\nb", &[1]), EditError::Text),
        (add_group("\u{ffff}"), EditError::Text),
    ] {
        assert_eq!(apply(&mut list, edit), Err(error));
        assert_eq!(error.limit(), None);
        assert_eq!(list, before);
    }
}

#[test]
fn contacts_are_bounded() {
    let limits = Limits { contacts_per_user_max: 2, ..Limits::default() };
    let bounds = Bounds::new(&limits);
    let mut list = ContactList::default();
    for address in ["a@example.test", BOB] {
        list.apply(set(address, "", &[]), &bounds).unwrap();
    }
    let refused = list.apply(set("c@example.test", "", &[]), &bounds);
    assert_eq!(refused, Err(EditError::TooManyContacts));
    assert_eq!(EditError::TooManyContacts.limit().unwrap().name(), "contacts_per_user_max");
    // One that is there can still be changed.
    list.apply(set(BOB, "Bob", &[]), &bounds).unwrap();
    list.apply(Edit::DeleteContact(Aor::new(BOB)), &bounds).unwrap();
    list.apply(set("c@example.test", "", &[]), &bounds).unwrap();
}

#[test]
fn groups_are_bounded_with_other_contacts_among_them() {
    let mut list = ContactList::default();
    for number in 2..=64 {
        let delta = apply(&mut list, add_group("x")).unwrap();
        assert_eq!(delta.changes, [Change::GroupAdded(group(number, "x"))]);
    }
    assert_eq!(apply(&mut list, add_group("x")), Err(EditError::TooManyGroups));
    assert_eq!(EditError::TooManyGroups.limit().unwrap().name(), "contact_groups_per_user_max");
    let wide = Bounds { groups_max: 100, ..Bounds::new(&Limits::default()) };
    assert_eq!(list.apply(add_group("x"), &wide), Err(EditError::TooManyGroups));
}

#[test]
fn texts_are_bounded() {
    let limits = Limits { contact_bytes_max: 20, ..Limits::default() };
    let bounds = Bounds::new(&limits);
    let mut list = ContactList::default();
    list.apply(set(BOB, "Bobb", &[]), &bounds).unwrap();
    assert_eq!(list.apply(set(BOB, "Bobby", &[]), &bounds), Err(EditError::TooLong));
    list.apply(add_group(&"x".repeat(20)), &bounds).unwrap();
    assert_eq!(list.apply(add_group(&"x".repeat(21)), &bounds), Err(EditError::TooLong));
    let long = group(2, &"x".repeat(21));
    assert_eq!(list.apply(Edit::ModifyGroup(long), &bounds), Err(EditError::TooLong));
    assert_eq!(EditError::TooLong.limit().unwrap().name(), "contact_bytes_max");
}

#[test]
fn the_number_is_never_0() {
    let mut list = ContactList::default();
    list.restore(Row::DeltaNumber(u32::MAX));
    assert_eq!(apply(&mut list, add_group("x")).unwrap().number, 1);
    list.restore(Row::DeltaNumber(0));
    assert_eq!(list.number(), 1);
}

#[test]
fn rows_that_contradict_each_other_make_a_sound_list() {
    let mut list = ContactList::default();
    list.restore(Row::PutContact(contact(BOB, "", &[9])));
    list.restore(Row::PutContact(contact("b@example.test", &"x".repeat(70_000), &[1])));
    list.restore(Row::PutGroup(group(1, "mine")));
    list.restore(Row::DeleteContact(Aor::new("nobody@example.test")));
    list.restore(Row::DeleteGroup(id(5)));
    list.check_invariants();
    assert_eq!(list.contacts().collect::<Vec<_>>(), [contact(BOB, "", &[1])]);
    assert_eq!(list.groups().collect::<Vec<_>>(), [group(1, "~")]);
}

/// A list as one would write it down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Model {
    groups: BTreeMap<u32, String>,
    contacts: BTreeMap<String, (String, BTreeSet<u32>)>,
    number: u32,
}

impl Model {
    fn of(list: &ContactList) -> Self {
        Model {
            groups: list.groups().map(|group| (group.id.number(), group.name.into())).collect(),
            contacts: list.contacts().map(|contact| Model::entry(&contact)).collect(),
            number: list.number(),
        }
    }

    fn entry(contact: &Contact) -> (String, (String, BTreeSet<u32>)) {
        let groups = contact.groups.iter().map(GroupId::number).collect();
        (contact.address.to_string(), (contact.name.to_string(), groups))
    }

    /// What an edit should do; false if it should be refused.
    fn edit(&mut self, edit: &Edit, bounds: &Bounds) -> bool {
        let others = |groups: &mut BTreeSet<u32>| {
            if groups.is_empty() {
                groups.insert(1);
            }
        };
        let done = match edit {
            Edit::AddGroup { name, .. } => {
                let free = (1..=64).find(|number| !self.groups.contains_key(number));
                match free.filter(|_| self.groups.len() < bounds.groups_max) {
                    Some(number) => self.groups.insert(number, name.to_string()).is_none(),
                    None => false,
                }
            }
            Edit::DeleteContact(address) => self.contacts.remove(address.as_str()).is_some(),
            Edit::DeleteGroup(id) if id.number() > 1 => {
                let known = self.groups.remove(&id.number()).is_some();
                for (_, groups) in self.contacts.values_mut() {
                    groups.remove(&id.number());
                    others(groups);
                }
                known
            }
            Edit::ModifyGroup(group) if group.id.number() > 1 => {
                match self.groups.get_mut(&group.id.number()) {
                    Some(name) => {
                        *name = group.name.to_string();
                        true
                    }
                    None => false,
                }
            }
            Edit::DeleteGroup(_) | Edit::ModifyGroup(_) => false,
            Edit::SetContact(contact) => {
                let (address, (name, mut groups)) = Model::entry(contact);
                others(&mut groups);
                let room = self.contacts.contains_key(&address)
                    || self.contacts.len() < bounds.contacts_max;
                let known = groups.iter().all(|number| self.groups.contains_key(number));
                if room && known {
                    self.contacts.insert(address, (name, groups));
                }
                room && known
            }
        };
        self.number += u32::from(done);
        done
    }

    /// What an endpoint makes of a delta.
    fn hear(&mut self, delta: &Delta) {
        assert_eq!(self.number, delta.previous);
        self.number = delta.number;
        for change in &delta.changes {
            match change {
                Change::ContactAdded(contact) => {
                    let (address, rest) = Model::entry(contact);
                    assert_eq!(self.contacts.insert(address, rest), None);
                }
                Change::ContactModified(contact) => {
                    let (address, rest) = Model::entry(contact);
                    assert!(self.contacts.insert(address, rest).is_some());
                }
                Change::ContactDeleted(address) => {
                    assert!(self.contacts.remove(address.as_str()).is_some());
                }
                Change::GroupAdded(group) => {
                    let name = group.name.to_string();
                    assert_eq!(self.groups.insert(group.id.number(), name), None);
                }
                Change::GroupModified(group) => {
                    let name = group.name.to_string();
                    assert!(self.groups.insert(group.id.number(), name).is_some());
                }
                Change::GroupDeleted(id) => {
                    assert!(self.groups.remove(&id.number()).is_some());
                    let member = |(_, groups): &(_, BTreeSet<u32>)| groups.contains(&id.number());
                    assert!(!self.contacts.values().any(member));
                }
            }
        }
    }
}

pub fn an_edit() -> impl Strategy<Value = Edit> {
    let name = prop_oneof!["[a-c]{0,3}", Just("sip:b@example.test".to_owned())];
    let a_group = (1u32..8, name.clone()).prop_map(|(number, name)| group(number, &name));
    let address = "[a-f]@example\\.test";
    prop_oneof![
        2 => name.clone().prop_map(|name| add_group(&name)),
        2 => address.prop_map(|address| Edit::DeleteContact(Aor::new(&address))),
        2 => (1u32..8).prop_map(|number| Edit::DeleteGroup(id(number))),
        1 => a_group.prop_map(Edit::ModifyGroup),
        6 => (address, name, prop::collection::vec(1u32..8, 0..4), any::<bool>()).prop_map(
            |(address, name, groups, subscribed)| {
                Edit::SetContact(Contact { subscribed, ..contact(&address, &name, &groups) })
            }
        ),
    ]
}

/// The list does what the model does; two endpoints that hear the deltas, and a list restored from
/// the rows, have what it has.
pub fn run(edits: Vec<Edit>, later: usize) -> Result<(), TestCaseError> {
    let bounds = Bounds { contacts_max: 4, groups_max: 5, bytes_max: 100 };
    let mut list = ContactList::default();
    let mut model = Model::of(&list);
    let (mut first, mut second) = (model.clone(), None::<Model>);
    let mut kept = ContactList::default();
    for (number, edit) in edits.into_iter().enumerate() {
        if number == later {
            // Signs in now: a whole list instead of the deltas before.
            second = Some(Model::of(&list));
        }
        let expected = model.edit(&edit, &bounds);
        let before = list.clone();
        match list.apply(edit, &bounds) {
            Ok(delta) => {
                prop_assert!(expected);
                first.hear(&delta);
                if let Some(second) = &mut second {
                    second.hear(&delta);
                }
                delta.rows().into_iter().for_each(|row| kept.restore(row));
            }
            Err(_) => {
                prop_assert!(!expected);
                prop_assert_eq!(&list, &before);
            }
        }
        list.check_invariants();
        prop_assert_eq!(&Model::of(&list), &model);
        prop_assert_eq!(&kept, &list);
    }
    prop_assert_eq!(&first, &model);
    if let Some(second) = second {
        prop_assert_eq!(second, model);
    }
    Ok(())
}

proptest! {
    #[test]
    fn all_who_follow_a_list_converge_to_it(
        edits in prop::collection::vec(an_edit(), 0..60),
        later in 0usize..30,
    ) {
        run(edits, later)?;
    }
}
