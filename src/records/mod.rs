//! Layer 2: what is kept about conversations. Values only; the store writes them.

pub mod cdr;
pub mod conference;

pub use cdr::{Cdr, End, Ended, Ending, KeptRecord, Kind, Record, RecordId, Started};
pub use conference::{
    ConferenceCdr, ConferenceDeparted, ConferenceEnd, ConferenceEnded, ConferenceEnding,
    ConferenceEntered, ConferenceStarted, Parting, Role, Visit, VisitEnd,
};
