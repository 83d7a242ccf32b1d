//! Layer 5: durable rows: the users, what shards keep of them, scheduled conferences and the call
//! detail records, in an embedded SQLite database in the data folder.
//!
//! The server has one [`Store`]: a thread that is the only writer of the process. Records and
//! requests reach it through bounded queues; what waits is committed together, at the latest
//! `commit_time_max` after its first row, and answered after the commit. Write-ahead log with
//! `synchronous=FULL`: the log is synced before a commit returns, so neither kill -9 nor a loss of
//! power takes a committed row; the group commit pays for the sync.
//!
//! A disk that refuses (full, read-only, failing) stops nothing else: records stay in the queue up
//! to its bound, the writer tries again every `store_retry_time`, an [alarm](StoreHandle::counters)
//! stands until a write succeeds, and changes of users are refused with the reason.
//!
//! The command line opens the same [`Database`] from its own process while the server runs; the
//! server sees the change when it asks for [`users_since`](StoreHandle::users_since) the version it
//! knows.

mod api_tokens;
mod backup;
mod cdr;
mod conference_cdr;
mod conferences;
mod contacts;
mod database;
mod durable;
mod error;
mod folder;
mod handle;
mod meaning;
mod migrations;
mod photos;
mod presence;
mod receipt;
mod request;
mod service;
mod user_pages;
mod users;
mod writer;

pub use backup::{Contents, Restored, restore};
pub use cdr::CdrQuery;
pub use database::Database;
pub use error::{Fault, StoreError};
pub use handle::{Full, Store, StoreHandle};
pub use receipt::{Receipt, WayBack};
pub use request::{Reply, UserChange};
pub use user_pages::UserPage;
pub use users::UserChanges;

#[cfg(test)]
mod tests;
