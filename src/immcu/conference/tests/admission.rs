//! Who may join, and as what.

use super::stage::*;
use crate::base::limits::Limits;
use crate::immcu::conference::*;

/// All of admission in one table: who, how he stands, with or without an invitation.
#[test]
fn admission_relation_invitation_and_lock_decide_who_comes_in() {
    use Admission::{ClosedAuthenticated, OpenAuthenticated};
    use Relation::{Anonymous, Enterprise, Federated};
    let not_invited = Some(Refusal::NotInvited);
    let guests = Some(Refusal::GuestsNotAllowed);
    for (admission, relation, invited, refusal) in [
        (ClosedAuthenticated, Enterprise, false, not_invited),
        (ClosedAuthenticated, Enterprise, true, None),
        (ClosedAuthenticated, Federated, false, not_invited),
        (ClosedAuthenticated, Federated, true, None),
        (ClosedAuthenticated, Anonymous, false, guests),
        (ClosedAuthenticated, Anonymous, true, guests),
        (OpenAuthenticated, Enterprise, false, None),
        (OpenAuthenticated, Enterprise, true, None),
        (OpenAuthenticated, Federated, false, not_invited),
        (OpenAuthenticated, Federated, true, None),
        (OpenAuthenticated, Anonymous, false, guests),
        (OpenAuthenticated, Anonymous, true, guests),
        (Admission::Anonymous, Enterprise, false, None),
        (Admission::Anonymous, Federated, false, not_invited),
        (Admission::Anonymous, Federated, true, None),
        (Admission::Anonymous, Anonymous, false, None),
    ] {
        for (locked, lobby, kind) in [
            (false, false, LegKind::Focus),
            (false, true, LegKind::Focus),
            (false, true, LegKind::Chat),
            (true, false, LegKind::Focus),
            (true, true, LegKind::Focus),
            (true, true, LegKind::Chat),
        ] {
            let mut description = Description { admission, lobby, locked, ..description() };
            if invited {
                description.invited.insert(user("bob"), Role::Attendee);
            }
            let case = format!("{admission:?} {relation:?} {invited} {locked} {lobby} {kind:?}");
            let mut stage = Stage::new(description);
            let heard = stage.join_as("bob", leg(0, 1), kind, relation);
            let refusal = if locked { Some(Refusal::Locked) } else { refusal };
            let expected = match refusal {
                None => vec!["joined 0.1".into(), "started".into(), "entered bob Attendee".into()],
                Some(_) if lobby && kind == LegKind::Focus => vec!["waiting 0.1".into()],
                Some(refusal) => vec![format!("refused 0.1 {refusal:?}")],
            };
            assert_eq!(heard, expected, "{case}");
        }
    }
}

#[test]
fn the_organiser_comes_in_whatever_stands_in_the_way_and_presents() {
    let limits = Limits { conference_members_max: 1, ..Limits::default() };
    let admission = Admission::ClosedAuthenticated;
    let invited = [(user("bob"), Role::Attendee), (user("alice"), Role::Attendee)].into();
    let mut stage = Stage::with(Description { admission, invited, ..description() }, limits);
    stage.chat("bob", leg(0, 1));
    stage.operator(Command::Lock(true));
    assert_eq!(stage.chat("alice", leg(0, 2)), ["joined 0.2", "entered alice Presenter"]);
}

#[test]
fn a_guest_who_calls_himself_the_organiser_is_a_guest() {
    let admission = Admission::Anonymous;
    let mut stage = Stage::new(Description { admission, ..description() });
    let heard = stage.join_as("alice", leg(0, 1), LegKind::Chat, Relation::Anonymous);
    assert_eq!(heard, ["joined 0.1", "started", "entered alice Attendee"]);
    let mut stage = Stage::new(Description { admission, locked: true, ..description() });
    let heard = stage.join_as("alice", leg(0, 1), LegKind::Chat, Relation::Anonymous);
    assert_eq!(heard, ["refused 0.1 Locked"]);
}

#[test]
fn a_guest_gets_no_leg_of_a_member_whose_name_he_takes() {
    let admission = Admission::Anonymous;
    let mut stage = Stage::new(Description { admission, ..description() });
    stage.chat("bob", leg(0, 1));
    let heard = stage.join_as("bob", leg(0, 2), LegKind::Chat, Relation::Anonymous);
    assert_eq!(heard, ["refused 0.2 GuestsNotAllowed"]);
    let heard = stage.watch_as("bob", subscription(0, 1), Relation::Anonymous);
    assert_eq!(heard, ["unseen 0.1 GuestsNotAllowed"]);
}

#[test]
fn an_invitation_makes_a_presenter() {
    let invited = [(user("bob"), Role::Presenter)].into();
    let mut stage = Stage::new(Description { invited, ..description() });
    assert_eq!(stage.chat("bob", leg(0, 1))[2], "entered bob Presenter");
    assert_eq!(stage.chat("carol", leg(0, 2))[1], "entered carol Attendee");
    assert_eq!(stage.command("bob", Command::Lock(true)), ["done"]);
}

#[test]
fn at_the_bound_of_members_nobody_comes_in_or_waits() {
    let limits = Limits { conference_members_max: 2, ..Limits::default() };
    let mut stage = Stage::with(Description { lobby: true, ..description() }, limits);
    stage.chat("bob", leg(0, 1));
    stage.chat("carol", leg(0, 2));
    assert_eq!(stage.focus("dave", leg(0, 3)), ["refused 0.3 Full"]);
    assert_eq!(stage.chat("bob", leg(0, 4)), ["joined 0.4"], "a member may open another leg");
    assert_eq!(stage.conference.peak(), 2);
    stage.leave(leg(0, 2));
    assert_eq!(stage.focus("dave", leg(0, 3))[0], "joined 0.3");
}

#[test]
fn labels_have_a_bound() {
    let limits = Limits { conference_label_bytes_max: 4, ..Limits::default() };
    let bob = || join("bob", leg(0, 1), LegKind::Chat, Relation::Enterprise);
    let mut stage = Stage::with(description(), limits.clone());
    let heard = stage.hear(Input::Join(Join { name: "12345".into(), ..bob() }));
    assert_eq!(heard, ["refused 0.1 LabelTooLong"]);
    let heard = stage.hear(Input::Join(Join { endpoint: "12345".into(), ..bob() }));
    assert_eq!(heard, ["refused 0.1 LabelTooLong"]);
    let heard =
        stage.hear(Input::Join(Join { name: "1234".into(), endpoint: "1234".into(), ..bob() }));
    assert_eq!(heard[0], "joined 0.1");
    let subject = |text: &str| {
        Command::Modify(Modification { subject: Some(text.into()), ..Modification::default() })
    };
    assert_eq!(stage.command("alice", subject("12345")), ["forbidden LabelTooLong"]);
    assert_eq!(stage.command("alice", subject("1234")), ["done"]);
    let described = |text: &str| Description { subject: text.into(), ..description() };
    let named = |text: &str| Description { organiser_name: text.into(), ..description() };
    assert_eq!(described("12345").check(&limits), Err(Refusal::LabelTooLong));
    assert_eq!(named("12345").check(&limits), Err(Refusal::LabelTooLong));
    assert_eq!(named("1234").check(&limits), Ok(()));
}

#[test]
fn refusals_that_are_bounds_name_them() {
    use crate::base::limits::Limit;
    assert_eq!(Refusal::Full.limit(), Some(Limit::ConferenceMembers));
    assert_eq!(Refusal::LabelTooLong.limit(), Some(Limit::ConferenceLabel));
    assert_eq!(Refusal::NotInvited.limit(), None);
}
