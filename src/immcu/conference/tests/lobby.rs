//! Waiting to be let in.

use super::stage::*;
use crate::base::limits::Limits;
use crate::immcu::conference::*;

fn admit(name: &str, let_in: bool) -> Command {
    Command::Admit { who: user(name), let_in }
}

/// Alice is in and watches; bob waits, for only who was invited comes in.
fn bob_waits() -> Stage {
    bob_waits_with(Limits::default())
}

fn bob_waits_with(limits: Limits) -> Stage {
    let admission = Admission::ClosedAuthenticated;
    let invited = [(user("carol"), Role::Attendee)].into();
    let description = Description { admission, invited, lobby: true, ..description() };
    let mut stage = Stage::with(description, limits);
    stage.chat("alice", leg(0, 1));
    stage.watch("alice", subscription(0, 1));
    assert_eq!(stage.focus("bob", leg(1, 2)), ["waiting 1.2", "tell v3 to 0.1: bob"]);
    assert_eq!(stage.waiting(), ["bob"]);
    assert_eq!(stage.names(), ["alice"]);
    stage
}

#[test]
fn who_waits_is_not_reached_by_anything() {
    let mut stage = bob_waits();
    assert_eq!(stage.watch("bob", subscription(1, 2)), ["seen 1.2"]);
    assert_eq!(stage.say(leg(0, 1), "hello"), ["said 0.1 #1"]);
    assert_eq!(stage.say(leg(1, 2), "hello"), ["unsaid 1.2 NotMember"]);
    assert_eq!(stage.hear(Input::Type { reach: leg(1, 2), typing: true }), [""; 0]);
    assert_eq!(stage.command("bob", admit("bob", true)), ["forbidden NotPresenter"]);
    let heard = stage.chat("carol", leg(0, 3));
    assert_eq!(
        heard,
        [
            "joined 0.3",
            "entered carol Attendee",
            "recall 0.3: #1 alice hello",
            "tell v4 to 0.1: carol"
        ]
    );
    assert_eq!(
        stage.command("alice", Command::Lock(true)),
        ["done", "tell v5 to 0.1: Description"]
    );
}

#[test]
fn a_chat_leg_of_who_waits_is_refused() {
    let mut stage = bob_waits();
    assert_eq!(stage.chat("bob", leg(1, 3)), ["refused 1.3 InLobby"]);
    assert_eq!(stage.chat("bob", pager("bob")), ["refused bob InLobby"]);
    assert_eq!(stage.focus("bob", leg(1, 4)), ["waiting 1.4", "tell v4 to 0.1: bob"]);
    assert_eq!(stage.conference.who(&leg(1, 4)), Some(&user("bob")));
    assert_eq!(stage.conference.who(&leg(1, 3)), None);
}

#[test]
fn who_is_let_in_is_told_all_and_hears_what_was_said() {
    let mut stage = bob_waits();
    stage.watch("bob", subscription(1, 2));
    stage.say(leg(0, 1), "hello");
    assert_eq!(
        stage.command("alice", admit("bob", true)),
        ["done", "entered bob Attendee", "tell v4 to 0.1: bob", "tell v4 to 1.2: All"]
    );
    assert_eq!((stage.names(), stage.waiting()), (vec!["alice", "bob"], vec![]));
    assert_eq!(
        stage.chat("bob", leg(1, 3)),
        ["joined 1.3", "recall 1.3: #1 alice hello", "tell v5 to 0.1 1.2: bob"]
    );
}

#[test]
fn who_is_turned_away_is_let_go() {
    let mut stage = bob_waits();
    stage.watch("bob", subscription(1, 2));
    stage.focus("bob", leg(1, 4));
    let turned_away = [
        "done",
        "release 1.2 Ejected",
        "release 1.4 Ejected",
        "dismiss 1.2",
        "tell v5 to 0.1: bob",
    ];
    assert_eq!(stage.command("alice", admit("bob", false)), turned_away);
    assert_eq!(stage.command("alice", admit("bob", false)), ["forbidden NoSuchMember"]);
    assert_eq!(stage.focus("bob", leg(1, 5)), ["waiting 1.5", "tell v6 to 0.1: bob"]);
    let eject = Command::Eject { who: user("bob") };
    let heard = stage.command("alice", eject);
    assert_eq!(heard, ["done", "release 1.5 Ejected", "tell v7 to 0.1: bob"]);
}

