//! Layer 0: counters as plain integers, one set a shard, summed when the page is scraped.

pub mod counters;
pub mod names;
