//! Who may do what.

use super::stage::*;
use crate::base::limits::Limits;
use crate::immcu::conference::*;

fn invite(name: &str, role: Role) -> Command {
    Command::Invite { who: user(name), role }
}

fn set_role(name: &str, role: Role) -> Command {
    Command::SetRole { who: user(name), role }
}

fn eject(name: &str) -> Command {
    Command::Eject { who: user(name) }
}

fn modify(modification: Modification) -> Command {
    Command::Modify(modification)
}

fn two(description: Description) -> Stage {
    let mut stage = Stage::new(description);
    stage.chat("alice", leg(0, 1));
    stage.chat("bob", leg(0, 2));
    stage
}

#[test]
fn only_presenters_may_and_nothing_changes_for_others() {
    for command in [
        invite("carol", Role::Attendee),
        set_role("bob", Role::Presenter),
        eject("alice"),
        eject("bob"),
        Command::Lock(true),
        Command::Admit { who: user("carol"), let_in: true },
        modify(Modification { lobby: Some(true), ..Modification::default() }),
        Command::End,
    ] {
        let mut stage = two(description());
        let before = stage.conference.description().clone();
        for by in ["bob", "carol"] {
            let heard = stage.command(by, command.clone());
            assert_eq!(heard, ["forbidden NotPresenter"], "{command:?}");
        }
        assert_eq!(*stage.conference.description(), before);
    }
}

#[test]
fn the_organiser_may_before_he_is_in() {
    let mut stage = Stage::new(description());
    assert_eq!(stage.command("alice", Command::Lock(true)), ["done"]);
    assert_eq!(stage.command("alice", Command::End), ["done", "ended Deleted"]);
}

#[test]
fn who_is_made_presenter_may_and_who_is_no_more_may_not() {
    let mut stage = two(description());
    assert_eq!(stage.command("alice", set_role("bob", Role::Presenter)), ["done"]);
    assert_eq!(stage.command("bob", Command::Lock(true)), ["done"]);
    assert_eq!(stage.command("bob", set_role("bob", Role::Attendee)), ["done"]);
    assert_eq!(stage.command("bob", Command::Lock(false)), ["forbidden NotPresenter"]);
}

#[test]
fn the_organiser_is_not_removed_or_demoted() {
    let mut stage = two(description());
    stage.command("alice", set_role("bob", Role::Presenter));
    assert_eq!(stage.command("bob", eject("alice")), ["forbidden Organiser"]);
    assert_eq!(stage.command("bob", set_role("alice", Role::Attendee)), ["forbidden Organiser"]);
    assert_eq!(stage.command("alice", eject("alice")), ["forbidden Organiser"]);
    assert_eq!(stage.command("bob", set_role("alice", Role::Presenter)), ["done"]);
    let heard = stage.operator(eject("alice"));
    assert_eq!(heard, ["done", "release 0.1 Ejected", "departed alice after 0 Ejected"]);
}

#[test]
fn who_is_not_in_is_nobody() {
    let mut stage = two(description());
    for command in [
        set_role("carol", Role::Presenter),
        eject("carol"),
        Command::Admit { who: user("carol"), let_in: true },
        Command::Admit { who: user("bob"), let_in: true },
    ] {
        let heard = stage.command("alice", command.clone());
        assert_eq!(heard, ["forbidden NoSuchMember"], "{command:?}");
    }
}

#[test]
fn who_is_invited_may_come() {
    let admission = Admission::ClosedAuthenticated;
    let mut stage = Stage::new(Description { admission, ..description() });
    assert_eq!(stage.command("alice", invite("bob", Role::Presenter)), ["done", "invited bob"]);
    let heard = stage.chat("bob", leg(0, 2));
    assert_eq!(heard, ["joined 0.2", "started", "entered bob Presenter"]);
    let heard = stage.command("bob", invite("bob", Role::Presenter));
    assert_eq!(heard, ["done"], "he is in");
    let heard = stage.command("bob", invite("alice", Role::Attendee));
    assert_eq!(heard, ["done", "invited alice"]);
    assert!(!stage.conference.description().invited.contains_key(&user("alice")));
    assert_eq!(stage.chat("alice", leg(0, 1))[1], "entered alice Presenter");
}

