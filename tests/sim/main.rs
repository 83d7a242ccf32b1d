//! Shards in one thread under random clients, a slow network and a fake clock, from a seed.
//!
//! Each seed makes a world: one to four shards, a few users with endpoints of both dialects,
//! limits that are sometimes small. In each step something happens: octets arrive, a frame is
//! carried, a client reads, answers, writes, rings, vanishes or comes back, time passes. The
//! ledger checks what clients see against what was written; the shards check their tables after
//! every input. At the end everything must drain.
//!
//! A failure prints its seed; `MYNAH_SIM_SEED=n cargo test --test sim` replays it and tells what
//! happened. `MYNAH_SIM_SEEDS=n` runs that many.

#[path = "../harness/mod.rs"]
mod harness;

mod endpoint;
mod ledger;
mod reaction;
mod world;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use world::{Census, World};

/// Seeds of an ordinary run, shared by four tests.
const SEEDS: u64 = 200;

/// Seeds that found a fault once: they are run first.
const FOUND: &[u64] = &[];

fn run(seed: u64, told: bool) -> Census {
    catch_unwind(AssertUnwindSafe(|| World::new(seed, told).live())).unwrap_or_else(|panic| {
        eprintln!("the simulation failed: MYNAH_SIM_SEED={seed}");
        resume_unwind(panic);
    })
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn quarter(n: u64) {
    if number("MYNAH_SIM_SEED").is_some() {
        return;
    }
    let each = number("MYNAH_SIM_SEEDS").unwrap_or(SEEDS) / 4;
    let seeds: Range<u64> = n * each..(n + 1) * each;
    let mut all = Census::default();
    seeds.for_each(|seed| all.add(run(seed, false)));
    println!("{all:?}");
    // A simulation in which nothing happens finds nothing.
    assert!(all.accepted as u64 > 20 * each && all.sessions as u64 > 5 * each, "{all:?}");
    assert!(all.bridged as u64 > each && all.pagers as u64 > each, "{all:?}");
    assert!(each < 40 || all.endings.len() >= 8, "{all:?}");
}

#[test]
fn the_named_seed() {
    if let Some(seed) = number("MYNAH_SIM_SEED") {
        println!("{:?}", run(seed, true));
    }
}

#[test]
fn seeds_that_found_a_fault_once() {
    for seed in FOUND {
        run(*seed, false);
    }
}

#[test]
fn the_first_quarter_of_the_seeds() {
    quarter(0);
}

#[test]
fn the_second_quarter_of_the_seeds() {
    quarter(1);
}

#[test]
fn the_third_quarter_of_the_seeds() {
    quarter(2);
}

#[test]
fn the_last_quarter_of_the_seeds() {
    quarter(3);
}
