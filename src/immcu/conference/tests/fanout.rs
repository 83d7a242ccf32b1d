//! What is said goes to everybody else, once.

use std::time::Duration;

use super::stage::*;
use crate::base::limits::Limits;
use crate::immcu::conference::*;

/// Alice, bob and carol on three cores; bob has two endpoints, dave is in pager mode, erin has a
/// focus leg alone.
fn five() -> Stage {
    five_with(Limits::default())
}

fn five_with(limits: Limits) -> Stage {
    let mut stage = Stage::with(description(), limits);
    stage.chat("alice", leg(2, 1));
    stage.chat("bob", leg(0, 2));
    stage.chat("carol", leg(1, 3));
    stage.chat("bob", leg(2, 4));
    stage.chat("dave", pager("dave"));
    stage.focus("erin", leg(0, 5));
    stage
}

#[test]
fn one_frame_a_core_in_the_order_of_the_cores() {
    let mut stage = five();
    assert_eq!(
        stage.say(leg(2, 1), "hello"),
        [
            "said 2.1 #1",
            "carry 0 [2]: #1 alice hello",
            "carry 1 [3]: #1 alice hello",
            "carry 2 [1 4] but 1: #1 alice hello",
            "page dave: #1 alice hello"
        ]
    );
}

#[test]
fn the_other_endpoint_of_the_author_hears_it_and_a_core_with_no_other_leg_is_left_alone() {
    let mut stage = five();
    assert_eq!(
        stage.say(leg(0, 2), "hi"),
        [
            "said 0.2 #1",
            "carry 1 [3]: #1 bob hi",
            "carry 2 [1 4]: #1 bob hi",
            "page dave: #1 bob hi"
        ]
    );
}

#[test]
fn who_is_in_pager_mode_is_not_paged_what_he_said() {
    let mut stage = five();
    stage.chat("frank", pager("frank"));
    let heard = stage.say(pager("dave"), "hi");
    assert_eq!(heard.first().unwrap(), "said dave #1");
    assert_eq!(heard[1..4].iter().filter(|words| words.starts_with("carry")).count(), 3);
    assert_eq!(heard[4..], ["page frank: #1 dave hi"]);
    stage.chat("dave", leg(0, 9));
    let heard = stage.say(leg(0, 9), "or so");
    assert_eq!(heard[4..], ["page dave: #2 dave or so", "page frank: #2 dave or so"]);
}

#[test]
fn a_message_is_shared_not_copied() {
    let mut stage = five();
    let outputs = stage.take(say(leg(2, 1), "hello"));
    let speeches: Vec<_> = outputs
        .iter()
        .filter_map(|output| match output {
            Output::Carry { speech, .. } | Output::Page { speech, .. } => Some(speech),
            _ => None,
        })
        .collect();
    assert_eq!(speeches.len(), 4);
    assert!(speeches.iter().all(|speech| std::sync::Arc::ptr_eq(speech, speeches[0])));
    assert_eq!(&*speeches[0].name, "alice");
    assert_eq!(speeches[0].content_type, "text/plain");
}

#[test]
fn only_chat_legs_speak() {
    let mut stage = five();
    assert_eq!(stage.say(leg(0, 5), "hello"), ["unsaid 0.5 NotMember"]);
    assert_eq!(stage.say(leg(7, 7), "hello"), ["unsaid 7.7 NotMember"]);
    assert_eq!(stage.say(pager("erin"), "hello"), ["unsaid erin NotMember"]);
    assert_eq!(stage.conference.messages(), 0);
}

#[test]
fn typing_goes_the_same_way_but_to_nobody_in_pager_mode() {
    let mut stage = five();
    assert_eq!(
        stage.hear(Input::Type { reach: leg(2, 1), typing: true }),
        [
            "typing 0 [2]: alice types",
            "typing 1 [3]: alice types",
            "typing 2 [1 4] but 1: alice types"
        ]
    );
    assert_eq!(
        stage.hear(Input::Type { reach: leg(0, 2), typing: false }),
        ["typing 1 [3]: bob rests", "typing 2 [1 4]: bob rests"]
    );
    assert_eq!(stage.hear(Input::Type { reach: leg(0, 5), typing: true }), [""; 0]);
}

#[test]
fn what_is_longer_than_may_be_is_not_said() {
    let limits = Limits { conference_message_bytes_max: 4, ..Limits::default() };
    let mut stage = five_with(limits);
    assert_eq!(stage.say(leg(1, 3), "12345"), ["unsaid 1.3 TooLong"]);
    assert_eq!(stage.say(leg(1, 3), "1234")[0], "said 1.3 #1");
}

#[test]
fn who_says_too_much_at_once_waits() {
    let limits = Limits {
        conference_burst_max: 2,
        conference_messages_per_second_max: 1,
        ..Limits::default()
    };
    let mut stage = five_with(limits);
    assert_eq!(stage.say(leg(0, 2), "1")[0], "said 0.2 #1");
    assert_eq!(stage.say(leg(2, 4), "2")[0], "said 2.4 #2", "whatever the endpoint");
    assert_eq!(stage.say(leg(0, 2), "3"), ["unsaid 0.2 TooFast"]);
    assert_eq!(stage.say(leg(1, 3), "3")[0], "said 1.3 #3", "others are not concerned");
    stage.pass(Duration::from_millis(999));
    assert_eq!(stage.say(leg(0, 2), "4"), ["unsaid 0.2 TooFast"]);
    stage.pass(Duration::from_millis(1));
    assert_eq!(stage.say(leg(0, 2), "4")[0], "said 0.2 #4");
    assert_eq!(stage.hear(Input::Type { reach: leg(0, 2), typing: true }), [""; 0]);
}

#[test]
fn leaving_gives_no_new_allowance() {
    let limits = Limits { conference_burst_max: 1, ..Limits::default() };
    let mut stage = five_with(limits);
    stage.say(leg(1, 3), "1");
    stage.leave(leg(1, 3));
    stage.chat("carol", leg(1, 6));
    assert_eq!(stage.say(leg(1, 6), "2"), ["unsaid 1.6 TooFast"]);
}

#[test]
fn lists_follow_the_legs() {
    let mut stage = five();
    stage.leave(leg(2, 4));
    stage.leave(pager("dave"));
    stage.leave(leg(1, 3));
    assert_eq!(stage.say(leg(2, 1), "hello"), ["said 2.1 #1", "carry 0 [2]: #1 alice hello"]);
    stage.chat("carol", leg(0, 7));
    assert_eq!(stage.say(leg(2, 1), "you")[1..], ["carry 0 [2 7]: #2 alice you"]);
}
