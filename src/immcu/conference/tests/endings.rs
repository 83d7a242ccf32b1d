//! How a conference ends.

use std::time::Duration;

use super::stage::*;
use crate::base::time::Deadline;
use crate::immcu::conference::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn modify_expiry(expires_unix_ms: u64) -> Command {
    let expires_unix_ms = Some(expires_unix_ms);
    Command::Modify(Modification { expires_unix_ms, ..Modification::default() })
}

#[test]
fn an_ad_hoc_conference_ends_with_its_last_member() {
    let mut stage = Stage::new(description());
    stage.chat("alice", leg(0, 1));
    stage.chat("bob", leg(0, 2));
    assert_eq!(stage.leave(leg(0, 1)), ["departed alice after 0 Bye"], "not with its organiser");
    let heard = stage.leave(leg(0, 2));
    assert_eq!(heard, ["departed bob after 0 Bye", "ended LastLeft"]);
    assert!(stage.conference.is_over());
}

#[test]
fn an_ad_hoc_conference_that_nobody_joins_ends() {
    let mut stage = Stage::new(Description { lobby: true, locked: true, ..description() });
    assert_eq!(stage.conference.next_deadline(), Some(Deadline(605_000)));
    stage.focus("bob", leg(0, 1));
    stage.pass(Duration::from_millis(599_999));
    assert_eq!(stage.hear(Input::Tick), [""; 0]);
    stage.pass(Duration::from_millis(1));
    assert_eq!(stage.hear(Input::Tick), ["release 0.1 Ended", "ended Abandoned"]);
}

#[test]
fn an_ad_hoc_conference_has_no_time_while_somebody_is_in() {
    let mut stage = Stage::new(description());
    stage.chat("alice", leg(0, 1));
    assert_eq!(stage.conference.next_deadline(), None);
    assert_eq!(stage.sleep(3 * DAY), [""; 0]);
    stage.pass(DAY);
    assert_eq!(stage.hear(Input::Tick), [""; 0]);
}

#[test]
fn a_scheduled_conference_survives_its_last_member_and_ends_when_its_time_is_up() {
    let mut stage = Stage::new(scheduled());
    assert_eq!(stage.sleep(DAY), [""; 0], "nobody need join at once");
    stage.chat("alice", leg(0, 1));
    assert_eq!(stage.conference.next_deadline(), None);
    assert_eq!(stage.leave(leg(0, 1)), ["departed alice after 0 Bye"]);
    assert_eq!(stage.conference.next_deadline(), Some(Deadline(2 * 86_400_000 + 5_000)));
    let started = stage.conference.started();
    assert_eq!(stage.chat("bob", leg(0, 2)), ["joined 0.2", "entered bob Attendee"]);
    assert_eq!(stage.conference.started(), started, "it starts once");
    stage.leave(leg(0, 2));
    assert_eq!(stage.sleep(DAY), ["ended Expired"]);
}

#[test]
fn a_scheduled_conference_goes_on_beyond_its_time_until_the_last_has_left() {
    let mut stage = Stage::new(scheduled());
    stage.chat("alice", leg(0, 1));
    assert_eq!(stage.sleep(3 * DAY), [""; 0]);
    assert_eq!(stage.hear(Input::Tick), [""; 0]);
    assert_eq!(stage.leave(leg(0, 1)), ["departed alice after 0 Bye", "ended Expired"]);
}

#[test]
fn a_kept_conference_whose_time_was_up_meanwhile_ends_at_once() {
    let mut stage = Stage::new(Description { expires_unix_ms: BORN_UNIX_MS - 1, ..scheduled() });
    assert_eq!(stage.conference.next_deadline(), Some(Deadline(5_000)));
    assert_eq!(stage.hear(Input::Tick), ["ended Expired"]);
}

#[test]
fn the_clock_of_the_wall_decides_when_time_is_up() {
    let mut stage = Stage::new(scheduled());
    stage.now.mono_ms += 2 * 86_400_000;
    stage.now.unix_ms += 86_400_000;
    assert_eq!(stage.hear(Input::Tick), [""; 0], "the clock was set back a day");
    assert_eq!(stage.conference.next_deadline(), Some(Deadline(3 * 86_400_000 + 5_000)));
    stage.now.unix_ms += 86_400_000;
    assert_eq!(stage.hear(Input::Tick), ["ended Expired"]);
}

#[test]
fn the_clock_may_be_set_while_somebody_is_in() {
    let mut stage = Stage::new(scheduled());
    stage.chat("alice", leg(0, 1));
    stage.now.unix_ms += 86_400_000;
    assert_eq!(stage.leave(leg(0, 1)), ["departed alice after 0 Bye"]);
    assert_eq!(stage.conference.next_deadline(), Some(Deadline(86_400_000 + 5_000)));
}

