//! Layer 2: the presence document of a user, and who sees what of it (MS-PRES, RFC 3856).
//!
//! One [`Presentity`](presentity::Presentity) a user, at his home shard. It takes publications of
//! all his endpoints, aggregates his state, decides by container what each watcher sees, and says
//! who must be told what has changed. It knows neither XML nor SIP: the dialects read and render.
//!
//! | file | what it holds |
//! |---|---|
//! | `category` | names of categories, and sets of them |
//! | `publication` | a category instance in a container: key, version, life, payload |
//! | `state` | what a `state` or `note` says |
//! | `card` | what a `contactCard` says |
//! | `container` | access levels and kinds of members |
//! | `document` | the publications of one user, their versions and their ends |
//! | `aggregate` | one state of the user from the statements of all his endpoints |
//! | `membership` | who is in which container, and so which level a watcher is at |
//! | `view` | what a container sees |
//! | `watch` | who watches, in groups that are told the same |
//! | `subscribers` | who has added the user to his contacts |
//! | `row` | what the store keeps |
//! | `presentity` | the machine that holds all of it for one user |

pub mod aggregate;
pub mod card;
pub mod category;
pub mod container;
pub mod document;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod membership;
pub mod presentity;
pub mod publication;
pub mod row;
#[cfg(any(test, fuzzing))]
#[cfg_attr(fuzzing, allow(dead_code, unused_imports))]
mod samples;
pub mod state;
pub mod subscribers;
pub mod view;
pub mod watch;