#[test]
fn invitations_have_a_bound() {
    let limits = Limits { conference_invited_max: 1, ..Limits::default() };
    let mut stage = Stage::with(description(), limits.clone());
    stage.command("alice", invite("bob", Role::Attendee));
    let heard = stage.command("alice", invite("carol", Role::Attendee));
    assert_eq!(heard, ["forbidden TooManyInvited"]);
    let heard = stage.command("alice", invite("bob", Role::Presenter));
    assert_eq!(heard, ["done", "invited bob"]);
    let heard = stage.command("alice", invite("alice", Role::Presenter));
    assert_eq!(heard, ["done", "invited alice"]);
    let mut description = stage.conference.description().clone();
    assert_eq!(description.check(&limits), Ok(()));
    description.invited.insert(user("carol"), Role::Attendee);
    assert_eq!(description.check(&limits), Err(Refusal::TooManyInvited));
}

/// Leaving and coming back undoes no demotion.
#[test]
fn who_was_invited_comes_back_as_what_he_was_made() {
    let invited = [(user("bob"), Role::Presenter)].into();
    let mut stage = two(Description { invited, ..scheduled() });
    let heard = stage.command("alice", set_role("bob", Role::Attendee));
    assert_eq!(heard, ["done", "changed"]);
    stage.leave(leg(0, 2));
    assert_eq!(stage.chat("bob", leg(0, 3))[1], "entered bob Attendee");
}

#[test]
fn the_lock_keeps_all_others_out_and_can_be_taken_away() {
    let invited = [(user("carol"), Role::Attendee)].into();
    let mut stage = two(Description { invited, ..description() });
    stage.watch("alice", subscription(0, 1));
    let heard = stage.command("alice", Command::Lock(true));
    assert_eq!(heard, ["done", "tell v4 to 0.1: Description"]);
    assert_eq!(stage.command("alice", Command::Lock(true)), ["done"]);
    assert_eq!(stage.chat("carol", leg(0, 3)), ["refused 0.3 Locked"]);
    assert_eq!(stage.chat("bob", leg(0, 4))[0], "joined 0.4", "members may open legs");
    stage.command("alice", Command::Lock(false));
    assert_eq!(stage.chat("carol", leg(0, 3))[0], "joined 0.3");
}

#[test]
fn what_was_laid_down_can_be_changed() {
    let mut stage = two(description());
    stage.watch("alice", subscription(0, 1));
    let change = modify(Modification {
        subject: Some("Lunch".into()),
        admission: Some(Admission::ClosedAuthenticated),
        lobby: Some(true),
        expires_unix_ms: None,
    });
    let heard = stage.command("alice", change.clone());
    assert_eq!(heard, ["done", "tell v4 to 0.1: Description"]);
    assert_eq!(stage.command("alice", change), ["done"]);
    assert_eq!(stage.command("alice", modify(Modification::default())), ["done"]);
    let changed = Description {
        subject: "Lunch".into(),
        admission: Admission::ClosedAuthenticated,
        lobby: true,
        ..description()
    };
    assert_eq!(*stage.conference.description(), changed);
    assert_eq!(stage.focus("carol", leg(0, 3))[0], "waiting 0.3");
}

#[test]
fn what_changes_of_a_scheduled_conference_is_kept() {
    let mut stage = two(scheduled());
    let subject = Modification { subject: Some("Lunch".into()), ..Modification::default() };
    for (command, heard) in [
        (invite("carol", Role::Attendee), &["done", "changed", "invited carol"][..]),
        (invite("carol", Role::Attendee), &["done", "invited carol"]),
        (Command::Lock(true), &["done", "changed"]),
        (Command::Lock(true), &["done"]),
        (modify(subject), &["done", "changed"]),
        (set_role("bob", Role::Presenter), &["done"]),
    ] {
        assert_eq!(stage.command("alice", command.clone()), heard, "{command:?}");
    }
}