#[test]
fn another_time_makes_another_end() {
    let mut stage = Stage::new(scheduled());
    let shorter = modify_expiry(BORN_UNIX_MS + 1_000);
    assert_eq!(stage.command("alice", shorter), ["done", "changed"]);
    assert!(stage.conference.description().scheduled, "it stays what it is");
    assert_eq!(stage.conference.next_deadline(), Some(Deadline(6_000)));
    assert_eq!(stage.sleep(Duration::from_secs(1)), ["ended Expired"]);
}

#[test]
fn an_ad_hoc_conference_that_is_given_more_than_a_day_is_kept() {
    let mut stage = Stage::new(description());
    let day = BORN_UNIX_MS + 86_400_000;
    assert_eq!(stage.command("alice", modify_expiry(day)), ["done"]);
    assert_eq!(stage.command("alice", modify_expiry(day + 1)), ["done", "changed"]);
    assert!(stage.conference.description().scheduled);
    assert_eq!(stage.conference.next_deadline(), Some(Deadline(86_400_000 + 5_001)));
}

/// Who is let go, and in which order: legs, subscriptions, the record, the end.
#[test]
fn the_end_lets_everybody_go() {
    for (input, first, ending) in [
        (
            Input::Command { by: Some(user("alice")), command: Command::End },
            Some("done"),
            "ended Deleted",
        ),
        (Input::Command { by: None, command: Command::End }, Some("done"), "ended Operator"),
        (Input::Drain, None, "ended Drained"),
    ] {
        let mut stage = Stage::new(Description { lobby: true, ..scheduled() });
        stage.chat("alice", leg(0, 1));
        stage.focus("bob", leg(1, 2));
        stage.chat("bob", pager("bob"));
        stage.command("alice", Command::Lock(true));
        stage.focus("carol", leg(0, 3));
        stage.watch("alice", subscription(0, 1));
        stage.watch("carol", subscription(1, 3));
        stage.say(leg(0, 1), "goodbye");
        let heard = stage.hear(input);
        let rest = [
            "release 0.1 Ended",
            "release 1.2 Ended",
            "release bob Ended",
            "release 0.3 Ended",
            "dismiss 0.1",
            "dismiss 1.3",
            "departed alice after 1 Ended",
            "departed bob after 0 Ended",
            ending,
        ];
        assert_eq!(heard, first.into_iter().chain(rest).collect::<Vec<_>>());
        assert_eq!((stage.names().len(), stage.waiting().len()), (0, 0));
        assert_eq!((stage.conference.peak(), stage.conference.messages()), (2, 1));
        assert_eq!(stage.conference.next_deadline(), None);
    }
}

#[test]
fn after_the_end_whoever_asks_is_refused() {
    let mut stage = Stage::new(description());
    stage.chat("alice", leg(0, 1));
    stage.command("alice", Command::End);
    assert_eq!(stage.chat("alice", leg(0, 2)), ["refused 0.2 Ended"]);
    assert_eq!(stage.say(leg(0, 1), "hello"), ["unsaid 0.1 Ended"]);
    assert_eq!(stage.command("alice", Command::Lock(true)), ["forbidden Ended"]);
    assert_eq!(stage.operator(Command::End), ["forbidden Ended"]);
    assert_eq!(stage.watch("alice", subscription(0, 1)), ["unseen 0.1 Ended"]);
    assert_eq!(stage.leave(leg(0, 1)), [""; 0]);
    assert_eq!(stage.fail(leg(0, 1), 1), [""; 0]);
    assert_eq!(stage.hear(Input::Type { reach: leg(0, 1), typing: true }), [""; 0]);
    assert_eq!(stage.hear(Input::Drain), [""; 0]);
    assert_eq!(stage.hear(Input::Tick), [""; 0]);
}

#[test]
fn the_last_who_is_ejected_ends_it_too() {
    let mut stage = Stage::new(description());
    stage.chat("bob", leg(0, 1));
    let heard = stage.operator(Command::Eject { who: user("bob") });
    assert_eq!(
        heard,
        ["done", "release 0.1 Ejected", "departed bob after 0 Ejected", "ended LastLeft"]
    );
}

#[test]
fn members_in_pager_mode_alone_are_gone_after_a_long_silence() {
    let mut stage = Stage::new(description());
    stage.chat("alice", leg(0, 1));
    stage.chat("bob", pager("bob"));
    let idle = stage.limits.pager_idle_timeout;
    assert_eq!(stage.sleep(2 * idle), [""; 0], "alice has a dialog");
    stage.leave(leg(0, 1));
    stage.pass(idle / 2);
    stage.say(pager("bob"), "anybody?");
    assert_eq!(stage.sleep(idle - Duration::from_secs(1)), [""; 0]);
    let heard = stage.sleep(Duration::from_secs(1));
    assert_eq!(heard, ["release bob Gone", "departed bob after 1 Gone", "ended LastLeft"]);
}
