//! What everybody asked for and what came of it, as far as anybody was told: against this the
//! server's document is held at the end.

use std::collections::{BTreeMap, BTreeSet};

use mynah::base::aor::Aor;
use mynah::contacts;
use mynah::presence::container::Member;
use mynah::presence::publication::{Life, Meaning, Publication};
use mynah::presence::row::Row;
use mynah::shard::durable::Rows;
use mynah::shard::question::{Contacts, Presence};

use super::levels::Circle;
use super::reading::elements;
use crate::harness::net::Net;
use crate::stage::USERS;

/// Category, container, instance.
pub type Key = (String, u32, u32);

/// How long a publication lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasting {
    Static,
    Endpoint,
    Seconds(u32),
}

/// A wish to publish one thing.
#[derive(Clone, Debug)]
pub struct Publishing {
    pub user: usize,
    pub key: Key,
    /// The version it rests on; `None` when it rests on an entity tag.
    pub version: Option<u32>,
    pub lasting: Lasting,
    /// A text that occurs nowhere else; `None` deletes.
    pub mark: Option<String>,
    /// The status of the answer, if one came.
    pub status: Option<u16>,
}

/// A wish to change members of containers: container, version, `add` or `remove`, user.
#[derive(Clone, Debug)]
pub struct Moving {
    pub user: usize,
    pub steps: Vec<(u32, u32, bool, String)>,
    pub status: Option<u16>,
}

/// A wish to change a contact list.
#[derive(Clone, Debug)]
pub struct Editing {
    pub user: usize,
    pub edit: Edit,
    /// Length of the store's log when it was sent.
    since: usize,
}

/// What shall change. Names occur nowhere else.
#[derive(Clone, Debug)]
pub enum Edit {
    AddGroup(String),
    DeleteContact(String),
    DeleteGroup(u32),
    RenameGroup(u32, String),
    SetContact(String, String),
    /// Somebody who was added has been seen.
    Acknowledge(String),
}

/// All of it.
#[derive(Default)]
pub struct Book {
    /// What everybody likes to do in this run.
    pub fashion: [u64; 3],
    marks: u64,
    publishings: Vec<Publishing>,
    movings: Vec<Moving>,
    editings: Vec<Editing>,
    /// For each user, whom he had where, from the start on. Changes when the store has written.
    pub circles: Vec<Vec<Circle>>,
    /// Read of the store's log.
    read: usize,
}

impl Book {
    /// A book about so many users.
    pub fn new(users: usize, fashion: [u64; 3]) -> Self {
        Book { fashion, circles: vec![vec![Circle::default()]; users], ..Book::default() }
    }

    /// A text nobody has used before.
    pub fn mark(&mut self, letter: &str) -> String {
        self.marks += 1;
        format!("{letter}{}", self.marks)
    }

    /// Notes a wish to publish.
    pub fn publish(&mut self, publishing: Publishing) -> usize {
        self.publishings.push(publishing);
        self.publishings.len() - 1
    }

    /// A wish to publish.
    pub fn publishing(&self, at: usize) -> &Publishing {
        &self.publishings[at]
    }

    /// It was answered.
    pub fn published(&mut self, at: usize, status: u16) {
        self.publishings[at].status = Some(status);
    }

    /// Notes a wish to change members.
    pub fn change_members(&mut self, moving: Moving) -> usize {
        self.movings.push(moving);
        self.movings.len() - 1
    }

    /// It was answered.
    pub fn moved(&mut self, at: usize, status: u16) {
        self.movings[at].status = Some(status);
    }

    /// Notes a wish to change a contact list.
    pub fn edit(&mut self, net: &Net, user: usize, edit: Edit) -> usize {
        self.editings.push(Editing { user, edit, since: net.shelf.log.len() });
        self.editings.len() - 1
    }

