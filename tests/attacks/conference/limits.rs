//! Bounds: each refuses what is too much, is counted, and lets the next go on.

use super::{
    ID, Member, ask, convene, convened, factory, invite, invite_focus, newcomer, nothing_left,
    service, watch, wish,
};
use crate::harness::conference::{Meeting, id_at};
use crate::outside::endpoint::Endpoint;
use crate::outside::eventually;
use crate::outside::stream::Message;
use crate::target::Target;

/// Fails unless something is refused like this, for this limit, which was hit so often.
#[track_caller]
fn hit(target: &Target, limit: &str, times: f64, answer: &Message, status: u16, why: &str) {
    assert_eq!(answer.status(), status, "{limit}: {}", answer.head);
    let warning = answer.header("Warning").unwrap_or_else(|| panic!("{limit}: {}", answer.head));
    assert!(warning.contains(why), "{limit}: {warning}");
    assert_eq!(target.metrics().hits(limit), times, "{limit}");
}

#[test]
fn a_conference_has_so_many_members() {
    let target = Target::with_limits("conference_members_max = 2");
    newcomer(&target, "dave");
    let mut alice = Endpoint::tls(&target, "alice");
    let meeting = convened(&mut alice);
    let bob = Member::join(Endpoint::tls(&target, "bob"), &meeting);
    let carol = Member::join(Endpoint::tls(&target, "carol"), &meeting);
    let mut dave = Endpoint::tls(&target, "dave");
    let full = |answer: Message, times| {
        hit(&target, "conference_members_max", times, &answer, 486, "The conference is full");
    };
    full(invite(&mut dave, &meeting.chat), 1.0);
    full(invite_focus(&mut dave, &meeting, "{1}"), 2.0);
    full(ask(&mut dave, "MESSAGE", &meeting.chat, "Content-Type: text/plain\r\n", "x"), 3.0);
    // The organiser may always come, and who is in may come with another endpoint.
    let alice = Member::join(alice, &meeting);
    let second = Member::join(Endpoint::tls(&target, "bob"), &meeting);
    second.leave();
    bob.leave();
    carol.leave();
    target.wait_metric("mynah_conference_members_current", |members| members == 1.0);
    let mut dave = Member::join(dave, &meeting);
    assert_eq!(dave.say("at last").status(), 202);
    dave.leave();
    alice.leave();
    nothing_left(&target);
    target.survived();
}

#[test]
fn a_message_is_so_long_and_there_are_so_many_of_them() {
    let target = Target::with_limits(
        "conference_message_bytes_max = 10\nconference_burst_max = 3\n\
         conference_messages_per_second_max = 1",
    );
    let mut alice = Endpoint::tls(&target, "alice");
    let meeting = convened(&mut alice);
    let mut alice = Member::join(alice, &meeting);
    let mut bob = Member::join(Endpoint::tls(&target, "bob"), &meeting);
    let answer = alice.say("01234567890");
    hit(&target, "conference_message_bytes_max", 1.0, &answer, 413, "The message is too long");
    let answer = alice.say(&"x".repeat(200_000));
    hit(&target, "conference_message_bytes_max", 2.0, &answer, 413, "The message is too long");
    // At once, so that no time passes between them to speak of.
    let burst: String = (0..20)
        .map(|n| alice.dialog.request("MESSAGE", "Content-Type: text/plain\r\n", &n.to_string()))
        .collect();
    alice.endpoint.stream.write(burst);
    let answers: Vec<Message> = (0..20).map(|_| alice.final_answer()).collect();
    let accepted = answers.iter().filter(|answer| answer.status() == 202).count();
    assert!((3..20).contains(&accepted), "{accepted}");
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status() != 202).collect();
    let times = refused.len() as f64;
    let why = "You send messages too fast";
    hit(&target, "conference_messages_per_second_max", times, refused[0], 503, why);
    // The others speak meanwhile, and she after a while.
    assert_eq!(bob.say("mine").status(), 202);
    alice.hears("mine");
    eventually("alice to be heard again", || match alice.say("again").status() {
        202 => Ok(()),
        status => Err(status.to_string()),
    });
    (0..accepted).for_each(|_| drop(bob.wait("MESSAGE")));
    bob.hears("again");
    target.survived();
}

#[test]
fn so_many_may_be_asked_in() {
    let target = Target::with_limits("conference_invited_max = 2");
    let mut alice = Endpoint::tls(&target, "alice");
    let users = |count: u32| {
        let users: String =
            (0..count).map(|n| format!("<user entity=\"sip:u{n}@example.test\"/>")).collect();
        format!("<users>{users}</users>")
    };
    let why = "Too many users are invited to the conference";
    let answer = convene(&mut alice, ID, &users(3));
    hit(&target, "conference_invited_max", 1.0, &answer, 413, why);
    assert_eq!(convene(&mut alice, ID, &users(2)).status(), 200);
    let meeting = Meeting::of("alice", ID);
    let answer = service(&mut alice, &meeting.focus, &meeting.invite("u2", "attendee"));
    hit(&target, "conference_invited_max", 2.0, &answer, 413, why);
    let refer = "Refer-To: <sip:u3@example.test>\r\n";
    let answer = ask(&mut alice, "REFER", &meeting.focus, refer, "");
    hit(&target, "conference_invited_max", 3.0, &answer, 413, why);
    let known = service(&mut alice, &meeting.focus, &meeting.invite("u1", "presenter"));
    assert_eq!(known.status(), 200, "{}", known.head);
    Member::join(alice, &meeting).leave();
    nothing_left(&target);
    target.survived();
}

