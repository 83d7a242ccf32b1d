//! How long two who are signed in wait for their messages while somebody else attacks, beside how
//! long they wait when nobody does.
//!
//!     cargo bench --bench under_attack [-- --quick] [NAME…]
//!
//! For each attack (all, or those whose names have a NAME in them) the real server runs on one core
//! and TLS, and windows without and with the attack take turns, so that what else the machine does
//! falls on both. The attacker and the two who talk share the other core, and the attacker, with the
//! lowest priority, leaves it to them: what they wait for is the server. An attack has a bound on its
//! blows a second, as a machine of two cores cannot attack faster and still tell whose time it was.
//!
//! Latency is from when a message was due to its 200. What is shown is the median of all windows of
//! a kind. Then memory and descriptors before and after, once the server is quiet again, and how far
//! the counter rose that names the attack.

#[path = "../../tests/outside/mod.rs"]
mod outside;
#[path = "../../tests/siege/mod.rs"]
mod siege;
mod window;

use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use outside::server::Server;
use siege::chat::Chat;
use siege::{ATTACKS, Attack};
use window::{Rest, Window, median};

/// Between two messages.
const GAP: Duration = Duration::from_millis(2);

/// How long it is measured.
struct Plan {
    /// Windows of each kind.
    rounds: u32,
    window: Duration,
}

const WHOLE: Plan = Plan { rounds: 7, window: Duration::from_secs(2) };
const QUICK: Plan = Plan { rounds: 2, window: Duration::from_millis(500) };

fn main() {
    let (options, names): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with("--"));
    let plan = if options.iter().any(|option| option == "--quick") { QUICK } else { WHOLE };
    println!(
        "| attack, case | blows a second, bound | p50, p99 quiet | p50, p99 under attack | p99 | \
         server CPU quiet, under attack | memory before, after | descriptors | counter |\n\
         |---|---|---|---|---|---|---|---|---|"
    );
    let wanted = |attack: &&Attack| {
        names.is_empty() || names.iter().any(|name| attack.name.contains(name.as_str()))
    };
    ATTACKS.iter().filter(wanted).for_each(|attack| measure(attack, &plan));
}

/// Measures one attack and prints its line.
fn measure(attack: &Attack, plan: &Plan) {
    let cpus = sched_getaffinity(None).expect("the CPUs of this process");
    let server = Server::serve_on(1, attack.config);
    // The server has the first one.
    if let Some(last) = (0..CpuSet::MAX_CPU).rev().find(|cpu| cpus.is_set(*cpu)) {
        let mut own = CpuSet::new();
        own.set(last);
        sched_setaffinity(None, &own).expect("a CPU for those who talk");
    }
    let chat = Chat::start(&server, GAP);
    // What is made once is made before memory is looked at.
    Window::attacked(&server, &chat, attack, plan.window);
    let before = Rest::of(&server);
    let counted = server.metrics().value(attack.counter);
    let (mut quiet, mut attacked) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        quiet.push(Window::quiet(&server, &chat, plan.window));
        attacked.push(Window::attacked(&server, &chat, attack, plan.window));
        Rest::of(&server);
    }
    let after = Rest::of(&server);
    let counted = server.metrics().value(attack.counter) - counted;
    chat.end();
    server.stop();
    sched_setaffinity(None, &cpus).expect("the CPUs as they were");

    let of = |windows: &[Window], value: fn(&Window) -> f64| median(windows.iter().map(value));
    let (quiet_p99, attacked_p99) = (of(&quiet, |w| w.p99_ms), of(&attacked, |w| w.p99_ms));
    println!(
        "| {}, {} | {:.0} of {} | {:.2}, {:.2} ms | {:.2}, {:.2} ms | × {:.1} | {:.0}, {:.0} % | \
         {:.1}, {:.1} MiB | {:.0}, {:.0} | `{}` + {:.0} |",
        attack.name,
        attack.case,
        of(&attacked, |w| w.blows_per_second),
        attack.rate,
        of(&quiet, |w| w.p50_ms),
        quiet_p99,
        of(&attacked, |w| w.p50_ms),
        attacked_p99,
        attacked_p99 / quiet_p99,
        of(&quiet, |w| w.cpu_percent),
        of(&attacked, |w| w.cpu_percent),
        before.memory_mib,
        after.memory_mib,
        before.descriptors,
        after.descriptors,
        attack.counter,
        counted,
    );
}
