//! Layer 4: the owner of users and sessions, without sockets, clock or randomness of its own.
//!
//! One rule: after every `handle`, drain `next_output` until it says `None`. Local and
//! cross-core messages enter by the same door.

pub mod frame;
pub mod input;
pub mod output;

use crate::base::time::Now;
use crate::metrics::counters::Counters;
use input::Input;
use output::Output;

/// What a core drives: the shard, or a stand-in for it in tests of the layers above.
pub trait Machine {
    /// Takes one input at the time `now`.
    fn handle(&mut self, now: Now, input: Input<'_>);

    /// The next effect of what was handled; `None` when all are out.
    fn next_output(&mut self) -> Option<Output>;

    /// The counters of this core; the layers above count theirs here too.
    fn counters(&mut self) -> &mut Counters;
}