    /// It was answered: done means kept.
    pub fn edited(&self, net: &Net, at: usize, status: u16) {
        if status != 200 {
            return;
        }
        let Editing { user, edit, since } = &self.editings[at];
        let aor = aor(*user);
        let log = net.shelf.log.iter().filter(|(of, _)| *of == aor);
        let late = net.shelf.log[*since..].iter().filter(|(of, _)| *of == aor);
        let kept = match edit {
            // Who was never heard of is not kept.
            Edit::Acknowledge(who) => {
                let last = log.flat_map(|(_, rows)| presence_rows(rows)).rfind(
                    |row| matches!(row, Row::PutSubscriber { user, .. } if user.user() == who),
                );
                !matches!(last, Some(Row::PutSubscriber { acknowledged: false, .. }))
            }
            _ => late.flat_map(|(_, rows)| contact_rows(rows)).any(|row| edit.is_done_by(row)),
        };
        assert!(kept, "{edit:?} of {aor} was answered and is not kept");
    }

    /// Reads what the store has written since.
    pub fn catch_up(&mut self, net: &Net) {
        for (aor, rows) in &net.shelf.log[self.read..] {
            let user = USERS.iter().position(|user| *user == aor.user()).expect("one of us");
            let mut circle = self.circles[user].last().expect("the first").clone();
            for row in presence_rows(rows) {
                if let Row::PutContainer(container) = row {
                    circle.members.insert(container.id.0, users(&container.members));
                }
            }
            for row in contact_rows(rows) {
                match row {
                    contacts::Row::PutContact(contact) => {
                        circle.contacts.insert(contact.address.user().to_owned());
                    }
                    contacts::Row::DeleteContact(who) => {
                        circle.contacts.remove(who.user());
                    }
                    _ => {}
                }
            }
            if self.circles[user].last() != Some(&circle) {
                self.circles[user].push(circle);
            }
        }
        self.read = net.shelf.log.len();
    }

    /// What the server holds of a user is what came of everybody's wishes.
    pub fn check_held(&self, user: usize, held: &Presence) {
        let name = USERS[user];
        for publication in &held.publications {
            self.check_publication(user, publication);
        }
        let mut keys: BTreeSet<&Key> = BTreeSet::new();
        keys.extend(self.publishings.iter().filter(|one| one.user == user).map(|one| &one.key));
        for key in keys {
            let there = held.publications.iter().find(|one| key_of(one) == *key);
            self.check_static(user, key, there);
        }
        let mut now = BTreeMap::new();
        for container in &held.containers {
            now.insert(container.id.0, (container.version, users(&container.members)));
        }
        for (id, (version, members)) in &now {
            let possible = self.possible_members(user, *id, *version);
            assert!(possible.contains(members), "{name} has {members:?} in {id}, not {possible:?}");
            let circle = self.circles[user].last().expect("the first");
            let kept = circle.members.get(id).cloned().unwrap_or_default();
            assert_eq!(*members, kept, "what is kept of {id} of {name}");
        }
        for moving in self.movings.iter().filter(|one| one.user == user && one.status == Some(200))
        {
            for (id, version, ..) in &moving.steps {
                assert!(now[id].0 > *version, "{name}: {moving:?} is lost");
            }
        }
    }

    /// Somebody asked for this publication.
    fn check_publication(&self, user: usize, publication: &Publication) {
        if publication.payload.source.is_empty() {
            return self.check_standard(user, publication);
        }
        let mark = mark_of(publication).unwrap_or_else(|| panic!("{publication:?} of nobody"));
        let wish = self.publishings.iter().find(|one| {
            one.user == user && one.key == key_of(publication) && one.mark.as_ref() == Some(&mark)
        });
        let wish = wish.unwrap_or_else(|| panic!("nobody published {publication:?}"));
        let refused = wish.status.is_some_and(|status| (400..500).contains(&status));
        assert!(!refused, "{wish:?} was refused and is there");
        if let Some(version @ 1..) = wish.version {
            assert_eq!(publication.version, version + 1, "{wish:?}");
        }
        let lives = match wish.lasting {
            Lasting::Static => publication.life == Life::Static,
            Lasting::Endpoint => matches!(publication.life, Life::Endpoint(_)),
            Lasting::Seconds(_) => matches!(publication.life, Life::Until(_)),
        };
        assert!(lives, "{wish:?} lives as {:?}", publication.life);
    }

