//! Anything that may happen to a presentity.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;

use crate::base::aor::Aor;
use crate::base::limits::Limits;
use crate::presence::category::{Category, CategorySet};
use crate::presence::container::{ContainerId, Member, Relation};
use crate::presence::membership::MemberChange;
use crate::presence::publication::{Key, Life, Meaning, Payload};
use crate::presence::samples::{CONTAINERS, conn, key, now, payload, watch};
use crate::presence::state::{Availability, Note, NoteKind, State, StateKind};
use crate::presence::watch::{Format, Watch};

/// Which version a publisher names.
#[derive(Clone, Copy, Debug)]
pub enum Basis {
    Current,
    Wrong,
    Any,
}

#[derive(Clone, Debug)]
pub enum Step {
    Publish(Vec<(Key, Basis, Life, Option<Arc<Payload>>)>),
    Endpoint(u32, bool),
    Members(ContainerId, Basis, MemberChange),
    Watch(Watch),
    Unwatch(u32),
    Contact(usize, bool),
    ContactsOnly(bool),
    Title(&'static str),
    Pass(u64),
}

pub const WATCHERS: [&str; 4] = ["a@one.test", "b@one.test", "a@two.test", "b@two.test"];

pub fn limits() -> Limits {
    Limits {
        publications_per_user_max: 8,
        publication_bytes_max: 400,
        members_per_container_max: 3,
        ..Limits::default()
    }
}

fn any_payload(category: Category) -> BoxedStrategy<Arc<Payload>> {
    let text = select(vec!["", "one", "two", "three"]);
    match category {
        Category::State => {
            let kind = select(vec![
                StateKind::Machine,
                StateKind::User,
                StateKind::Calendar,
                StateKind::Phone,
            ]);
            let availability = select(vec![0, 3500, 4500, 6500, 9500, 12_500, 15_500, 18_500])
                .prop_map(Availability);
            let valid = prop::option::of((0u64..20, 1u64..20));
            (kind, availability, text, valid)
                .prop_map(|(kind, availability, text, valid)| {
                    let second = now().unix_ms / 1000;
                    let state = State {
                        location: (!text.is_empty()).then(|| text.into()),
                        meeting_subject: (text == "two").then(|| text.into()),
                        valid: valid.map(|(from, long)| (second + from, second + from + long)),
                        ..State::new(kind, availability)
                    };
                    payload(Meaning::State(state), text)
                })
                .boxed()
        }
        Category::Note => (any::<bool>(), text)
            .prop_map(|(is_personal, text)| {
                let kind = if is_personal { NoteKind::Personal } else { NoteKind::OutOfOffice };
                payload(Meaning::Note(Note { kind, text: text.into() }), text)
            })
            .boxed(),
        _ => text.prop_map(|text| payload(Meaning::Opaque, text)).boxed(),
    }
}

fn any_operation() -> impl Strategy<Value = (Key, Basis, Life, Option<Arc<Payload>>)> {
    let category = select(vec![
        Category::State,
        Category::State,
        Category::Note,
        Category::CalendarData,
        Category::Services,
        Category::Device,
    ]);
    let life = prop_oneof![
        Just(Life::Static),
        (0u32..3).prop_map(|index| Life::Endpoint(conn(index))),
        Just(Life::User),
        (0u64..30).prop_map(|ahead| Life::Until(now().unix_ms / 1000 + ahead)),
    ];
    (category, select(CONTAINERS.to_vec()), 0u32..2, any_basis(), life, any::<u8>()).prop_flat_map(
        |(category, container, instance, basis, life, dice)| {
            let key = key(category.clone(), container, instance);
            any_payload(category)
                .prop_map(move |payload| (key.clone(), basis, life, (dice > 50).then_some(payload)))
        },
    )
}

fn any_basis() -> impl Strategy<Value = Basis> {
    prop_oneof![6 => Just(Basis::Current), 1 => Just(Basis::Wrong), 2 => Just(Basis::Any)]
}

pub fn any_watch() -> impl Strategy<Value = Watch> {
    let relation = select(vec![
        Relation::SameEnterprise,
        Relation::Federated,
        Relation::PublicCloud,
        Relation::application(ContainerId::COLLEAGUES),
    ]);
    let categories = select(vec![
        CategorySet::ALL,
        CategorySet::only(&Category::State),
        CategorySet::only(&Category::State).or(CategorySet::only(&Category::Note)),
    ]);
    let format = select(vec![Format::Categories, Format::Pidf]);
    (0u32..6, 0..WATCHERS.len(), relation, any::<bool>(), categories, format).prop_map(
        |(index, who, relation, is_contact, categories, format)| Watch {
            relation,
            is_contact,
            categories,
            format,
            ..watch(index, WATCHERS[who])
        },
    )
}

pub fn any_member_change() -> impl Strategy<Value = MemberChange> {
    let member = prop_oneof![
        4 => (0..WATCHERS.len()).prop_map(|who| Member::User(Aor::new(WATCHERS[who]))),
        1 => select(vec!["one.test", "two.test"]).prop_map(|name| Member::Domain(name.into())),
        2 => select(vec![
            Member::SameEnterprise,
            Member::Federated,
            Member::PublicCloud,
            Member::Everyone,
        ]),
    ];
    (member, any::<bool>()).prop_map(|(member, is_added)| {
        if is_added { MemberChange::Add(member) } else { MemberChange::Remove(member) }
    })
}

pub fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => prop::collection::vec(any_operation(), 0..4).prop_map(Step::Publish),
        3 => (0u32..3, any::<bool>()).prop_map(|(index, is_there)| Step::Endpoint(index, is_there)),
        3 => (select(ContainerId::LEVELS.to_vec()), any_basis(), any_member_change())
            .prop_map(|(container, basis, change)| Step::Members(container, basis, change)),
        5 => any_watch().prop_map(Step::Watch),
        1 => (0u32..6).prop_map(Step::Unwatch),
        1 => (0..WATCHERS.len(), any::<bool>()).prop_map(|(who, is)| Step::Contact(who, is)),
        1 => any::<bool>().prop_map(Step::ContactsOnly),
        1 => select(vec!["", "boss"]).prop_map(Step::Title),
        6 => select(vec![1u64, 30, 99, 100, 101, 1_000, 4_000]).prop_map(Step::Pass),
    ]
}
