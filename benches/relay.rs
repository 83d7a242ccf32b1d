//! One MESSAGE of a session and its 200 through the shards, without sockets: head index, edge,
//! owner of the session, edge, and back, between two shards and within one. What counts is
//! instructions: `MYNAH_RELAY_ROUNDS=n perf stat -e instructions:u` on this benchmark runs just as
//! many rounds between two shards (`MYNAH_RELAY_SHARDS=1`: within one).

#[path = "../tests/harness/mod.rs"]
mod harness;

use criterion::{Criterion, criterion_group};
use harness::rounds::Rounds;

fn relay(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("relay");
    for (name, shards) in [("two shards", 2), ("one shard", 1)] {
        let mut rounds = rounds(shards);
        group.bench_function(name, |bencher| bencher.iter(|| rounds.round()));
    }
    group.finish();
}

/// A session whose callee is on the last shard.
fn rounds(shards: u16) -> Rounds {
    Rounds::new(shards, shards - 1, true)
}

criterion_group!(benches, relay);

fn main() {
    let number = |variable| std::env::var(variable).ok()?.parse::<u64>().ok();
    let Some(count) = number("MYNAH_RELAY_ROUNDS") else {
        benches();
        return Criterion::default().configure_from_args().final_summary();
    };
    let mut rounds = rounds(if number("MYNAH_RELAY_SHARDS") == Some(1) { 1 } else { 2 });
    for _ in 0..count {
        rounds.round();
    }
}