    /// Somebody published this under an entity tag.
    fn check_standard(&self, user: usize, publication: &Publication) {
        assert!(matches!(publication.life, Life::Until(_)), "{publication:?}");
        let Some(mark) = mark_of(publication) else { return };
        let is_it = |one: &&Publishing| one.user == user && one.mark.as_ref() == Some(&mark);
        let wish = self.publishings.iter().find(is_it).expect("somebody published it");
        let refused = wish.status.is_some_and(|status| status >= 300);
        assert!(!refused && wish.version.is_none(), "{wish:?} is there");
    }

    /// What was acknowledged as published for good under `key` is there, or what came later.
    fn check_static(&self, user: usize, key: &Key, there: Option<&Publication>) {
        let wishes = || {
            self.publishings.iter().filter(move |one| {
                one.user == user && one.key == *key && one.lasting == Lasting::Static
            })
        };
        // A deletion leaves the version as it is.
        let result = |wish: &Publishing| match (wish.version, &wish.mark) {
            (Some(0), _) | (None, _) => None,
            (Some(version), Some(_)) => Some((version + 1, false)),
            (Some(version), None) => Some((version, true)),
        };
        let done = wishes().filter(|wish| wish.status == Some(200));
        let mut numbered: Vec<_> =
            done.clone().filter_map(|wish| Some((result(wish)?, wish))).collect();
        numbered.sort_by_key(|(result, _)| *result);
        for pair in numbered.windows(2) {
            let both = pair[0].0 == pair[1].0 && pair[0].1.mark.is_some();
            assert!(!both, "both were accepted: {pair:?}");
        }
        let Some(((version, deleted), last)) = numbered.last() else {
            let certain = done.clone().any(|wish| wish.mark.is_some());
            let gone = || wishes().any(|wish| wish.mark.is_none());
            assert!(!certain || there.is_some() || gone(), "{key:?} of {} is lost", USERS[user]);
            return;
        };
        match there {
            Some(now) if now.version == *version => {
                assert!(!deleted, "{last:?} is undone by {now:?}");
                assert_eq!(mark_of(now), last.mark, "{last:?} is lost for {now:?}");
            }
            Some(now) => assert!(now.version > *version, "{last:?} is lost for {now:?}"),
            None => {
                let later = |wish: &Publishing| {
                    wish.mark.is_none()
                        && !wish.status.is_some_and(|status| (400..500).contains(&status))
                        && result(wish).is_none_or(|(later, _)| later >= *version)
                };
                assert!(*deleted || wishes().any(later), "{last:?} is lost");
            }
        }
    }

    /// Who may be in a container when it has this version.
    fn possible_members(&self, user: usize, id: u32, version: u32) -> BTreeSet<BTreeSet<String>> {
        let mut possible = BTreeSet::from([BTreeSet::new()]);
        for at in 0..version {
            let of_step = |moving: &&Moving| {
                let rests = |(container, version, ..): &(u32, u32, bool, String)| {
                    (*container, *version) == (id, at)
                };
                moving.user == user && moving.steps.iter().any(rests)
            };
            let wishes = || self.movings.iter().filter(of_step);
            let done: Vec<&Moving> = wishes().filter(|one| one.status == Some(200)).collect();
            assert!(done.len() <= 1, "more than one change of {id} rests on {at}: {done:?}");
            let made: Vec<&Moving> = match done.is_empty() {
                true => wishes().filter(|one| one.status.is_none()).collect(),
                false => done,
            };
            let mut next = BTreeSet::new();
            for before in &possible {
                for moving in &made {
                    let mut after = before.clone();
                    for (_, _, add, who) in moving.steps.iter().filter(|step| step.0 == id) {
                        match add {
                            true => after.insert(who.clone()),
                            false => after.remove(who),
                        };
                    }
                    next.insert(after);
                }
            }
            possible = next;
        }
        possible
    }

