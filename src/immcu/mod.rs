//! Layer 2: the IM multipoint control unit. It stands in the middle of every conversation, so
//! that each one is counted, recorded and can be filtered.

pub mod conference;
pub mod filter;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod pager;
pub mod session;
