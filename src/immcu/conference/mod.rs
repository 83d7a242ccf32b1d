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
//! | `member` | who is in, and with which legs |
//! | `recipients` | the legs of each core that a message goes to |
//! | `recent` | what was said of late: for those who join, and for delivery reports |
//! | `machine` | the conference itself |

pub mod description;
pub mod input;
pub mod output;

pub use description::{Admission, Description, Role};
pub use input::{Accepts, Command, Input, Join, Leaving, LegKind, Reach, Relation};
pub use output::{Change, Ending, Output, Parting, Refusal, Speech};
