//! One publication seen by 40 watchers through two shards, without sockets: head index, edge,
//! home of the user, one rendering, a frame to each core, 40 notifications (BENOTIFY) with their
//! headers. A look at the deadlines every ten publications is part of it. What counts is
//! instructions: `MYNAH_FANOUT_ROUNDS=n perf stat -e instructions:u` on this benchmark runs just
//! as many publications between two shards (`MYNAH_FANOUT_SHARDS=1`: within one).

#[path = "../tests/harness/mod.rs"]
mod harness;

use criterion::{Criterion, criterion_group};
use harness::fanout::Fanout;

/// Watchers of the one user.
const WATCHERS: u32 = 40;

fn publish_fanout(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("publish_fanout");
    for (name, shards) in [("two shards", 2), ("one shard", 1)] {
        let mut fanout = Fanout::new(shards, WATCHERS);
        group.bench_function(name, |bencher| bencher.iter(|| fanout.round()));
        let counted = fanout.counted();
        let renderings = counted.notifications / u64::from(WATCHERS);
        // One view, one dialect; and one for each who began to watch.
        assert!(counted.renderings <= renderings + u64::from(WATCHERS), "{counted:?}");
    }
    group.finish();
}

criterion_group!(benches, publish_fanout);

fn main() {
    let number = |variable| std::env::var(variable).ok()?.parse::<u64>().ok();
    let Some(count) = number("MYNAH_FANOUT_ROUNDS") else {
        benches();
        return Criterion::default().configure_from_args().final_summary();
    };
    let shards = if number("MYNAH_FANOUT_SHARDS") == Some(1) { 1 } else { 2 };
    let mut fanout = Fanout::new(shards, WATCHERS);
    for _ in 0..count {
        fanout.round();
    }
}
