//! One message in a conference of 10, 100 and 1,000 members over two shards, without sockets: head
//! index, edge of the author, owner of the conference, a frame to each core, a MESSAGE with its
//! headers to each member. "said" is that alone, "answered" the members' 200s. The time of one
//! round is that of all members: divide by their number. That at most one frame goes to each other
//! core is asserted.

#[path = "../tests/harness/mod.rs"]
mod harness;

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use harness::chorus::{Chorus, Counted};

const SHARDS: u16 = 2;

fn immcu_fanout(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("immcu_fanout");
    for members in [10, 100, 1000] {
        let mut chorus = Chorus::new(SHARDS, members);
        group.throughput(Throughput::Elements(members as u64 - 1));
        for (name, part) in [("said", 0), ("answered", 1)] {
            group.bench_function(BenchmarkId::new(name, members), |bencher| {
                bencher.iter_custom(|rounds| {
                    (0..rounds).fold(Duration::ZERO, |sum, _| {
                        let (said, answered) = chorus.round();
                        sum + if part == 0 { said } else { answered }
                    })
                });
            });
        }
        let Counted { messages, deliveries, frames } = chorus.counted();
        assert_eq!(deliveries, messages * (members as u64 - 1), "to each member but the author");
        assert!(frames <= messages * (u64::from(SHARDS) - 1), "one frame to each other core");
    }
    group.finish();
}

criterion_group!(benches, immcu_fanout);

fn main() {
    let number = |variable| std::env::var(variable).ok()?.parse::<usize>().ok();
    let Some(rounds) = number("MYNAH_FANOUT_ROUNDS") else {
        benches();
        return Criterion::default().configure_from_args().final_summary();
    };
    // For instruction counts: as many rounds of one size.
    let mut chorus = Chorus::new(SHARDS, number("MYNAH_FANOUT_MEMBERS").unwrap_or(100));
    for _ in 0..rounds {
        chorus.round();
    }
}