#[test]
fn who_gives_up_leaves_the_lobby_with_his_last_leg() {
    let mut stage = bob_waits();
    stage.watch("bob", subscription(1, 2));
    stage.focus("bob", leg(1, 4));
    assert_eq!(stage.leave(leg(1, 2)), ["tell v5 to 0.1: bob"]);
    assert_eq!(stage.leave(leg(1, 4)), ["dismiss 1.2", "tell v6 to 0.1: bob"]);
    assert_eq!(stage.waiting(), [""; 0]);
}

#[test]
fn who_waits_comes_in_with_all_his_legs_once_he_may() {
    let mut stage = bob_waits();
    stage.watch("bob", subscription(1, 2));
    let who = user("bob");
    stage.command("alice", Command::Invite { who, role: Role::Presenter });
    assert_eq!(stage.waiting(), ["bob"], "he has to ask again");
    assert_eq!(
        stage.chat("bob", leg(1, 3)),
        ["joined 1.3", "entered bob Presenter", "tell v4 to 0.1: bob", "tell v4 to 1.2: All"]
    );
    assert_eq!(stage.conference.member(&user("bob")).unwrap().legs.len(), 2);
    assert_eq!(stage.say(leg(1, 3), "hello"), ["said 1.3 #1", "carry 0 [1]: #1 bob hello"]);
}

#[test]
fn who_waits_may_present_once_let_in_if_he_was_invited_so() {
    let invited = [(user("bob"), Role::Presenter)].into();
    let description = Description { invited, lobby: true, locked: true, ..description() };
    let mut stage = Stage::new(description);
    stage.chat("alice", leg(0, 1));
    assert_eq!(stage.focus("bob", leg(0, 2)), ["waiting 0.2"]);
    assert_eq!(stage.command("alice", admit("bob", true)), ["done", "entered bob Presenter"]);
}

#[test]
fn the_lobby_and_the_legs_of_who_waits_have_bounds() {
    let limits = Limits {
        conference_members_max: 2,
        conference_legs_per_member_max: 2,
        ..Limits::default()
    };
    let mut stage = bob_waits_with(limits);
    assert_eq!(stage.focus("bob", leg(1, 3))[0], "waiting 1.3");
    assert_eq!(stage.focus("bob", leg(1, 4)), ["refused 1.4 TooManyLegs"]);
    assert_eq!(stage.focus("dave", leg(1, 5))[0], "waiting 1.5");
    assert_eq!(stage.focus("erin", leg(1, 6)), ["refused 1.6 Full"]);
    stage.chat("carol", leg(0, 2));
    assert_eq!(stage.command("alice", admit("bob", true)), ["forbidden Full"]);
    stage.leave(leg(0, 2));
    let who = user("bob");
    stage.command("alice", Command::Invite { who, role: Role::Attendee });
    assert_eq!(stage.focus("bob", leg(1, 4)), ["refused 1.4 TooManyLegs"]);
    assert_eq!(stage.command("alice", admit("bob", true))[0], "done");
}

#[test]
fn the_lobby_does_not_keep_a_conference_alive() {
    let mut stage = bob_waits();
    stage.watch("bob", subscription(1, 2));
    assert_eq!(
        stage.leave(leg(0, 1)),
        [
            "departed alice after 0 Bye",
            "tell v4 to 0.1: alice",
            "release 1.2 Ended",
            "dismiss 0.1",
            "dismiss 1.2",
            "ended LastLeft"
        ]
    );
}

#[test]
fn nobody_waits_in_pager_mode() {
    let mut stage = bob_waits();
    assert_eq!(stage.focus("bob", pager("bob")), ["refused bob InLobby"]);
    assert_eq!(stage.focus("dave", pager("dave")), ["refused dave NotInvited"]);
}

#[test]
fn who_waits_may_ask_again_on_the_same_leg() {
    let mut stage = bob_waits();
    assert_eq!(stage.focus("bob", leg(1, 2)), ["waiting 1.2"]);
    let who = user("bob");
    stage.command("alice", Command::Invite { who, role: Role::Attendee });
    assert_eq!(stage.focus("bob", leg(1, 2))[..2], ["joined 1.2", "entered bob Attendee"]);
    assert_eq!(stage.conference.member(&user("bob")).unwrap().legs.len(), 1);
}
