//! Who is told of what.

use super::stage::*;
use crate::base::limits::Limits;
use crate::immcu::conference::*;

fn small() -> Limits {
    Limits { conference_roster_told_max: 2, ..Limits::default() }
}

#[test]
fn every_change_has_the_next_version() {
    let mut stage = Stage::new(description());
    assert_eq!(stage.conference.version(), 1);
    stage.chat("alice", leg(0, 1));
    assert_eq!(stage.conference.version(), 2, "whether anybody watches or not");
    stage.watch("alice", subscription(1, 1));
    stage.watch("bob", subscription(0, 2));
    assert_eq!(stage.chat("bob", leg(0, 2))[2], "tell v3 to 0.2 1.1: bob");
    let role = Command::SetRole { who: user("bob"), role: Role::Presenter };
    assert_eq!(stage.command("alice", role.clone()), ["done", "tell v4 to 0.2 1.1: bob"]);
    assert_eq!(stage.command("alice", role), ["done"], "nothing has changed");
    assert_eq!(stage.leave(leg(0, 2)), ["departed bob after 0 Bye", "tell v5 to 0.2 1.1: bob"]);
}

#[test]
fn above_the_bound_members_are_not_told_and_below_again_all_at_once() {
    let mut stage = Stage::with(Description { lobby: true, ..description() }, small());
    stage.chat("alice", leg(0, 1));
    stage.watch("alice", subscription(0, 1));
    assert_eq!(stage.chat("bob", leg(0, 2))[2], "tell v3 to 0.1: bob");
    assert!(stage.conference.is_told());
    assert_eq!(stage.chat("carol", leg(0, 3)), ["joined 0.3", "entered carol Attendee"]);
    assert!(!stage.conference.is_told());
    assert_eq!(stage.chat("dave", leg(0, 4)), ["joined 0.4", "entered dave Attendee"]);
    assert_eq!(stage.conference.version(), 5, "each state has its number all the same");
    assert_eq!(stage.watch("bob", subscription(0, 2)), ["seen 0.2"]);
    let role = Command::SetRole { who: user("bob"), role: Role::Presenter };
    assert_eq!(stage.command("alice", role), ["done"]);
    assert_eq!(
        stage.command("alice", Command::Lock(true)),
        ["done", "tell v7 to 0.1 0.2: Description"],
        "what was laid down is told"
    );
    assert_eq!(stage.focus("erin", leg(0, 5)), ["waiting 0.5", "tell v8 to 0.1 0.2: erin"]);
    stage.watch("erin", subscription(0, 5));
    assert_eq!(
        stage.command("alice", Command::Admit { who: user("erin"), let_in: true }),
        ["done", "entered erin Attendee", "tell v9 to 0.1 0.2: erin", "tell v9 to 0.5: All"],
        "who waits is waited for"
    );
    assert_eq!(stage.leave(leg(0, 5))[..1], ["dismiss 0.5"]);
    assert_eq!(stage.leave(leg(0, 4)), ["departed dave after 0 Bye"]);
    assert_eq!(stage.leave(leg(0, 3)), ["departed carol after 0 Bye", "tell v12 to 0.1 0.2: All"]);
    assert!(stage.conference.is_told());
    assert_eq!(stage.leave(leg(0, 2))[2], "tell v13 to 0.1: bob");
}

#[test]
fn who_asks_once_sees_all_and_hears_no_more() {
    let mut stage = Stage::with(description(), small());
    stage.chat("alice", leg(0, 1));
    assert_eq!(stage.poll("alice", subscription(0, 1)), ["seen 0.1"]);
    assert_eq!(stage.chat("bob", leg(0, 2)), ["joined 0.2", "entered bob Attendee"]);
    assert_eq!(stage.watch("alice", subscription(0, 2)), ["seen 0.2"]);
    assert_eq!(stage.poll("alice", subscription(0, 2)), ["seen 0.2"], "that ends it");
    assert_eq!(stage.leave(leg(0, 2)), ["departed bob after 0 Bye"]);
}

#[test]
fn a_subscription_is_extended_and_ends() {
    let mut stage = Stage::new(description());
    stage.chat("alice", leg(0, 1));
    for _ in 0..2 {
        assert_eq!(stage.watch("alice", subscription(0, 1)), ["seen 0.1"]);
    }
    assert_eq!(stage.chat("bob", leg(0, 2))[2], "tell v3 to 0.1: bob");
    let subscription = subscription(0, 1);
    assert_eq!(stage.hear(Input::Unwatch { subscription }), [""; 0]);
    assert_eq!(stage.hear(Input::Unwatch { subscription }), [""; 0]);
    assert_eq!(stage.leave(leg(0, 2)), ["departed bob after 0 Bye"]);
}

#[test]
fn who_may_join_may_watch_and_nobody_else() {
    let admission = Admission::ClosedAuthenticated;
    let invited = [(user("bob"), Role::Attendee)].into();
    let mut stage = Stage::new(Description { admission, invited, lobby: true, ..description() });
    assert_eq!(stage.watch("alice", subscription(0, 1)), ["seen 0.1"]);
    assert_eq!(stage.watch("bob", subscription(0, 2)), ["seen 0.2"]);
    assert_eq!(stage.watch("carol", subscription(0, 3)), ["unseen 0.3 NotInvited"]);
    let guest = stage.watch_as("dave", subscription(0, 4), Relation::Anonymous);
    assert_eq!(guest, ["unseen 0.4 GuestsNotAllowed"]);
    stage.focus("carol", leg(0, 3));
    assert_eq!(stage.watch("carol", subscription(0, 3)), ["seen 0.3"], "she waits");
    stage.command("alice", Command::Lock(true));
    assert_eq!(stage.watch("bob", subscription(0, 2)), ["unseen 0.2 Locked"]);
    stage.chat("alice", leg(0, 1));
    assert_eq!(
        stage.command("alice", Command::Lock(false)),
        ["done", "tell v5 to 0.1: Description"],
        "his old one is over, and hers shows herself alone"
    );
}

#[test]
fn subscriptions_have_a_bound_and_nobody_takes_all_the_places() {
    let limits =
        Limits { conference_watchers_max: 3, watches_per_watcher_max: 2, ..Limits::default() };
    let mut stage = Stage::with(description(), limits);
    stage.watch("alice", subscription(0, 1));
    stage.watch("alice", subscription(0, 2));
    assert_eq!(stage.watch("alice", subscription(0, 3)), ["unseen 0.3 TooManyWatchers"]);
    assert_eq!(stage.watch("bob", subscription(0, 4)), ["seen 0.4"]);
    assert_eq!(stage.watch("carol", subscription(0, 5)), ["unseen 0.5 TooManyWatchers"]);
    assert_eq!(stage.poll("carol", subscription(0, 5)), ["seen 0.5"]);
    assert_eq!(stage.watch("bob", subscription(0, 4)), ["seen 0.4"]);
    stage.hear(Input::Unwatch { subscription: subscription(0, 1) });
    assert_eq!(stage.watch("carol", subscription(0, 5)), ["seen 0.5"]);
}
