//! Who is where.

use super::*;

fn user(name: &str) -> Member {
    Member::User(Aor::new(name))
}

fn change(container: ContainerId, version: u32, steps: Vec<MemberChange>) -> MembersChange {
    MembersChange { container, version, steps }
}

fn commit(membership: &mut Membership, changes: &[MembersChange]) {
    for row in membership.plan(changes, &Limits::default()).unwrap() {
        let Row::PutContainer(container) = row else { panic!("{row:?}") };
        membership.put(container);
    }
    membership.check_invariants();
}

fn level(membership: &Membership, who: &str, relation: Relation) -> u32 {
    membership.level_of(&Aor::new(who), relation).0
}

#[test]
fn without_any_change_the_relation_decides() {
    let membership = Membership::default();
    assert_eq!(level(&membership, "bob@example.test", Relation::SameEnterprise), 200);
    assert_eq!(level(&membership, "bob@other.test", Relation::Federated), 100);
    assert_eq!(level(&membership, "bob@public.test", Relation::PublicCloud), 32_000);
    assert!(membership.containers().all(|container| container.version == 0));
    assert_eq!(
        membership.containers().map(|container| container.id.0).collect::<Vec<_>>(),
        [0, 100, 200, 300, 400, 32_000]
    );
}

#[test]
fn a_person_goes_before_his_domain_before_his_relation_before_everybody() {
    use MemberChange::{Add, Remove};
    let mut membership = Membership::default();
    let who = "bob@other.test";
    let at = |membership: &Membership| level(membership, who, Relation::Federated);
    commit(&mut membership, &[change(ContainerId::FRIENDS, 0, vec![Add(Member::Everyone)])]);
    assert_eq!(at(&membership), 100);
    let federated = vec![Remove(Member::Federated)];
    commit(&mut membership, &[change(ContainerId::PUBLIC, 0, federated)]);
    assert_eq!(at(&membership), 400);
    let domain = vec![Add(Member::Domain("other.test".into()))];
    commit(&mut membership, &[change(ContainerId::PUBLIC, 1, domain)]);
    assert_eq!(at(&membership), 100);
    commit(&mut membership, &[change(ContainerId::WORKGROUP, 0, vec![Add(user(who))])]);
    assert_eq!(at(&membership), 300);
    commit(&mut membership, &[change(ContainerId::BLOCKED, 0, vec![Add(user(who))])]);
    assert_eq!(at(&membership), 32_000);
    assert_eq!(level(&membership, "bob2@other.test", Relation::Federated), 100);
}

#[test]
fn a_change_that_rests_on_another_version_changes_nothing() {
    let mut membership = Membership::default();
    let steps = vec![MemberChange::Add(user("bob@example.test"))];
    commit(&mut membership, &[change(ContainerId::BLOCKED, 0, steps.clone())]);
    let changes =
        [change(ContainerId::WORKGROUP, 0, steps.clone()), change(ContainerId::BLOCKED, 0, steps)];
    assert_eq!(
        membership.plan(&changes, &Limits::default()),
        Err(MembersError::Stale { index: 2, version: 0, current: 1 })
    );
}

#[test]
fn a_container_named_twice_changes_twice() {
    let mut membership = Membership::default();
    let add = |name| vec![MemberChange::Add(user(name))];
    let changes = [
        change(ContainerId::FRIENDS, 0, add("bob@example.test")),
        change(ContainerId::FRIENDS, 1, add("carol@example.test")),
    ];
    commit(&mut membership, &changes);
    let friends = membership.containers().find(|one| one.id == ContainerId::FRIENDS).unwrap();
    assert_eq!((friends.version, friends.members.len()), (2, 2));
}

#[test]
fn a_container_has_no_more_members_than_the_limit() {
    let limits = Limits { members_per_container_max: 2, ..Limits::default() };
    let add = |name| MemberChange::Add(user(name));
    let mut membership = Membership::default();
    let two = change(ContainerId::FRIENDS, 0, vec![add("a@x"), add("b@x")]);
    assert!(membership.plan(&[two], &limits).is_ok());
    let three = change(ContainerId::FRIENDS, 0, vec![add("a@x"), add("b@x"), add("c@x")]);
    let three = [three];
    assert_eq!(membership.plan(&three, &limits), Err(MembersError::TooMany));
    // The bound was lowered; what takes away is taken.
    commit(&mut membership, &three);
    let limits = Limits { members_per_container_max: 1, ..limits };
    let less = change(ContainerId::FRIENDS, 1, vec![MemberChange::Remove(user("a@x"))]);
    assert!(membership.plan(&[less], &limits).is_ok());
}

#[test]
fn a_container_at_which_nobody_can_be_has_no_members() {
    for id in [1, 2, 3, 7, 40_000] {
        let id = ContainerId(id);
        let plan = Membership::default().plan(&[change(id, 0, Vec::new())], &Limits::default());
        assert_eq!(plan, Err(MembersError::Unknown(id)));
    }
}
