//! One connection as the driver sees it: what is to be written, what came in half, whether it is
//! up. Sockets are elsewhere.

use crate::clock::Moment;
use crate::scan::Scanner;
use std::net::SocketAddr;
use std::time::Duration;

/// Most octets that may wait to be written; more is an overrun.
pub const WAITING_MAX: usize = 4 * 1_048_576;

/// Most room that an empty buffer of a connection keeps, in octets. The answer to a batch of
/// contacts is tens of kilobytes, once; with many users that would be most of all memory.
const ROOM_KEPT_MAX: usize = 512;

/// Gives the room of a buffer back when it is empty and had much.
pub fn give_back(buffer: &mut Vec<u8>) {
    if buffer.is_empty() && buffer.capacity() > ROOM_KEPT_MAX {
        *buffer = Vec::new();
    }
}

/// What a connection is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Only to be opened.
    Connect,
    /// To sign in.
    SignIn,
}

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// There is none.
    Closed,
    /// TCP connect or TLS handshake under way.
    Opening {
        /// What for.
        purpose: Purpose,
        /// When it was meant to begin.
        intended: Moment,
        /// When it began.
        began: Moment,
    },
    /// Octets can be exchanged.
    Up,
    /// We asked for its end.
    Closing,
}

/// Own address of a connection, as it stands in messages.
#[derive(Debug, Default)]
pub struct Place {
    /// IP address.
    pub ip: Vec<u8>,
    /// `ip:port`.
    pub local: Vec<u8>,
}

/// One connection.
#[derive(Debug)]
pub struct Link {
    /// True when the connection knows that there is something to write.
    pub announced: bool,
    /// Rises with every opening, so that what belongs to an earlier connection is recognised.
    pub generation: u32,
    /// Idle time after which a sign of life is sent.
    pub keep_alive: Duration,
    /// True when the timers of the registration and of the signs of life are armed.
    pub kept_up: bool,
    /// Its own address.
    pub place: Place,
    /// Plain octets to be written.
    pub out: Vec<u8>,
    /// Beginning of a message whose rest has not arrived.
    pub partial: Vec<u8>,
    /// When the keys of signatures are to be renewed; `None` without any.
    pub keys_end: Option<Moment>,
    /// When the registration is to be renewed.
    pub renew_at: Moment,
    /// Cuts what arrives.
    pub scanner: Scanner,
    /// True when nothing more is read, on purpose.
    pub silent: bool,
    /// When something was last handed over for writing.
    pub sent: Moment,
    /// Where it stands.
    pub state: State,
}

impl Link {
    /// A connection that does not exist yet.
    pub fn new() -> Self {
        Link {
            announced: false,
            generation: 0,
            keep_alive: Duration::ZERO,
            kept_up: false,
            keys_end: None,
            place: Place::default(),
            out: Vec::new(),
            partial: Vec::new(),
            renew_at: Moment::default(),
            scanner: Scanner::default(),
            silent: false,
            sent: Moment::default(),
            state: State::Closed,
        }
    }

    /// Forgets the earlier connection.
    pub fn reset(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        self.announced = false;
        self.kept_up = false;
        self.keys_end = None;
        self.silent = false;
        self.out.clear();
        self.partial.clear();
        self.scanner = Scanner::default();
    }

    /// Takes the local address over.
    pub fn locate(&mut self, local: SocketAddr) {
        self.place.local = local.to_string().into_bytes();
        self.place.ip = local.ip().to_string().into_bytes();
    }

    /// True when octets can be exchanged.
    pub fn is_up(&self) -> bool {
        self.state == State::Up
    }
}

impl Default for Link {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_buffer_that_was_large_gives_its_room_back() {
        let mut large = Vec::with_capacity(100_000);
        large.push(1);
        give_back(&mut large);
        assert!(large.capacity() >= 100_000);
        large.clear();
        give_back(&mut large);
        assert_eq!(large.capacity(), 0);
        let mut small = Vec::with_capacity(100);
        give_back(&mut small);
        assert!(small.capacity() >= 100);
    }
}
