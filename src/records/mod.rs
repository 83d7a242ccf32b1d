//! Layer 2: what is kept about conversations. Values only; the store writes them.

pub mod cdr;

pub use cdr::{Cdr, End, Ended, Ending, Kind, Record, RecordId, Started};