#[test]
fn a_connection_and_a_member_have_so_many_legs() {
    let target =
        Target::with_limits("legs_per_connection_max = 3\nconference_legs_per_member_max = 4");
    let mut alice = Endpoint::tls(&target, "alice");
    let meeting = convened(&mut alice);
    let alice = Member::join(alice, &meeting);
    let mut bob = Endpoint::tls(&target, "bob");
    for _ in 0..3 {
        assert_eq!(invite(&mut bob, &meeting.chat).status(), 200);
    }
    let answer = invite(&mut bob, &meeting.chat);
    let why = "Too many requests are waiting for an answer";
    hit(&target, "legs_per_connection_max", 1.0, &answer, 503, why);
    let mut second = Endpoint::tls(&target, "bob");
    let last = invite(&mut second, &meeting.chat);
    let last = Member::in_dialog(second, &meeting.chat, &last);
    let mut third = Endpoint::tls(&target, "bob");
    let answer = invite(&mut third, &meeting.chat);
    let why = "You are in the conference on too many endpoints";
    hit(&target, "conference_legs_per_member_max", 1.0, &answer, 403, why);
    last.leave();
    Member::join(third, &meeting).leave();
    // What is not acknowledged goes with its connection like all else.
    drop(bob);
    target.wait_metric("mynah_conference_legs_current", |legs| legs == 1.0);
    alice.leave();
    nothing_left(&target);
    target.survived();
}

#[test]
fn an_organiser_makes_so_many_conferences() {
    let target = Target::with_limits("conferences_per_organiser_max = 2");
    let shards = target.metrics().value("mynah_shards_current") as u16;
    let mut alice = Endpoint::tls(&target, "alice");
    let mut made = |id: &str| convene(&mut alice, id, "");
    let ids: Vec<String> = (0..3).map(|n| id_at(shards, 0, n)).collect();
    assert_eq!(made(&ids[0]).status(), 200);
    assert_eq!(made(&ids[1]).status(), 200);
    let why = "There are too many conferences";
    hit(&target, "conferences_per_organiser_max", 1.0, &made(&ids[2]), 403, why);
    // One that is there is no new one.
    assert_eq!(made(&ids[1]).status(), 200);
    let mut bob = Endpoint::tls(&target, "bob");
    assert_eq!(convene(&mut bob, &ids[1], "").status(), 409, "it is alice's");
    assert_eq!(convene(&mut bob, &ids[2], "").status(), 200);
    let meeting = Meeting::of("alice", &ids[0]);
    assert_eq!(service(&mut alice, &factory("alice"), &meeting.end()).status(), 200);
    assert_eq!(convene(&mut bob, &ids[0], "").status(), 200, "it is nobody's any more");
    nothing_left(&target);
    target.survived();
}

#[test]
fn a_shard_has_so_many_conferences() {
    let target = Target::with_limits("conferences_per_shard_max = 1");
    let shards = target.metrics().value("mynah_shards_current") as u16;
    let mut alice = Endpoint::tls(&target, "alice");
    let ids: Vec<String> = (0..2).map(|n| id_at(shards, 0, n)).collect();
    assert_eq!(convene(&mut alice, &ids[0], "").status(), 200);
    let answer = convene(&mut alice, &ids[1], "");
    let why = "The server is busy: try again later";
    hit(&target, "conferences_per_shard_max", 1.0, &answer, 503, why);
    Member::join(alice, &Meeting::of("alice", &ids[0])).leave();
    nothing_left(&target);
    let mut alice = Endpoint::tls(&target, "alice");
    assert_eq!(convene(&mut alice, &ids[1], "").status(), 200);
    target.survived();
}

#[test]
fn a_roster_has_so_many_watchers() {
    let target = Target::with_limits("conference_watchers_max = 2");
    let mut alice = Endpoint::tls(&target, "alice");
    let meeting = convened(&mut alice);
    let mut watchers: Vec<_> =
        ["bob", "carol"].map(|user| Endpoint::tls(&target, user)).into_iter().collect();
    for watcher in &mut watchers {
        assert_eq!(watch(watcher, &meeting.focus, 600).status(), 200);
        watcher.answer("NOTIFY", 200, "");
    }
    let answer = watch(&mut alice, &meeting.focus, 600);
    let why = "The conference is watched too often";
    hit(&target, "conference_watchers_max", 1.0, &answer, 403, why);
    assert_eq!(watch(&mut alice, &meeting.focus, 0).status(), 200, "who asks once takes no place");
    alice.answer("NOTIFY", 200, "");
    watchers.pop();
    target.wait_metric("mynah_subscriptions_current", |count| count == 1.0);
    eventually("a place", || match watch(&mut alice, &meeting.focus, 600).status() {
        200 => Ok(()),
        status => Err(status.to_string()),
    });
    target.survived();
}

#[test]
fn labels_are_so_long() {
    let target = Target::with_limits("conference_label_bytes_max = 16");
    let mut alice = Endpoint::tls(&target, "alice");
    let subject = |len: usize| format!("<subject>{}</subject>", "x".repeat(len));
    let why = "A subject or a name is too long";
    let at = factory("alice");
    let answer = service(&mut alice, &at, &wish(ID, &subject(17), ""));
    hit(&target, "conference_label_bytes_max", 1.0, &answer, 413, why);
    assert_eq!(service(&mut alice, &at, &wish(ID, &subject(16), "")).status(), 200);
    let meeting = Meeting::of("alice", ID);
    let answer = invite_focus(&mut alice, &meeting, &"x".repeat(17));
    hit(&target, "conference_label_bytes_max", 2.0, &answer, 413, why);
    assert_eq!(invite_focus(&mut alice, &meeting, &"x".repeat(16)).status(), 200);
    drop(alice);
    nothing_left(&target);
    target.survived();
}
