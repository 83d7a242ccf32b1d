//! One rule after the other, and all of them beside a model.

mod admission;
mod commands;
mod endings;
mod fanout;
mod lobby;
mod members;
mod model;
pub mod properties;
mod recall;
mod reports;
mod roster;
mod stage;
pub mod steps;
