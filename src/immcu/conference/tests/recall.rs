//! What was said before somebody came.

use std::time::Duration;

use super::stage::*;
use crate::base::limits::Limits;
use crate::immcu::conference::*;

fn recalls(heard: &[String]) -> Vec<&str> {
    heard.iter().filter_map(|words| words.strip_prefix("recall ")).collect()
}

/// Alice has said "one" and, ten seconds later, "two".
fn two_said(limits: Limits) -> Stage {
    let mut stage = Stage::with(scheduled(), limits);
    stage.chat("alice", leg(0, 1));
    stage.say(leg(0, 1), "one");
    stage.pass(Duration::from_secs(10));
    stage.say(leg(0, 1), "two");
    stage
}

#[test]
fn who_comes_hears_it_on_his_first_chat_leg_only() {
    let mut stage = two_said(Limits::default());
    assert_eq!(recalls(&stage.focus("bob", leg(0, 2))), [""; 0]);
    let heard = stage.chat("bob", leg(0, 3));
    assert_eq!(heard, ["joined 0.3", "recall 0.3: #1 alice one", "recall 0.3: #2 alice two"]);
    assert_eq!(recalls(&stage.chat("bob", leg(0, 4))), [""; 0]);
    assert_eq!(
        stage.chat("carol", pager("carol")),
        [
            "joined carol",
            "entered carol Attendee",
            "recall carol: #1 alice one",
            "recall carol: #2 alice two"
        ]
    );
}

#[test]
fn only_what_is_recent_is_recalled() {
    let mut stage = two_said(Limits::default());
    stage.sleep(Duration::from_millis(29_999));
    assert_eq!(recalls(&stage.chat("bob", leg(0, 2))).len(), 2);
    stage.sleep(Duration::from_millis(1));
    assert_eq!(recalls(&stage.chat("carol", leg(0, 3))), ["0.3: #2 alice two"]);
    stage.sleep(Duration::from_secs(10));
    assert_eq!(recalls(&stage.chat("dave", leg(0, 4))), [""; 0]);
}

#[test]
fn only_so_many_are_recalled_and_so_many_octets() {
    let limits = Limits { conference_recent_messages_max: 1, ..Limits::default() };
    let mut stage = two_said(limits);
    assert_eq!(recalls(&stage.chat("bob", leg(0, 2))), ["0.2: #2 alice two"]);

    let limits = Limits { conference_recent_bytes_max: 5, ..Limits::default() };
    let mut stage = two_said(limits);
    assert_eq!(recalls(&stage.chat("bob", leg(0, 2))), ["0.2: #2 alice two"]);
    stage.say(leg(0, 1), "longer");
    assert_eq!(recalls(&stage.chat("carol", leg(0, 3))), [""; 0]);
}

#[test]
fn nothing_is_recalled_where_policy_says_so() {
    for limits in [
        Limits { conference_recent_messages_max: 0, ..Limits::default() },
        Limits { conference_recent_time: Duration::ZERO, ..Limits::default() },
    ] {
        let mut stage = two_said(limits);
        assert_eq!(recalls(&stage.chat("bob", leg(0, 2))), [""; 0]);
    }
}

#[test]
fn who_comes_back_hears_only_what_he_missed() {
    let mut stage = two_said(Limits::default());
    stage.chat("bob", leg(0, 2));
    stage.leave(leg(0, 2));
    stage.say(leg(0, 1), "three");
    assert_eq!(recalls(&stage.chat("bob", leg(0, 3))), ["0.3: #3 alice three"]);
    stage.leave(leg(0, 3));
    assert_eq!(recalls(&stage.chat("bob", leg(0, 4))), [""; 0]);
    let eject = Command::Eject { who: user("bob") };
    stage.command("alice", eject);
    stage.say(leg(0, 1), "four");
    assert_eq!(recalls(&stage.chat("bob", leg(0, 5))), ["0.5: #4 alice four"]);
}

#[test]
fn who_was_without_chat_leg_for_a_while_hears_what_he_missed() {
    let mut stage = two_said(Limits::default());
    stage.focus("bob", leg(0, 2));
    stage.chat("bob", leg(0, 3));
    stage.leave(leg(0, 3));
    stage.say(leg(0, 1), "three");
    assert_eq!(recalls(&stage.chat("bob", leg(0, 4))), ["0.4: #3 alice three"]);
    stage.leave(leg(0, 4));
    stage.say(leg(0, 1), "four");
    stage.leave(leg(0, 2));
    assert_eq!(recalls(&stage.chat("bob", leg(0, 5))), ["0.5: #4 alice four"]);
}

#[test]
fn nobody_hears_again_what_he_said_himself() {
    let mut stage = two_said(Limits::default());
    stage.leave(leg(0, 1));
    assert_eq!(recalls(&stage.chat("alice", leg(0, 2))), [""; 0]);
}

/// At the bound who left first is taken for a newcomer.
#[test]
fn those_who_left_are_remembered_up_to_a_bound() {
    let limits = Limits { conference_members_max: 2, ..Limits::default() };
    let mut stage = two_said(limits);
    for (index, name) in ["bob", "carol", "dave"].into_iter().enumerate() {
        stage.chat(name, leg(1, index as u32));
        stage.leave(leg(1, index as u32));
    }
    assert_eq!(recalls(&stage.chat("carol", leg(1, 8))), [""; 0]);
    stage.leave(leg(1, 8));
    assert_eq!(recalls(&stage.chat("bob", leg(1, 9))).len(), 2);
}

#[test]
fn after_a_long_silence_nothing_is_kept() {
    let mut stage = two_said(Limits::default());
    assert!(stage.conference.next_deadline().is_some());
    stage.sleep(Duration::from_secs(600));
    assert_eq!(stage.conference.next_deadline(), None);
    assert_eq!(stage.fail(leg(0, 1), 1), [""; 0]);
    assert_eq!(stage.say(leg(0, 1), "three"), ["said 0.1 #3"]);
    assert_eq!(recalls(&stage.chat("bob", leg(0, 2))), ["0.2: #3 alice three"]);
}
