//! The steps by which a user comes into a conference.

use crate::clock::Moment;
use crate::stats::Operation;
use crate::world::{Slot, World};

/// Where a conference is found; addresses without scheme, empty until they are known.
#[derive(Debug, Default)]
pub struct Place {
    /// Of its focus.
    pub focus: String,
    /// Of its instant messages.
    pub chat: String,
}

/// What follows a step that has succeeded, for a user who follows the roster or does not, and who
/// takes up the instant messages or does not; `None` when he is in.
pub fn next(step: Operation, watches: bool, chats: bool) -> Option<Operation> {
    match step {
        Operation::Create => Some(Operation::Focus),
        Operation::Focus if watches => Some(Operation::Subscribe),
        Operation::Focus | Operation::Subscribe if chats => Some(Operation::Invite),
        _ => None,
    }
}

/// Asks for what a step needs; false when the user cannot.
pub fn take(world: &mut World, slot: Slot, step: Operation, place: &Place, now: Moment) -> bool {
    match step {
        Operation::Create => world.create_conference(slot, now),
        Operation::Focus => world.join(slot, &place.focus, now),
        Operation::Subscribe => world.watch_conference(slot, &place.focus, now),
        _ => world.chat(slot, &place.chat, now),
    }
}
