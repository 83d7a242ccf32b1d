//! The bodies of the fuzz targets in `tests/fuzz`, by name, and what they have in common.
//!
//! A body is a function that takes any octets and panics when a promise of the code is broken. Most
//! check more than that nothing panics: that what is written is read again, that no text gets out of
//! the place it belongs to, that a machine does what its model does. `cargo test` runs each of them
//! on its seeds and on what resembles them, so that they stay alive without a fuzzer;
//! `tests/fuzz/README.md` says how to run the fuzzer.
//!
//! The whole server is driven by `tests/sim/octets.rs`, whose body needs the clients of
//! `tests/harness`.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Octets that choose one step of a list of steps. Each step has its own, so that a change of one does
/// not make other steps of all that follow.
const STEP_OCTETS: usize = 4;
/// Octets of the seed of a generator.
const SEED_OCTETS: usize = 32;
/// Steps of one list.
const STEPS_MAX: usize = 80;

/// Takes any octets, and panics when a promise is broken.
pub type Body = fn(&[u8]);

/// Declares the targets: names and bodies. Each is tried by a test of its name.
macro_rules! targets {
    ($($name:ident => $body:path,)*) => {
        /// All bodies, by the names of their targets.
        pub const TARGETS: &[(&str, Body)] = &[$((stringify!($name), $body as Body),)*];

        #[cfg(test)]
        mod each {
            $(#[test] fn $name() { super::tests::exercise(stringify!($name), $body) })*
        }
    };
}

targets! {
    address => crate::dialect::fuzz::address,
    api_request => crate::admin::api::fuzz::request,
    authorization => crate::shard::fuzz::authorization,
    conference => crate::wire::conference::fuzz::body,
    conference_request => crate::dialect::ms::fuzz::conference,
    conference_steps => crate::immcu::conference::fuzz::steps,
    configuration => crate::config::fuzz::configuration,
    contact_steps => crate::contacts::fuzz::steps,
    gate_steps => crate::auth::fuzz::gate,
    im_filter => crate::immcu::filter::fuzz::im_filter,
    ldap_entry => crate::ldap::fuzz::entry,
    multipart => crate::wire::mime::fuzz::multipart,
    ntlm_authenticate => crate::wire::ntlm::fuzz::authenticate,
    presence => crate::wire::presence::fuzz::body,
    presence_steps => crate::presence::fuzz::steps,
    publication => crate::dialect::ms::fuzz::publication,
    registrar_steps => crate::registrar::fuzz::steps,
    session_steps => crate::immcu::fuzz::sessions,
    sip_framer => crate::wire::sip::fuzz::framer,
    sip_header => crate::wire::sip::fuzz::header,
    sip_message => crate::wire::sip::fuzz::message,
    sip_value => crate::wire::sip::fuzz::value,
    soap => crate::dialect::ms::fuzz::soap,
    speech => crate::dialect::fuzz::speech,
    user_import => crate::cli::fuzz::user_import,
    watch_list => crate::dialect::ms::fuzz::lists,
    xml => crate::wire::xml::fuzz::document,
}

/// Runs the body of a target.
pub fn run(name: &str, data: &[u8]) {
    let (_, body) = TARGETS.iter().find(|(known, _)| *known == name).expect("a target");
    body(data);
}

/// The value that octets choose out of those of `strategy`; `None` when they choose none.
pub(crate) fn one<S: Strategy>(strategy: &S, data: &[u8]) -> Option<S::Value> {
    let config = Config { failure_persistence: None, ..Config::default() };
    // Octets that were taken as they are would soon be used up, and who draws numbers below a bound
    // would draw for ever.
    let mut seed = [0; SEED_OCTETS];
    seed.iter_mut().zip(data).for_each(|(octet, chosen)| *octet = *chosen);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(config, rng);
    Some(strategy.new_tree(&mut runner).ok()?.current())
}

/// The list of steps that octets choose.
pub(crate) fn steps<S: Strategy>(strategy: &S, data: &[u8]) -> Vec<S::Value> {
    data.chunks(STEP_OCTETS).take(STEPS_MAX).filter_map(|chunk| one(strategy, chunk)).collect()
}

/// The octets that choose what a list of steps begins with, and those that choose the steps.
pub(crate) fn split(data: &[u8]) -> (&[u8], &[u8]) {
    data.split_at(data.len().min(STEP_OCTETS))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::base::seed::Seed;

    /// Tries of each body besides its seeds.
    const TRIES: usize = 60;
    /// Octets of a try that comes from no seed.
    const NOISE_LEN_MAX: u64 = 1500;
    /// Octets of a try.
    const LEN_MAX: usize = 6000;

    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz")
    }

    fn seeds(name: &str) -> Vec<Vec<u8>> {
        let Ok(files) = fs::read_dir(folder().join("seeds").join(name)) else { return Vec::new() };
        let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        paths.sort();
        paths.iter().map(|path| fs::read(path).unwrap()).collect()
    }

    /// Runs a body on its seeds, on seeds with a few changes, and on noise.
    pub(super) fn exercise(name: &str, body: Body) {
        let seeds = seeds(name);
        body(&[]);
        seeds.iter().for_each(|seed| body(seed));
        let mut chance = Seed::from_u64(name.bytes().map(u64::from).sum());
        for _ in 0..TRIES {
            let mut octets = match seeds.get(chance.below(seeds.len().max(1) as u64) as usize) {
                Some(seed) => changed(seed, &seeds, &mut chance),
                None => noise(&mut chance),
            };
            octets.truncate(LEN_MAX);
            body(&octets);
        }
    }

    fn noise(chance: &mut Seed) -> Vec<u8> {
        let mut octets = vec![0; chance.below(NOISE_LEN_MAX) as usize];
        chance.fill(&mut octets);
        octets
    }

    /// A seed in which some octets are others, are gone, stand twice or come from another seed.
    fn changed(seed: &[u8], seeds: &[Vec<u8>], chance: &mut Seed) -> Vec<u8> {
        let mut octets = seed.to_vec();
        for _ in 0..=chance.below(4) {
            let at = chance.below(octets.len() as u64 + 1) as usize;
            let end = (at + chance.below(20) as usize).min(octets.len());
            match chance.below(5) {
                0 => octets[at..end].fill_with(|| chance.below(256) as u8),
                1 => drop(octets.drain(at..end)),
                2 => {
                    let part = octets[at..end].to_vec();
                    octets.splice(at..at, part);
                }
                3 => {
                    let other = &seeds[chance.below(seeds.len() as u64) as usize];
                    let from = chance.below(other.len() as u64 + 1) as usize;
                    octets.splice(at.., other[from..].iter().copied());
                }
                _ => octets.truncate(at),
            }
        }
        octets
    }

    #[test]
    fn every_body_has_a_target_and_every_target_is_built() {
        let ours: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
        let files = fs::read_dir(folder().join("targets")).unwrap();
        let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
        let files: BTreeSet<_> = files.map(|file| stem(file.unwrap().path())).collect();
        // The one that drives the whole server has its body in the tests.
        let whole = BTreeSet::from(["octets".to_owned()]);
        assert_eq!(ours.union(&whole).cloned().collect::<BTreeSet<_>>(), files);
        let manifest = fs::read_to_string(folder().join("Cargo.toml")).unwrap();
        for name in files {
            let text = fs::read_to_string(folder().join(format!("targets/{name}.rs"))).unwrap();
            assert!(whole.contains(&name) || text.contains(&format!("\"{name}\"")), "{text}");
            assert!(manifest.contains(&format!("path = \"targets/{name}.rs\"")), "{name}");
        }
    }

    #[test]
    fn octets_choose_steps_one_by_one() {
        let strategy = 0u64..u64::MAX;
        let list = steps(&strategy, &[7; 3 * STEP_OCTETS]);
        assert_eq!(list.len(), 3);
        let mut other = [7; 3 * STEP_OCTETS];
        other[STEP_OCTETS] = 200;
        let other = steps(&strategy, &other);
        assert_eq!((other[0], other[2]), (list[0], list[2]));
        assert_ne!(other[1], list[1]);
    }
}
