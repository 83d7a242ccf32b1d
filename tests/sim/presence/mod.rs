//! Presence and contacts under a storm: who publishes, watches, changes levels and edits lists, on
//! connections that end at any step, with a store that is late or fails and a process that
//! restarts. In the end every picture is what its level shows.

mod acts;
mod agent;
mod book;
mod levels;
mod own;
pub mod reading;
mod subscription;
mod world;

pub use world::World;
