//! Bodies of the fuzz targets `conference_request`, `publication`, `soap` and `watch_list`: what a
//! client writes, through the domain, to what clients are told of it. Whatever was in the one, the
//! other is well-formed and has nothing in it but what belongs there.

use std::sync::Arc;

use super::conference::request::{self, Operation, Wanted};
use super::conference::response::{self, Success};
use super::roaming_self::{self, Parts, Which};
use super::soap::{self, Command};
use super::{
    acl, batch, categories, contacts, members, provisioning, publish, search, subscribers,
};
use crate::base::aor::Aor;
use crate::base::ids::{ConferenceId, ConnId, ShardId, Slot};
use crate::base::limits::Limits;
use crate::base::time::Now;
use crate::config::Settings;
use crate::contacts::{Bounds, Contact, ContactList, Edit};
use crate::dialect::conference_info;
use crate::dialect::conference_uri::ConferenceUri;
use crate::dialect::resources::{Outcome, Told};
use crate::dialect::simple;
use crate::directory::{Index, User};
use crate::immcu::conference::{Conference, Description, Input};
use crate::presence::card::Card;
use crate::presence::category::CategorySet;
use crate::presence::container::ContainerId;
use crate::presence::presentity::Presentity;
use crate::wire::presence::pidf::Pidf;
use crate::wire::xml::Document;

const ALICE: &str = "alice@example.test";
const NOW: Now = Now { mono_ms: 1_000, unix_ms: 1_795_209_805_000 };
const ID: ConferenceId = ConferenceId(0xC0);

fn alice() -> Aor {
    Aor::new(ALICE)
}

fn conn() -> ConnId {
    ConnId::new(ShardId(0), Slot { index: 7, generation: 1 })
}

/// What was written is XML, with this root and these elements in it.
fn written(text: &str, root: &str, children: &[&str]) {
    with_document(text, |document| {
        assert_eq!(document.root().name(), root, "{text}");
        let names = document.root().children().map(|child| child.name());
        names.for_each(|name| assert!(children.contains(&name), "{name} in {text}"));
    });
}

