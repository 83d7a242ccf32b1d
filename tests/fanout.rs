//! How often a document is rendered and how many frames go between the cores when a user's state
//! changes.

#[path = "harness/mod.rs"]
mod harness;

use harness::fanout::{Counted, Fanout};
use harness::presence::{machine_state, ok};
use harness::{Client, Net};
use mynah::metrics::names::Series;

/// Containers that watchers see the user through.
const LEVELS: [u32; 5] = [100, 200, 300, 400, 32_000];
const ROUNDS: u32 = 100;

fn each(before: Counted, after: Counted) -> Counted {
    let each = |before: u64, after: u64| {
        assert_eq!((after - before) % u64::from(ROUNDS), 0, "the same in every round");
        (after - before) / u64::from(ROUNDS)
    };
    Counted {
        renderings: each(before.renderings, after.renderings),
        frames: each(before.frames, after.frames),
        notifications: each(before.notifications, after.notifications),
    }
}

#[test]
fn forty_watchers_who_see_the_same_cost_one_rendering_and_one_frame_a_core() {
    for shards in [1, 2, 4] {
        let mut fanout = Fanout::new(shards, 40);
        fanout.round();
        let before = fanout.counted();
        (0..ROUNDS).for_each(|_| fanout.round());
        let counted = each(before, fanout.counted());
        assert_eq!((counted.renderings, counted.notifications), (1, 40));
        // One notice to each core but the home of the user; his publication goes there and the
        // answer comes back.
        let others = u64::from(shards) - 1;
        assert!(counted.frames <= others + 2 * others.min(1), "{shards} shards: {counted:?}");
    }
}

/// Watchers of every level and dialect on every core.
#[test]
fn renderings_are_bounded_by_views_and_dialects_and_frames_by_those_and_cores() {
    let shards = 2;
    let mut net = Net::new(shards);
    let mut bob = Client::lync(&mut net, 0, "bob");
    let mut watchers = Vec::new();
    for (at, level) in LEVELS.into_iter().enumerate() {
        for number in 0..8 {
            let user = format!("l{level}n{number}");
            net.put_user(&user, |_| {});
            if level != 200 {
                let request = bob.set_members(&[(level, number as u32, "add", &user)]);
                ok(&mut net, bob.conn, &request);
            }
            let shard = (at + number) as u16 % shards;
            if number % 4 < 2 {
                let mut watcher = Client::lync(&mut net, shard, &user);
                let request = watcher.batch(&["bob"]);
                ok(&mut net, watcher.conn, &request);
                watchers.push(watcher);
            } else {
                let mut watcher = Client::simple(&mut net, shard, &user);
                let request = watcher.subscribe("bob", 600);
                ok(&mut net, watcher.conn, &request);
                let first = net.recv(watcher.conn);
                net.send(watcher.conn, &first.answer(200, ""));
                watchers.push(watcher);
            }
        }
    }
    net.pass_s(1);
    let (rendered, frames) = (net.value(Series::PresenceRenderings), net.value(Series::FramesSent));
    let states = [2, 3].map(|container| machine_state(container, 6500, 0));
    ok(&mut net, bob.conn, &bob.publish(&states));
    let told: Vec<usize> = watchers.iter().map(|watcher| net.waiting(watcher.conn)).collect();
    let (known, blocked) = told.split_at(8 * (LEVELS.len() - 1));
    assert!(known.iter().all(|count| *count == 1), "{told:?}");
    assert!(blocked.iter().all(|count| *count == 0), "to those he stays offline: {told:?}");
    let rendered = net.value(Series::PresenceRenderings) - rendered;
    let frames = net.value(Series::FramesSent) - frames;
    let (views, dialects) = (LEVELS.len() as u64 - 1, 2);
    assert!((1..=views * dialects).contains(&rendered), "{rendered} renderings");
    assert!(frames <= rendered * u64::from(shards) + 2, "{frames} frames, {rendered} renderings");
}
