//! An endpoint: a device that is off or on, and what it is in the middle of.

use std::collections::{BTreeSet, VecDeque};

use crate::harness::{Client, Dialog, Request, Text};

/// A device of a user.
pub struct Endpoint {
    pub user: &'static str,
    pub ms: bool,
    pub number: u32,
    pub online: Option<Online>,
}

/// A device with a connection.
pub struct Online {
    pub client: Client,
    pub state: State,
    /// Written, and not yet arrived at the server.
    pub outbox: VecDeque<Vec<u8>>,
    /// The REGISTER that has no final answer.
    pub registering: Option<Request>,
    pub dialogs: Vec<Dialog>,
    /// Local tags of the dialogs whose ACK came, or that are its own.
    pub acknowledged: BTreeSet<String>,
    /// Invitations of its own that have no final answer.
    pub inviting: Vec<Inviting>,
    /// Invitations that came and have no final answer.
    pub ringing: Vec<Ringing>,
    /// Answers it will give later.
    pub owed: Vec<Owed>,
}

/// How far it is signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// REGISTER is under way.
    SigningIn,
    /// It may do anything.
    SignedIn,
    /// It has de-registered and closes as soon as its last words are out.
    Leaving,
}

/// An invitation of its own.
pub struct Inviting {
    pub invite: Request,
    pub cancelled: bool,
}

/// An invitation that came.
pub struct Ringing {
    pub invite: Text,
    pub tag: String,
    /// It has no ear for CANCEL.
    pub deaf: bool,
}

/// An answer that is given later.
pub struct Owed {
    pub request: Text,
    pub status: u16,
    /// The message it is about.
    pub message: usize,
}

impl Online {
    /// A device that has just connected.
    pub fn new(client: Client) -> Self {
        Online {
            client,
            state: State::SigningIn,
            outbox: VecDeque::new(),
            registering: None,
            dialogs: Vec::new(),
            acknowledged: BTreeSet::new(),
            inviting: Vec::new(),
            ringing: Vec::new(),
            owed: Vec::new(),
        }
    }

    /// Puts a message on its way to the server.
    pub fn send(&mut self, message: &Request) {
        self.outbox.push_back(message.octets());
    }

    /// The dialog of a request that came.
    pub fn dialog_of(&mut self, received: &Text) -> Option<usize> {
        self.dialogs.iter().position(|dialog| {
            dialog.call_id == received.header("Call-ID")
                && dialog.local_tag == received.to_tag()
                && dialog.remote_tag == received.from_tag()
        })
    }
}
