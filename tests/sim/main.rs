//! Seeded simulation: one to four shards in one thread, frames between them carried late and
//! interleaved, a clock that is moved by hand, and clients that sign in, chat and vanish as the
//! seed says. After each step the shards' own rules are checked, at the end everybody's.
//!
//! There are four worlds: in one clients chat, in one they publish and watch (`presence`), in one
//! they meet (`conference`), and in one they send anything (`octets`).
//!
//! A failure prints its seed and how to replay it: `MYNAH_SIM_SEED=n` with the name of the test
//! runs that one and tells what happens; `MYNAH_SIM_SEEDS=n` runs as many seeds as that. A seed
//! that found a fault stays in `seeds.txt`, under the name of its world.

#[path = "../harness/mod.rs"]
mod harness;

mod agent;
mod conference;
mod octets;
mod oracle;
mod presence;
mod stage;
mod world;

use world::World;

/// Seeds of an ordinary run, beside those of `seeds.txt`.
const SEEDS: u64 = 200;

#[test]
fn clients_chat_and_vanish_and_every_rule_holds() {
    each_seed("chat", WHOLE, |seed, told| World::new(seed, told).run());
}

#[test]
fn every_watcher_converges_to_the_view_of_his_level() {
    each_seed("presence", WHOLE, |seed, told| presence::World::new(seed, told).run());
}

/// The body of the fuzz target `octets`, on noise.
#[test]
fn whatever_clients_send_the_server_stays_whole() {
    each_seed("octets", WHOLE, |seed, _| {
        let mut octets = vec![0; 60 + (seed as usize * 37) % 900];
        mynah::base::seed::Seed::from_u64(seed).fill(&mut octets);
        octets::body(&octets);
    });
}

mod every_word_in_a_conference_reaches_all_who_stay_once {
    #[test]
    fn in_a_first_half_of_the_runs() {
        super::confer((0, 2));
    }

    #[test]
    fn in_the_other_half() {
        super::confer((1, 2));
    }
}

fn confer(part: Part) {
    each_seed("conference", part, |seed, told| conference::World::new(seed, told).run());
}

/// Which of how many parts of the seeds.
type Part = (u64, u64);

/// All of them.
const WHOLE: Part = (0, 1);

/// Runs the seed that is asked for, or those of `seeds.txt` for this `world` and the ordinary ones;
/// of them those of one `part`.
fn each_seed(world: &'static str, part: Part, run: impl Fn(u64, bool)) {
    let run = |seed, told| {
        let _name = Named(world, seed);
        let (index, of) = part;
        if seed % of == index {
            run(seed, told);
        }
    };
    if let Some(seed) = number("MYNAH_SIM_SEED") {
        return run(seed, true);
    }
    let known = include_str!("seeds.txt").lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        words.next().filter(|word| *word == world)?;
        words.next()?.parse().ok()
    });
    for seed in known.chain(0..number("MYNAH_SIM_SEEDS").unwrap_or(SEEDS)) {
        run(seed, false);
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Says which seed it was when a run fails.
struct Named(&'static str, u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Named(world, seed) = self;
            let test = match *world {
                "chat" => "chat",
                "octets" => "whatever",
                "presence" => "watcher",
                _ => "conference",
            };
            eprintln!("failed: MYNAH_SIM_SEED={seed} cargo test --test sim {test}");
        }
    }
}
