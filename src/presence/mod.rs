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
//! | `container` | access levels: membership and which one a watcher is in |

pub mod card;
pub mod category;
pub mod container;
pub mod publication;
pub mod row;
pub mod state;
