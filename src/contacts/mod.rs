//! Layer 2: the contact list of a user: his contacts, the groups they are in, and the number that
//! counts its changes (MS-SIP section 3.3, as the Lync client speaks it).
//!
//! One [`ContactList`] a user, at his home shard. [`Edit`] in, [`Delta`] out: the delta is what
//! the user's endpoints are told and, as [`Row`]s, what the store keeps. To make an edit durable
//! before it is answered, apply it to a clone and take the clone once the rows are written.
//!
//! | file | what it holds |
//! |---|---|
//! | `list` | the machine |
//! | `edit` | what may be asked of it, what comes of it, what is kept |
//! | `group` | groups, and sets of them |
//! | `packed` | a contact in little memory |

pub mod edit;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod group;
pub mod list;
mod packed;

pub use edit::{Bounds, Change, Contact, Delta, Edit, EditError, Row};
pub use group::{Group, GroupId, Groups};
pub use list::ContactList;
