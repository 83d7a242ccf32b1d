//! Telling the author what did not arrive.

use std::time::Duration;

use super::stage::*;
use crate::base::limits::Limits;

/// Alice, bob with two endpoints, and carol in pager mode; alice has said #1.
fn one_said(limits: Limits) -> Stage {
    let mut stage = Stage::with(description(), limits);
    stage.chat("alice", leg(0, 1));
    stage.chat("bob", leg(0, 2));
    stage.chat("bob", leg(1, 3));
    stage.chat("carol", pager("carol"));
    stage.say(leg(0, 1), "one");
    stage
}

#[test]
fn a_member_who_was_not_reached_is_reported_once() {
    let mut stage = one_said(Limits::default());
    assert_eq!(stage.fail(pager("carol"), 1), ["report 0.1: #1 not to carol 408"]);
    assert_eq!(stage.fail(pager("carol"), 1), [""; 0]);
}

#[test]
fn a_member_is_reported_when_none_of_his_legs_was_reached() {
    let mut stage = one_said(Limits::default());
    assert_eq!(stage.fail(leg(0, 2), 1), [""; 0], "his other endpoint has it");
    assert_eq!(stage.fail(leg(0, 2), 1), [""; 0], "said twice, it is still one leg");
    assert_eq!(stage.fail(leg(1, 3), 1), ["report 0.1: #1 not to bob 408"]);
    assert_eq!(stage.fail(leg(0, 2), 1), [""; 0]);
}

#[test]
fn a_leg_that_came_later_does_not_count() {
    let mut stage = one_said(Limits::default());
    stage.leave(leg(1, 3));
    stage.chat("bob", leg(1, 4));
    assert_eq!(stage.fail(leg(0, 2), 1), ["report 0.1: #1 not to bob 408"]);
    stage.say(leg(0, 1), "two");
    assert_eq!(stage.fail(leg(0, 2), 2), [""; 0]);
}

#[test]
fn a_leg_that_is_over_still_has_an_owner() {
    let mut stage = one_said(Limits::default());
    stage.leave(leg(0, 2));
    stage.leave(leg(1, 3));
    assert_eq!(stage.fail(leg(1, 3), 1), ["report 0.1: #1 not to bob 408"]);
    assert_eq!(stage.fail(leg(0, 2), 1), [""; 0]);
    stage.leave(pager("carol"));
    assert_eq!(stage.fail(pager("carol"), 1), ["report 0.1: #1 not to carol 408"]);
    assert_eq!(stage.fail(leg(5, 5), 1), [""; 0], "nobody knows that one");
}

#[test]
fn no_report_goes_to_an_author_whose_leg_is_over() {
    let mut stage = one_said(Limits::default());
    stage.focus("alice", leg(0, 8));
    stage.leave(leg(0, 1));
    assert_eq!(stage.fail(pager("carol"), 1), [""; 0]);
}

#[test]
fn an_author_in_pager_mode_is_told() {
    let mut stage = one_said(Limits::default());
    stage.say(pager("carol"), "two");
    assert_eq!(stage.fail(leg(0, 1), 2), ["report carol: #2 not to alice 408"]);
}

#[test]
fn nobody_is_told_of_himself_or_of_who_came_later() {
    let mut stage = one_said(Limits::default());
    stage.say(leg(0, 2), "two");
    assert_eq!(stage.fail(leg(1, 3), 2), [""; 0]);
    assert_eq!(stage.chat("dave", leg(1, 5)).len(), 4, "both are recalled");
    assert_eq!(stage.fail(leg(1, 5), 1), [""; 0]);
    stage.leave(leg(1, 5));
    assert_eq!(stage.fail(leg(1, 5), 2), [""; 0]);
}

#[test]
fn a_number_that_was_never_said_is_nothing() {
    let mut stage = one_said(Limits::default());
    for number in [0, 2, u64::MAX] {
        assert_eq!(stage.fail(pager("carol"), number), [""; 0]);
    }
}

#[test]
fn only_the_latest_messages_are_reported_on() {
    let limits = Limits { conference_reports_max: 2, ..Limits::default() };
    let mut stage = one_said(limits);
    stage.say(leg(0, 1), "two");
    assert_eq!(stage.fail(leg(0, 2), 1), [""; 0]);
    stage.say(leg(0, 1), "three");
    assert_eq!(stage.fail(pager("carol"), 1), [""; 0]);
    assert_eq!(stage.fail(pager("carol"), 2), ["report 0.1: #2 not to carol 408"]);
    assert_eq!(stage.fail(pager("carol"), 3), ["report 0.1: #3 not to carol 408"]);
}

#[test]
fn legs_that_are_over_and_failures_are_remembered_up_to_a_bound() {
    let limits = Limits { conference_reports_max: 2, ..Limits::default() };
    let mut stage = one_said(limits);
    for name in ["dave", "erin", "frank"] {
        stage.chat(name, pager(name));
    }
    stage.say(leg(0, 1), "two");
    for name in ["dave", "erin", "frank"] {
        assert_eq!(stage.fail(pager(name), 2), [format!("report 0.1: #2 not to {name} 408")]);
    }
    for name in ["dave", "erin", "frank"] {
        stage.leave(pager(name));
    }
    stage.say(leg(0, 1), "three");
    assert_eq!(stage.fail(pager("dave"), 2), [""; 0], "who left first is forgotten");
    assert_eq!(stage.fail(pager("frank"), 2), [""; 0], "and this was told before");
}

#[test]
fn after_a_long_silence_nothing_is_reported() {
    let mut stage = one_said(Limits::default());
    stage.sleep(Duration::from_secs(63));
    assert_eq!(stage.fail(pager("carol"), 1).len(), 1);
    stage.sleep(Duration::from_secs(2));
    stage.chat("dave", pager("dave"));
    assert_eq!(stage.fail(pager("carol"), 1), [""; 0]);
}
