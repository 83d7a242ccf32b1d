//! What the tests against the real binary share: the server as a process, the programs that talk
//! to it, its records and counters as an operator sees them, and a plain SIP endpoint.
//!
//! Nothing here uses the server's own reader or writer: a fault in them must not hide itself.
#![allow(dead_code, reason = "each test target uses its part")]

pub mod api;
pub mod cdr;
pub mod endpoint;
pub mod link;
pub mod metrics;
pub mod presence;
pub mod program;
pub mod server;
pub mod service;
pub mod session;
pub mod stream;

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take before a test fails. Generous: the machine may be busy with other
/// tests.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at something that cannot be waited for.
const LOOK: Duration = Duration::from_millis(20);

/// Looks until `look` finds something; panics with what was expected when patience ends.
pub fn eventually<T>(expected: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look() {
            Ok(found) => return found,
            Err(instead) if Instant::now() > deadline => {
                panic!("expected {expected}, instead: {instead}")
            }
            Err(_) => thread::sleep(LOOK),
        }
    }
}
