//! The way out of a core, and into it, for what is not about one of its connections.

use crate::base::ids::Slot;
use crate::metrics::counters::Counters;
use crate::shard::durable::NotWritten;
use crate::shard::frame::Frame;
use crate::shard::output::Output;

/// Carries effects away, frames to other shards, records and rows to the store, and brings the
/// frames of other shards and the answers of the store. The runtime gives each core one.
pub trait Carrier {
    /// Takes an effect. Never refuses and never waits: what does not fit is kept, and
    /// [`congested`](Self::congested) says so.
    fn carry(&mut self, output: Output, counters: &mut Counters);

    /// The next frame that this core sent to itself.
    fn next_local(&mut self) -> Option<Frame>;

    /// The next frame that another core sent to this one.
    fn next_arrived(&mut self) -> Option<Frame>;

    /// The next answer of the store to a write of this core, with the ticket of the write.
    fn next_written(&mut self, counters: &mut Counters) -> Option<(Slot, Result<(), NotWritten>)>;

    /// Ends a wake-up: whoever got something is woken, once.
    fn flush(&mut self, counters: &mut Counters);

    /// True when a frame or an answer has arrived, or what is kept may fit now. Asked before the core sleeps.
    fn has_work(&self) -> bool;

    /// True while something is kept that did not fit. No connection is read meanwhile.
    fn congested(&self) -> bool;
}
