//! Layer 0: counters as plain integers, one set a shard, summed when the page is scraped.

pub mod api;
pub mod counters;
pub mod hep;
pub mod histogram;
pub mod ldap;
pub mod names;
pub mod store;
pub mod summary;
