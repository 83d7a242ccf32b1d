//! Attacks that last. While each goes on, two who are signed in exchange messages and none is lost;
//! after it memory and descriptors are what they were, a counter has its name, and the log holds at
//! most a line a second for each cause. That the two also wait no longer than before is not for a
//! test to say: `benches/under_attack.rs` measures it.

use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant};

use crate::outside::eventually;
use crate::siege::chat::Chat;
use crate::siege::field::Field;
use crate::siege::pace::{Ends, Pace};
use crate::siege::{ATTACKS, attack};
use crate::target::Target;

/// Between two messages of those who talk meanwhile.
const GAP: Duration = Duration::from_millis(10);
/// Messages that must pass while the attack goes on.
const MESSAGES: u64 = 20;
/// Connections when nobody attacks: the two, and the bystander.
const QUIET: f64 = 3.0;

/// Fails unless the server withstands the attack of this name.
fn withstands(name: &str) {
    let attack = attack(name);
    let target = Target::with_config(attack.config);
    let chat = Chat::start(&target, GAP);
    target.wait_metric("mynah_connections_current", |connections| connections == QUIET);
    let (began, before) = (Instant::now(), target.lines().len());
    target.comes_to_rest(QUIET, || {
        let counter = || target.metrics().value(attack.counter);
        let (counted, exchanged) = (counter(), chat.exchanged());
        let pace = Pace::new(attack.rate);
        thread::scope(|scope| {
            let _ends = Ends(&pace);
            scope.spawn(|| (attack.wage)(&Field::new(&target, &pace)));
            eventually(&format!("{} to rise while messages pass", attack.counter), || {
                let found = (counter() - counted, chat.exchanged() - exchanged);
                if found.0 > 0.0 && found.1 >= MESSAGES {
                    Ok(())
                } else {
                    Err(format!("{found:?}"))
                }
            });
        });
    });
    let seconds = began.elapsed().as_secs();
    let mut lines: HashMap<String, u64> = HashMap::new();
    for line in target.lines().get(before..).unwrap_or_default() {
        *lines.entry(cause(line)).or_default() += 1;
    }
    for (cause, count) in lines {
        assert!(count <= seconds + 1, "{count} lines of {cause:?} in {seconds} s");
    }
    chat.end();
    target.survived();
}

/// A line of the log without what differs from one time to the next.
fn cause(line: &str) -> String {
    let stays = |word: &&str| {
        let is_time = word.ends_with('Z') && word.starts_with(|c: char| c.is_ascii_digit());
        !is_time && !["peer=", "held_back="].iter().any(|name| word.starts_with(name))
    };
    line.split(' ').filter(stays).collect::<Vec<_>>().join(" ")
}

/// A test for each attack, by its name.
macro_rules! sieges {
    ($($test:ident = $name:literal,)*) => {
        const TESTED: &[&str] = &[$($name),*];

        $(#[test]
        fn $test() {
            withstands($name);
        })*
    };
}

sieges! {
    handshakes_that_trickle = "slow handshakes", // 2
    headers_that_trickle = "slow headers", // 3
    heads_without_end = "endless heads", // 16
    keep_alives_by_the_thousand = "keep-alives", // 20
    noise_in_tls_and_instead_of_it = "garbage", // 21
    resets_in_mid_message_and_mid_answer = "resets", // 23
    one_who_never_reads = "never reading", // 24
    connections_from_one_address = "connections", // 25
    handshakes_that_nobody_finishes = "handshakes", // 28
    credentials_that_are_garbage = "garbage for credentials", // 40
    passwords_that_are_guessed = "guessing passwords", // 41
    challenges_that_nobody_answers = "challenges", // 43
    requests_without_hops_left = "no hops left", // 45
    messages_that_nobody_answers = "messages", // 46
    subscriptions_without_end = "subscriptions", // 48
    publications_without_end = "publications", // 49
    answers_to_nothing = "stray answers", // 51
    invitations_that_nobody_answers = "invitations", // 53
    xml_beyond_its_bounds = "XML", // 56
    parts_within_parts = "parts in parts", // 59
}

#[test]
fn every_attack_is_tried() {
    let mut all: Vec<_> = ATTACKS.iter().map(|attack| attack.name).collect();
    let mut tested = TESTED.to_vec();
    all.sort_unstable();
    tested.sort_unstable();
    assert_eq!(all, tested);
}
