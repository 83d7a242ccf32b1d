//! A naive model of a presentity and of those who watch it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::super::*;
use super::steps::{Basis, Step, WATCHERS, limits};
use crate::presence::container::Member;
use crate::presence::document::Stale;
use crate::presence::membership::MemberChange;
use crate::presence::publication::{Key, Payload};
use crate::presence::samples::{card, conn, subscription};

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

/// All that the user's own endpoints see, with versions.
fn own_picture(presentity: &Presentity) -> Picture {
    let mut picture = Picture::new();
    for container in [ContainerId::SELF_AGGREGATION, ContainerId::TEAM_AGGREGATION] {
        let text = format!("{container:?} {:?}", presentity.aggregated(container));
        picture.entry(Category::State).or_default().insert(text);
    }
    for one in presentity.publications() {
        picture.entry(one.key.category.clone()).or_default().insert(format!("{one:?}"));
    }
    picture
}

#[derive(Default)]
pub struct Model {
    endpoints: BTreeSet<ConnId>,
    publications: BTreeMap<Key, (Life, Arc<Payload>)>,
    /// The highest version ever seen of each key.
    versions: BTreeMap<Key, u32>,
    members: BTreeMap<ContainerId, (u32, BTreeSet<Member>)>,
    contacts_only: bool,
    watchers: BTreeMap<SubscriptionId, (Watch, Picture)>,
    /// What the user's own endpoints hold.
    own: Picture,
    own_containers: BTreeMap<ContainerId, Container>,
    aggregate_versions: [(u32, Option<Aggregate>); 2],
}

impl Model {
    /// The model of a `presentity` to which nothing has happened yet.
    pub fn new(presentity: &Presentity) -> Model {
        let mut model = Model {
            own: own_picture(presentity),
            own_containers: presentity.containers().map(|one| (one.id, one)).collect(),
            ..Model::default()
        };
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
        if let Relation::Application(level) = watch.relation {
            let is_stranger = self.contacts_only && !watch.is_contact;
            return if is_stranger {
                ContainerId::DEFAULT
            } else {
                ContainerId::LEVELS[usize::from(level)]
            };
        }
        let ways = [
            Member::User(watch.watcher.clone()),
            Member::Domain(watch.watcher.domain().into()),
            match watch.relation {
                Relation::SameEnterprise => Member::SameEnterprise,
                Relation::Federated => Member::Federated,
                Relation::PublicCloud | Relation::Application(_) => Member::PublicCloud,
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
                self.hear_own(presentity, output);
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

    /// Takes what the user's own endpoints are told.
    fn hear_own(&mut self, presentity: &Presentity, output: Output) {
        match output {
            Output::OwnCategories(categories) => {
                let mut complete = own_picture(presentity);
                for category in categories {
                    self.own.remove(&category);
                    self.own.extend(complete.remove_entry(&category));
                }
            }
            Output::OwnContainers(containers) => {
                for one in presentity.containers().filter(|one| containers.contains(&one.id)) {
                    self.own_containers.insert(one.id, one);
                }
            }
            Output::OwnSubscribers | Output::Notice { .. } => {}
        }
    }

    fn check(&mut self, presentity: &Presentity) {
        presentity.check_invariants();
        // The user's own endpoints always know all.
        assert_eq!(self.own, own_picture(presentity));
        assert!(self.own_containers.values().cloned().eq(presentity.containers()));
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
pub fn take(step: Step, time: &mut Now, presentity: &mut Presentity, model: &mut Model) {
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
