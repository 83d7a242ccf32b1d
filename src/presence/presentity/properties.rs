//! The machine against a naive model, over random lists of what may happen to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::presence::container::Member;
use crate::presence::document::Stale;
use crate::presence::membership::MemberChange;
use crate::presence::publication::{Key, Payload};
use crate::presence::samples::{
    CONTAINERS, SEEN, card, conn, everything, key, note, now, payload, subscription, watch,
};
use crate::presence::state::{Availability, Note, NoteKind, State, StateKind};

/// Which version a publisher names.
#[derive(Clone, Copy, Debug)]
enum Basis {
    Current,
    Wrong,
    Any,
}

#[derive(Clone, Debug)]
enum Step {
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

const WATCHERS: [&str; 4] = ["a@one.test", "b@one.test", "a@two.test", "b@two.test"];

fn limits() -> Limits {
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

fn any_watch() -> impl Strategy<Value = Watch> {
    let relation =
        select(vec![Relation::SameEnterprise, Relation::Federated, Relation::PublicCloud]);
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

fn any_member_change() -> impl Strategy<Value = MemberChange> {
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

fn any_step() -> impl Strategy<Value = Step> {
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

/// What a watcher holds: of each category what he was told last.
type Picture = BTreeMap<Category, BTreeSet<String>>;

/// The part of the view of `container` that is told for `categories`.
fn picture(presentity: &Presentity, container: ContainerId, categories: CategorySet) -> Picture {
    let mut picture = Picture::new();
    for item in presentity.view(container).of(categories) {
        let text = format!("{} {:?}", item.instance, item.content);
        assert!(picture.entry(item.category.clone()).or_default().insert(text));
    }
    picture
}

#[derive(Default)]
struct Model {
    endpoints: BTreeSet<ConnId>,
    publications: BTreeMap<Key, (Life, Arc<Payload>)>,
    /// The highest version ever seen of each key.
    versions: BTreeMap<Key, u32>,
    members: BTreeMap<ContainerId, (u32, BTreeSet<Member>)>,
    contacts_only: bool,
    watchers: BTreeMap<SubscriptionId, (Watch, Picture)>,
    aggregate_versions: [(u32, Option<Aggregate>); 2],
}

impl Model {
    fn new() -> Model {
        let mut model = Model::default();
        for (container, member) in [
            (ContainerId::PUBLIC, Member::Federated),
            (ContainerId::COLLEAGUES, Member::SameEnterprise),
            (ContainerId::BLOCKED, Member::PublicCloud),
        ] {
            model.members.entry(container).or_default().1.insert(member);
        }
        model
    }

    /// The level, by asking for each way of membership each container.
    fn level_of(&self, watch: &Watch) -> ContainerId {
        let ways = [
            Member::User(watch.watcher.clone()),
            Member::Domain(watch.watcher.domain().into()),
            match watch.relation {
                Relation::SameEnterprise => Member::SameEnterprise,
                Relation::Federated => Member::Federated,
                Relation::PublicCloud => Member::PublicCloud,
            },
            Member::Everyone,
        ];
        for way in ways {
            for container in [32_000, 400, 300, 200, 100, 0].map(ContainerId) {
                if self.members.get(&container).is_some_and(|(_, members)| members.contains(&way)) {
                    return match self.contacts_only && !watch.is_contact {
                        true if container != ContainerId::BLOCKED => ContainerId::DEFAULT,
                        _ => container,
                    };
                }
            }
        }
        ContainerId::DEFAULT
    }

    fn is_over(&self, life: Life, now: Now) -> bool {
        match life {
            Life::Static => false,
            Life::Endpoint(conn) => !self.endpoints.contains(&conn),
            Life::User => self.endpoints.is_empty(),
            Life::Until(end) => end * 1000 <= now.unix_ms,
        }
    }

    fn bury(&mut self, now: Now) {
        let mut publications = std::mem::take(&mut self.publications);
        publications.retain(|_, (life, _)| !self.is_over(*life, now));
        self.publications = publications;
    }

    /// Publishes, or says that it cannot be.
    fn publish(&mut self, now: Now, operations: &[Operation], is_stale: bool) -> bool {
        let mut next = self.publications.clone();
        for operation in operations {
            match operation.payload.clone().filter(|_| !self.is_over(operation.life, now)) {
                Some(payload) => {
                    next.insert(operation.key.clone(), (operation.life, payload));
                }
                None => {
                    next.remove(&operation.key);
                }
            }
        }
        let octets = |all: &BTreeMap<Key, (Life, Arc<Payload>)>| -> usize {
            all.values().map(|(_, payload)| payload.octets()).sum()
        };
        let is_larger = octets(&next) > limits().publication_bytes_max
            && octets(&next) > octets(&self.publications);
        let are_more = next.len() > limits().publications_per_user_max;
        if is_stale || is_larger || are_more {
            return false;
        }
        self.publications = next;
        true
    }

    /// Takes the outputs as watchers would: each notice shows the view of the moment.
    fn hear(&mut self, presentity: &mut Presentity) {
        while let Some(output) = presentity.next_output() {
            let Output::Notice { container, format, categories, changed, watches } = output else {
                continue;
            };
            assert!(!changed.is_empty() && !watches.is_empty());
            let told = picture(presentity, container, changed);
            for subscription in watches {
                let (watch, held) = self.watchers.get_mut(&subscription).expect("a watcher");
                assert_eq!((format, categories), (watch.format, told_of(watch)));
                held.retain(|category, _| !changed.contains(category));
                held.extend(told.clone());
            }
        }
    }

    fn check(&mut self, presentity: &Presentity) {
        presentity.check_invariants();
        // The document is that of the model, and each version is new.
        let mut documents = BTreeMap::new();
        for one in presentity.publications() {
            documents.insert(one.key.clone(), (one.life, one.payload.clone()));
        }
        assert_eq!(documents, self.publications);
        for at in 0..2 {
            let known = &presentity.aggregates[at];
            let (version, aggregate) = &mut self.aggregate_versions[at];
            match known.version.cmp(version) {
                std::cmp::Ordering::Less => panic!("the version of an aggregate went back"),
                std::cmp::Ordering::Equal => assert_eq!(aggregate.as_ref(), Some(&known.aggregate)),
                std::cmp::Ordering::Greater => *aggregate = Some(known.aggregate.clone()),
            }
            *version = known.version;
        }
        // Who has nothing to wait for sees exactly the view of his level.
        let is_told = presentity.untold.iter().all(|untold| untold.is_empty());
        for (watch, held) in self.watchers.values() {
            let level = presentity.level_of(&watch.watcher, watch.relation, watch.is_contact);
            assert_eq!(level, self.level_of(watch));
            if is_told {
                assert_eq!(held, &picture(presentity, level, told_of(watch)), "{watch:?}");
            }
        }
    }

    /// Each publication that was made has a version above all that its key ever had.
    fn check_versions(&mut self, presentity: &Presentity, published: &[Operation]) {
        for one in presentity.publications() {
            let highest = self.versions.entry(one.key.clone()).or_default();
            if published.iter().any(|operation| operation.key == one.key) {
                assert!(one.version > *highest, "{one:?} after {highest}");
            } else {
                assert_eq!(one.version, *highest);
            }
            *highest = one.version;
        }
    }
}

fn told_of(watch: &Watch) -> CategorySet {
    watch.categories.and(watch.format.categories())
}

/// Takes one step with both; time goes on only by [`Step::Pass`].
fn take(step: Step, time: &mut Now, presentity: &mut Presentity, model: &mut Model) {
    let limits = limits();
    match step {
        Step::Publish(wishes) => publish(wishes, *time, presentity, model),
        Step::Endpoint(index, true) => {
            model.endpoints.insert(conn(index));
            presentity.endpoint_added(*time, conn(index), &limits);
        }
        Step::Endpoint(index, false) => {
            model.endpoints.remove(&conn(index));
            model.bury(*time);
            presentity.endpoint_removed(*time, conn(index), &limits);
        }
        Step::Members(container, basis, change) => {
            let entry = model.members.entry(container).or_default();
            let version = if matches!(basis, Basis::Wrong) { entry.0 + 7 } else { entry.0 };
            let mut members = entry.1.clone();
            match &change {
                MemberChange::Add(member) => members.insert(member.clone()),
                MemberChange::Remove(member) => members.remove(member),
            };
            let is_good = version == entry.0 && members.len() <= limits.members_per_container_max;
            let changes = [MembersChange { container, version, steps: vec![change] }];
            assert_eq!(presentity.set_members(&changes, &limits).is_ok(), is_good);
            if is_good {
                *entry = (entry.0 + 1, members);
            }
        }
        Step::Watch(watch) => {
            let admitted = presentity.watch(watch.clone(), false, &limits).unwrap();
            let initial = picture(presentity, admitted.container, told_of(&watch));
            model.watchers.insert(watch.subscription, (watch, initial));
        }
        Step::Unwatch(index) => {
            presentity.unwatch(subscription(index));
            model.watchers.remove(&subscription(index));
        }
        Step::Contact(who, is_contact) => {
            let other = Aor::new(WATCHERS[who]);
            for (watch, _) in model.watchers.values_mut().filter(|one| one.0.watcher == other) {
                watch.is_contact = is_contact;
            }
            presentity.contact_changed(&other, is_contact);
        }
        Step::ContactsOnly(contacts_only) => {
            model.contacts_only = contacts_only;
            presentity.set_contacts_only(contacts_only);
        }
        Step::Title(title) => {
            presentity.set_card(*time, Card { title: title.into(), ..card() }, &limits);
        }
        Step::Pass(ms) => {
            *time = time.plus(Duration::from_millis(ms));
            presentity.expire(*time, &limits);
            model.bury(*time);
            assert!(presentity.next_deadline().is_none_or(|next| !time.reached(next)));
        }
    }
    model.hear(presentity);
    model.check(presentity);
}

fn publish(
    wishes: Vec<(Key, Basis, Life, Option<Arc<Payload>>)>,
    time: Now,
    presentity: &mut Presentity,
    model: &mut Model,
) {
    let mut named = BTreeSet::new();
    let mut is_stale = false;
    let mut operations = Vec::new();
    for (key, basis, life, payload) in wishes {
        if !named.insert(key.clone()) {
            continue;
        }
        let current =
            presentity.publications().find(|one| one.key == key).map_or(0, |one| one.version);
        let version = match basis {
            Basis::Current => Some(current),
            Basis::Wrong => Some(u32::MAX),
            Basis::Any => None,
        };
        is_stale |= matches!(basis, Basis::Wrong);
        operations.push(Operation { key, version, life, payload });
    }
    let is_taken = model.publish(time, &operations, is_stale);
    let result = presentity.publish(time, operations.clone(), &limits());
    assert_eq!(result.is_ok(), is_taken, "{result:?}");
    let made = if is_taken { &operations[..] } else { &[] };
    model.check_versions(presentity, made);
    if let Err(PublishError::Stale(stale)) = result {
        for Stale { index, version, .. } in stale {
            assert_eq!(operations[index as usize - 1].version, Some(version));
        }
    }
}

proptest! {
    /// Documents are as the model says, versions never go back, nobody is at a wrong level, and
    /// whoever has been told everything sees exactly the view of his level.
    #[test]
    fn behaves_as_the_model(steps in prop::collection::vec(any_step(), 0..60)) {
        let (mut presentity, mut model) = (Presentity::new(now(), card()), Model::new());
        let mut time = now();
        for step in steps {
            take(step, &mut time, &mut presentity, &mut model);
        }
        take(Step::Pass(1_000), &mut time, &mut presentity, &mut model);
        prop_assert!(presentity.untold.iter().all(|untold| untold.is_empty()));
    }

    /// Whatever is published, no view holds a text that its level may not read.
    #[test]
    fn no_view_holds_a_field_above_its_level(
        mask in any::<u128>(),
        chosen in select(vec![3500, 6500, 9500, 18_500]),
        steps in prop::collection::vec((0..WATCHERS.len(), any_member_change(),
            select(ContainerId::LEVELS.to_vec())), 0..12),
        watches in prop::collection::vec(any_watch(), 1..6),
    ) {
        let limits = Limits::default();
        let mut alice = Presentity::new(now(), card());
        alice.endpoint_added(now(), conn(0), &limits);
        let mut operations: Vec<Operation> = (0..).zip(everything(Life::Static))
            .filter(|(at, _)| mask >> (at % 128) & 1 == 1)
            .map(|(_, operation)| operation)
            .collect();
        operations.extend(crate::presence::samples::states(StateKind::User, Life::Static, chosen));
        alice.publish(now(), operations, &limits).unwrap();
        for watch in watches {
            alice.watch(watch, true, &limits).unwrap();
        }
        for (_, change, container) in steps {
            let version = alice.containers().find(|one| one.id == container).unwrap().version;
            let changes = [MembersChange { container, version, steps: vec![change] }];
            alice.set_members(&changes, &limits).unwrap();
            for one in alice.watches() {
                let watch = one.watch();
                let level = alice.level_of(&watch.watcher, watch.relation, watch.is_contact);
                prop_assert_eq!(level, one.level());
                let text = format!("{:?}", alice.view(level));
                for (marker, levels) in SEEN {
                    prop_assert!(
                        levels.contains(&level.0) || !text.contains(&format!("\"{marker}\"")),
                        "{} in {:?}", marker, level
                    );
                }
            }
        }
    }

    /// Between two notices lies the window; the first of a burst does not wait, and the last word
    /// arrives within a window after it was said.
    #[test]
    fn bursts_merge_and_nothing_is_lost(gaps in prop::collection::vec(0u64..250, 1..40)) {
        let limits = Limits::default();
        let window = limits.presence_damping_time.as_millis() as u64;
        let mut alice = Presentity::new(now(), card());
        alice.watch(watch(1, "bob@example.test"), false, &limits).unwrap();
        let (mut time, mut told_at) = (now(), None::<u64>);
        let mut heard: Option<String> = None;
        let mut said: Option<(u64, String)> = None;
        for (at, gap) in gaps.into_iter().chain([1_000]).enumerate() {
            let until = time.plus(Duration::from_millis(gap));
            // The caller wakes the machine when it asks for it.
            while let Some(due) = alice.next_deadline().filter(|due| until.reached(*due)) {
                time = time.plus(Duration::from_millis(due.0 - time.mono_ms));
                alice.expire(time, &limits);
                hear(&mut alice, time, window, &mut told_at, &mut heard);
            }
            time = until;
            let said_before = said.clone();
            let text = format!("note {at}");
            let is_quiet = told_at.is_none_or(|told_at| time.mono_ms >= told_at + window);
            alice.publish(time, vec![note(200, &text)], &limits).unwrap();
            if let Some((said_at, before)) = said_before.filter(|said| time.mono_ms >= said.0 + window) {
                prop_assert_eq!(heard.as_ref(), Some(&before), "said at {}", said_at);
            }
            hear(&mut alice, time, window, &mut told_at, &mut heard);
            prop_assert_eq!(heard.as_ref() == Some(&text), is_quiet);
            said = Some((time.mono_ms, text));
        }
    }
}

/// Takes the notices of this moment; there is at most one.
fn hear(
    alice: &mut Presentity,
    time: Now,
    window: u64,
    told_at: &mut Option<u64>,
    heard: &mut Option<String>,
) {
    while let Some(output) = alice.next_output() {
        if let Output::Notice { container, .. } = output {
            assert!(told_at.is_none_or(|told_at| time.mono_ms >= told_at + window));
            *told_at = Some(time.mono_ms);
            *heard = alice.view(container).notes().next().map(|note| note.text.to_string());
        }
    }
}
