//! A conference: the focus that knows who is in and who may do what, and the IMMCU that carries
//! what is said to all.
//!
//! The machine knows members, their legs by name, and numbers. What an operation or a message looks
//! like on the wire is the dialects' business, where a leg leads is the shard's.
//!
//! | file | what it holds |
//! |---|---|
//! | `description` | what the organiser lays down |
//! | `input`, `output` | the verbs |
//! | `admission` | who may join, and as what |
//! | `member`, `roster` | who is in, and with which legs |
//! | `allowance` | how much a member may say in the time |
//! | `recipients` | the legs of each core that a message goes to |
//! | `recent` | what was said of late, for those who join |
//! | `reports` | who is told that something did not arrive |
//! | `watchers` | who is told of the roster |
//! | `machine` | the conference itself |

mod admission;
mod allowance;
pub mod description;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod input;
pub mod machine;
pub mod member;
pub mod output;
mod recent;
mod recipients;
mod reports;
mod roster;
mod watchers;

pub use description::{Admission, Description, Role};
pub use input::{Accepts, Command, Input, Join, Leaving, LegKind, Modification, Reach, Relation};
pub use machine::Conference;
pub use member::{Leg, Member};
pub use output::{Change, Ending, Output, Parting, Refusal, Speech};

#[cfg(any(test, fuzzing))]
#[cfg_attr(fuzzing, allow(dead_code, unused_imports))]
mod tests;
