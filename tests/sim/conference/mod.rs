//! Conversations that become conferences: two talk, one adds a third, others come and go, and all
//! the while everybody writes. What must have become of every word is `book`'s business; who is in
//! is held against what each subscriber was told.

mod acts;
mod agent;
mod answers;
mod book;
mod ledger;
mod roster;
mod seat;
mod verdict;
mod words;
mod world;

pub use world::World;
