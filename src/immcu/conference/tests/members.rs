//! Members and their legs.

use super::stage::*;
use crate::base::limits::Limits;
use crate::immcu::conference::*;

#[test]
fn two_endpoints_are_one_member() {
    let mut stage = Stage::new(description());
    stage.watch("alice", subscription(0, 1));
    assert_eq!(
        stage.focus("alice", leg(0, 1)),
        ["joined 0.1", "started", "entered alice Presenter", "tell v2 to 0.1: alice"]
    );
    for (version, reach, kind) in [
        (3, leg(0, 2), LegKind::Chat),
        (4, leg(1, 3), LegKind::Focus),
        (5, leg(1, 4), LegKind::Chat),
        (6, pager("alice"), LegKind::Chat),
    ] {
        let heard = stage.join("alice", reach, kind);
        assert_eq!(heard[1], format!("tell v{version} to 0.1: alice"));
    }
    assert_eq!(stage.names(), ["alice"]);
    assert_eq!(stage.conference.peak(), 1);
    for (version, reach) in [(7, leg(0, 1)), (8, leg(0, 2)), (9, pager("alice")), (10, leg(1, 3))] {
        assert_eq!(stage.leave(reach), [format!("tell v{version} to 0.1: alice")]);
    }
    let reach = leg(1, 4);
    let heard = stage.hear(Input::Left { reach, how: Leaving::ConnectionLost });
    assert_eq!(heard[0], "departed alice after 0 ConnectionLost");
}

#[test]
fn a_leg_finds_its_member_until_it_is_over() {
    let mut stage = Stage::new(scheduled());
    stage.focus("bob", leg(0, 1));
    stage.chat("bob", pager("bob"));
    assert_eq!(stage.conference.who(&leg(0, 1)), Some(&user("bob")));
    assert_eq!(stage.conference.who(&pager("bob")), Some(&user("bob")));
    assert_eq!(stage.conference.who(&pager("carol")), None);
    stage.leave(pager("bob"));
    assert_eq!(stage.conference.who(&pager("bob")), None);
    stage.leave(leg(0, 1));
    assert_eq!(stage.conference.who(&leg(0, 1)), None);
    assert_eq!(stage.leave(leg(0, 1)), [""; 0], "a second goodbye is nothing");
}

#[test]
fn a_pager_member_who_asks_again_is_in() {
    let mut stage = Stage::new(description());
    let heard = stage.join("bob", pager("bob"), LegKind::Focus);
    assert_eq!(heard, ["joined bob", "started", "entered bob Attendee"]);
    assert!(
        stage.conference.member(&user("bob")).unwrap().has_chat(),
        "pager mode is for messages"
    );
    assert_eq!(stage.chat("bob", pager("bob")), ["joined bob"]);
    assert_eq!(stage.chat("bob", pager("carol")), ["refused carol NotMember"]);
}

#[test]
fn a_leg_belongs_to_one_member() {
    let mut stage = Stage::new(description());
    stage.chat("bob", leg(0, 1));
    assert_eq!(stage.chat("bob", leg(0, 1)), ["joined 0.1"]);
    assert_eq!(stage.chat("carol", leg(0, 1)), ["refused 0.1 NotMember"]);
    assert_eq!(stage.names(), ["bob"]);
}

#[test]
fn legs_of_one_member_have_a_bound() {
    let limits = Limits { conference_legs_per_member_max: 2, ..Limits::default() };
    let mut stage = Stage::with(description(), limits);
    stage.focus("bob", leg(0, 1));
    stage.chat("bob", leg(0, 2));
    assert_eq!(stage.chat("bob", leg(0, 3)), ["refused 0.3 TooManyLegs"]);
    assert_eq!(stage.chat("bob", pager("bob")), ["refused bob TooManyLegs"]);
    stage.leave(leg(0, 2));
    assert_eq!(stage.chat("bob", leg(0, 3)), ["joined 0.3"]);
}

#[test]
fn who_is_ejected_loses_everything_and_may_come_back() {
    let mut stage = Stage::new(description());
    stage.chat("alice", leg(0, 1));
    stage.watch("alice", subscription(0, 1));
    stage.focus("bob", leg(1, 2));
    stage.chat("bob", leg(1, 3));
    stage.chat("bob", pager("bob"));
    stage.watch("bob", subscription(1, 2));
    stage.say(leg(1, 3), "hello");
    assert_eq!(
        stage.command("alice", Command::Eject { who: user("bob") }),
        [
            "done",
            "release 1.2 Ejected",
            "release 1.3 Ejected",
            "release bob Ejected",
            "dismiss 1.2",
            "departed bob after 1 Ejected",
            "tell v6 to 0.1: bob"
        ]
    );
    assert_eq!(stage.say(leg(0, 1), "peace"), ["said 0.1 #2"]);
    assert_eq!(stage.say(leg(1, 3), "no"), ["unsaid 1.3 NotMember"]);
    let reach = leg(1, 3);
    assert_eq!(stage.hear(Input::Left { reach, how: Leaving::Bye }), [""; 0]);
    assert_eq!(stage.focus("bob", leg(1, 4))[1], "entered bob Attendee");
    assert_eq!(stage.watch("bob", subscription(1, 4)), ["seen 1.4"]);
}

#[test]
fn who_left_and_may_not_come_back_watches_no_more() {
    let admission = Admission::ClosedAuthenticated;
    let mut stage = Stage::new(Description { admission, lobby: true, ..description() });
    stage.chat("alice", leg(0, 1));
    stage.focus("bob", leg(0, 2));
    stage.command("alice", Command::Admit { who: user("bob"), let_in: true });
    stage.watch("bob", subscription(0, 2));
    assert_eq!(stage.leave(leg(0, 2)), ["dismiss 0.2", "departed bob after 0 Bye"]);
}

#[test]
fn the_account_of_a_member_begins_anew_when_he_comes_back() {
    let mut stage = Stage::new(description());
    stage.chat("alice", leg(0, 1));
    stage.chat("bob", leg(0, 2));
    stage.say(leg(0, 2), "one");
    stage.say(leg(0, 2), "two");
    assert_eq!(stage.conference.member(&user("bob")).unwrap().messages, 2);
    assert_eq!(stage.leave(leg(0, 2)), ["departed bob after 2 Bye"]);
    stage.chat("bob", leg(0, 3));
    stage.say(leg(0, 3), "three");
    assert_eq!(stage.leave(leg(0, 3)), ["departed bob after 1 Bye"]);
    assert_eq!(stage.conference.messages(), 3);
}

#[test]
fn every_way_to_go_is_told() {
    for (how, word) in [
        (Leaving::Bye, "Bye"),
        (Leaving::ConnectionLost, "ConnectionLost"),
        (Leaving::Unresponsive, "Unresponsive"),
        (Leaving::Gone, "Gone"),
    ] {
        let mut stage = Stage::new(scheduled());
        stage.chat("bob", leg(0, 1));
        let heard = stage.hear(Input::Left { reach: leg(0, 1), how });
        assert_eq!(heard, [format!("departed bob after 0 {word}")]);
    }
}

#[test]
fn members_stand_in_the_order_of_joining() {
    let mut stage = Stage::new(description());
    for (index, name) in ["dave", "alice", "bob", "carol"].into_iter().enumerate() {
        stage.chat(name, leg(0, index as u32));
    }
    stage.leave(leg(0, 1));
    stage.chat("alice", leg(0, 9));
    assert_eq!(stage.names(), ["dave", "bob", "carol", "alice"]);
    assert_eq!(stage.conference.peak(), 4);
}
