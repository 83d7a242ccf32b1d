//! Attacks that last, and those who talk meanwhile: what the tests on the real binary and the
//! measurement of latency under attack share. Attackers come from an address of their own.
#![allow(dead_code, reason = "each target uses its part")]

mod bodies;
pub mod chat;
pub mod field;
mod octets;
pub mod pace;
mod requests;

use field::Field;

/// One attack.
pub struct Attack {
    /// What it is called.
    pub name: &'static str,
    /// Its number in the threat list.
    pub case: u8,
    /// Lines of the configuration under which it hits its bound soon.
    pub config: &'static str,
    /// What one blow is.
    pub blow: &'static str,
    /// Blows a second, at most.
    pub rate: u32,
    /// The series that names it.
    pub counter: &'static str,
    /// Goes on until its pace says that it is over.
    pub wage: fn(&Field<'_>),
}

/// All of them.
pub const ATTACKS: &[Attack] = &[
    octets::SLOW_HANDSHAKES,
    octets::SLOW_HEADERS,
    octets::LONG_HEADS,
    octets::KEEP_ALIVES,
    octets::GARBAGE,
    octets::RESETS,
    requests::DEAF,
    octets::CONNECTIONS,
    octets::HANDSHAKES,
    requests::CREDENTIALS,
    requests::GUESSES,
    requests::CHALLENGES,
    requests::LOOPS,
    requests::SUBSCRIPTIONS,
    bodies::PUBLICATIONS,
    requests::STRAYS,
    requests::MESSAGES,
    requests::INVITATIONS,
    bodies::XML,
    bodies::MULTIPART,
];

/// The attack of that name.
pub fn attack(name: &str) -> &'static Attack {
    ATTACKS.iter().find(|attack| attack.name == name).unwrap_or_else(|| panic!("no {name}"))
}