/// Reads what was written, under bounds that are no smaller than those of what it was made of.
fn with_document<R>(text: &str, read: impl FnOnce(&Document<'_>) -> R) -> R {
    let limits = Limits::default();
    let roomy = Limits {
        sip_body_bytes_max: usize::MAX,
        xml_attributes_max: 2 * limits.xml_attributes_max,
        xml_depth_max: 2 * limits.xml_depth_max,
        xml_elements_max: usize::MAX,
        xml_namespace_bytes_max: usize::MAX,
        ..limits
    };
    let document = Document::parse(text.as_bytes(), &roomy);
    read(&document.unwrap_or_else(|error| panic!("{error:?} in {text}")))
}

/// A publication of either dialect, as all who watch are told of it.
pub fn publication(data: &[u8]) {
    let limits = Limits::default();
    let until = NOW.unix_ms / 1000 + 600;
    let lync = publish::read(data, &alice(), conn(), NOW, &limits);
    let standard = simple::publish::read(data, 7, until, &limits);
    for mut operations in [lync, standard].into_iter().flatten() {
        // Whatever version it takes for the current one, it is.
        operations.iter_mut().for_each(|operation| operation.version = None);
        let mut presentity = Presentity::new(NOW, Card::default());
        presentity.endpoint_added(NOW, conn(), &limits);
        if presentity.publish(NOW, operations, &limits).is_err() {
            continue;
        }
        presentity.check_invariants();
        let parts = Parts { categories: Some(Which::All), containers: true, subscribers: true };
        let own = roaming_self::document(NOW, ALICE, &presentity, parts);
        written(&own, "roamingData", &["categories", "containers", "subscribers"]);
        for level in ContainerId::LEVELS {
            let view = presentity.view(level);
            let all = CategorySet::ALL;
            written(&categories::document(ALICE, &view, all, all), "categories", &["category"]);
            with_document(&simple::pidf::document(ALICE, &view), |document| {
                let pidf = Pidf::read(document).expect("what is written is PIDF");
                assert_eq!(pidf.entity, format!("sip:{ALICE}"));
                assert_eq!((pidf.tuples.len(), pidf.persons.len()), (1, 1));
            });
        }
    }
}

/// A SOAP request, and what its answer and the user's other endpoints say of it.
pub fn soap(data: &[u8]) {
    let limits = Limits { directory_search_results_max: 3, ..Limits::default() };
    match soap::read(data, &limits) {
        Ok(Command::Edit(edit)) => edited(edit, &limits),
        Ok(Command::Search(query)) => {
            let mut index = Index::default();
            for name in ["alice", "bob", "bea", "ben", "bert"] {
                let aor = format!("{name}@example.test");
                let user = User::with_password(&aor, None, "B <&> Person", "example.test", "x");
                index.insert(&Arc::new(user.expect("a user")));
            }
            let found = index.search(&query, &limits);
            assert!(found.users.len() <= query.max().min(3));
            written(&search::answer(&found.users, found.more), "Envelope", &["Body"]);
        }
        Err(_) => {}
    }
}

/// An edit of a list with a group and a contact in it.
fn edited(edit: Edit, limits: &Limits) {
    let bounds = Bounds::new(limits);
    let mut list = ContactList::default();
    let bob = Contact {
        address: Aor::new("bob@example.test"),
        name: "Bob".into(),
        groups: list.groups().map(|group| group.id).collect(),
        subscribed: true,
        external_uri: "".into(),
    };
    let team = Edit::AddGroup { name: "Team".into(), external_uri: "".into() };
    for first in [team, Edit::SetContact(bob)] {
        list.apply(first, &bounds).expect("a first edit");
    }
    let Ok(delta) = list.apply(edit, &bounds) else { return };
    list.check_invariants();
    written(&contacts::answer(&delta), "Envelope", &["Body"]);
    written(
        &contacts::delta(&delta),
        "contactDelta",
        &[
            "addedContact",
            "modifiedContact",
            "deletedContact",
            "addedGroup",
            "modifiedGroup",
            "deletedGroup",
        ],
    );
    let text = contacts::list(&list);
    written(&text, "contactList", &["contact", "group"]);
    with_document(&text, |document| {
        let told = document.root().children().filter(|child| child.name() == "contact");
        let told: Vec<_> = told.map(|contact| contact.attribute("name").unwrap_or("")).collect();
        let kept: Vec<_> = list.contacts().map(|contact| contact.name).collect();
        assert_eq!(told, kept.iter().map(|name| &**name).collect::<Vec<_>>(), "{text}");
    });
}

/// A C3P request at the factory and at a focus, what it makes of a conference, and what is said of
/// that.
pub fn conference(data: &[u8]) {
    let limits = Limits::default();
    for at in [ConferenceUri::Factory, ConferenceUri::Focus(alice(), ID)] {
        let Ok(request) = request::read(data, &at, &alice(), &limits) else { continue };
        let done = response::success(&request, Success::Done);
        written(&done, "response", &[request.operation.name()]);
        let commands = match &request.operation {
            Operation::Commands(commands) => commands.clone(),
            _ => Vec::new(),
        };
        let description = description(match request.operation {
            Operation::Add(wanted) => Some(wanted),
            _ => None,
        });
        if description.check(&limits).is_err() {
            continue;
        }
        let mut conference = Conference::new(NOW, description, &limits);
        for command in commands {
            conference.handle(NOW, Input::Command { by: Some(alice()), command }, &limits);
            conference.check_invariants(&limits);
            while conference.next_output().is_some() {}
        }
        with_document(&conference_info::full(&conference, &alice()), |document| {
            assert_eq!(document.root().name(), "conference-info");
            let subject = document.root().child("conference-description");
            let subject = subject.and_then(|description| description.child("subject"));
            let subject = subject.map(|subject| subject.text()).unwrap_or_default();
            assert_eq!(subject, *conference.description().subject);
        });
    }
}

/// The conference that was wanted, or one of alice.
fn description(wanted: Option<Wanted>) -> Description {
    let base = Description {
        id: ID,
        organiser: alice(),
        organiser_name: "Alice".into(),
        subject: "".into(),
        admission: crate::immcu::conference::Admission::OpenAuthenticated,
        lobby: false,
        locked: false,
        expires_unix_ms: NOW.unix_ms + 3_600_000,
        scheduled: false,
        invited: [].into(),
    };
    match wanted {
        Some(wanted) => Description {
            subject: wanted.subject,
            admission: wanted.admission,
            lobby: wanted.lobby,
            invited: wanted.invited.into_iter().collect(),
            ..base
        },
        None => base,
    }
}

/// Whom a user wants to watch, in either dialect; whom he lets see him, and what he asks of his own.
pub fn lists(data: &[u8]) {
    let limits = Limits::default();
    let batches = [batch::read(data, &limits), simple::rls::read(data, &limits)];
    for batch in batches.into_iter().flatten() {
        let mut names: Vec<_> = batch.subscribe.iter().map(|one| &one.aor).collect();
        let told: Vec<_> =
            names.iter().map(|aor| Told { aor, outcome: Outcome::Seen(b"<a/>") }).take(4).collect();
        let list = "sip:list@example.test";
        let lync = batch::content(list, 1, true, &told);
        let standard = simple::rls::content(list, 1, true, &told);
        for content in [lync, standard] {
            assert!(content.body.len() >= 4 * told.len());
        }
        names.sort_unstable();
        assert!(names.is_sorted_by(|a, b| a < b), "nobody twice");
    }
    let mut presentity = Presentity::new(NOW, Card::default());
    if let Ok(mut changes) = members::read(data, &limits) {
        for change in &mut changes {
            let mut known = presentity.containers();
            change.version = known.find(|one| one.id == change.container).map_or(0, |c| c.version);
        }
        if presentity.set_members(&changes, &limits).is_ok() {
            presentity.check_invariants();
            written(&acl::document(&presentity), "ACLlist", &["ACE"]);
        }
    }
    if let Ok(answers) = subscribers::read(data, &limits) {
        presentity.acknowledge(&answers);
    }
    if let Ok(list) = roaming_self::read(data, &limits) {
        let own = roaming_self::document(NOW, ALICE, &presentity, Parts::of(list));
        written(&own, "roamingData", &["categories", "containers", "subscribers"]);
    }
    if let Ok(groups) = provisioning::read(data, &limits) {
        let user = User::with_password(ALICE, None, "A <&> B", "example.test", "x");
        let text = provisioning::answer(&groups, &user.expect("a user"), &Settings::default());
        written(&text, "provisionGroupList", &["provisionGroup"]);
    }
}
