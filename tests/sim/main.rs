//! Seeded simulation: one to four shards in one thread, frames between them carried late and
//! interleaved, a clock that is moved by hand, and clients that sign in, chat and vanish as the
//! seed says. After each step the shards' own rules are checked, at the end everybody's.
//!
//! A failure prints its seed. `MYNAH_SIM_SEED=n cargo test --test sim` replays that one and tells
//! what happens; `MYNAH_SIM_SEEDS=n` runs as many seeds as that. A seed that found a fault stays
//! in `seeds.txt`.

#[path = "../harness/mod.rs"]
mod harness;

mod agent;
mod oracle;
mod stage;
mod world;

use world::World;

/// Seeds of an ordinary run, beside those of `seeds.txt`.
const SEEDS: u64 = 200;

#[test]
fn clients_chat_and_vanish_and_every_rule_holds() {
    if let Some(seed) = number("MYNAH_SIM_SEED") {
        return run(seed, true);
    }
    let known = include_str!("seeds.txt").lines();
    let known = known.filter_map(|line| line.split_whitespace().next()?.parse().ok());
    for seed in known.chain(0..number("MYNAH_SIM_SEEDS").unwrap_or(SEEDS)) {
        run(seed, false);
    }
}

fn run(seed: u64, told: bool) {
    let _name = Named(seed);
    World::new(seed, told).run();
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Says which seed it was when a run fails.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed: MYNAH_SIM_SEED={} cargo test --test sim", self.0);
        }
    }
}