    /// The server's list is what the store keeps.
    pub fn check_contacts(&self, net: &Net, user: usize, list: &Contacts) {
        let aor = aor(user);
        let (mut groups, mut entries, mut number) = (BTreeMap::new(), BTreeMap::new(), 1);
        for row in
            net.shelf.log.iter().filter(|(of, _)| *of == aor).flat_map(|(_, r)| contact_rows(r))
        {
            match row {
                contacts::Row::DeltaNumber(now) => {
                    assert!(*now > number, "{aor}: {number} and then {now}");
                    number = *now;
                }
                contacts::Row::DeleteContact(who) => drop(entries.remove(who)),
                contacts::Row::DeleteGroup(id) => drop(groups.remove(&id.number())),
                contacts::Row::PutContact(one) => drop(entries.insert(one.address.clone(), one)),
                contacts::Row::PutGroup(one) => drop(groups.insert(one.id.number(), one)),
            }
        }
        assert_eq!(list.number, number, "the number of {aor}'s list");
        let others = list.groups.iter().filter(|group| group.id.number() != 1);
        assert!(others.eq(groups.into_values()), "the groups of {aor}: {:?}", list.groups);
        assert!(list.contacts.iter().eq(entries.into_values()), "of {aor}: {:?}", list.contacts);
    }
}

impl Edit {
    fn is_done_by(&self, row: &contacts::Row) -> bool {
        match (self, row) {
            (Edit::AddGroup(name), contacts::Row::PutGroup(group)) => *group.name == **name,
            (Edit::RenameGroup(id, name), contacts::Row::PutGroup(group)) => {
                group.id.number() == *id && *group.name == **name
            }
            (Edit::DeleteGroup(id), contacts::Row::DeleteGroup(group)) => group.number() == *id,
            (Edit::DeleteContact(who), contacts::Row::DeleteContact(gone)) => gone.user() == who,
            (Edit::SetContact(who, name), contacts::Row::PutContact(contact)) => {
                contact.address.user() == who && *contact.name == **name
            }
            _ => false,
        }
    }
}

/// The address of a user.
pub fn aor(user: usize) -> Aor {
    Aor::new(crate::stage::uri(user).trim_start_matches("sip:"))
}

/// What a publication is known by.
pub fn key_of(publication: &Publication) -> Key {
    let key = &publication.key;
    (key.category.name().to_owned(), key.container.0, key.instance)
}

fn mark_of(publication: &Publication) -> Option<String> {
    match &publication.payload.meaning {
        Meaning::State(state) => {
            let custom = state.activity.as_ref().and_then(|one| one.custom.first());
            let custom = custom.map(|(_, text)| text);
            let texts = [custom, state.location.as_ref(), state.meeting_subject.as_ref()];
            texts.into_iter().flatten().next().map(|text| text.to_string())
        }
        Meaning::Note(note) => Some(note.text.to_string()),
        Meaning::Card(_) => None,
        Meaning::Opaque => {
            let marks = elements(&publication.payload.source, "mark");
            marks.first().map(|(_, text)| (*text).to_owned())
        }
    }
}

fn users(members: &[Member]) -> BTreeSet<String> {
    let user = |member: &Member| match member {
        Member::User(aor) => Some(aor.user().to_owned()),
        _ => None,
    };
    members.iter().filter_map(user).collect()
}

fn presence_rows(rows: &Rows) -> &[Row] {
    match rows {
        Rows::Presence(rows) => rows,
        Rows::Contacts(_) => &[],
    }
}

fn contact_rows(rows: &Rows) -> &[contacts::Row] {
    match rows {
        Rows::Contacts(rows) => rows,
        Rows::Presence(_) => &[],
    }
}
