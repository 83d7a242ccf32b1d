//! Messages that somebody listens to: who may be listened to, and what is heard. The partition
//! copies them where they leave and enter a connection; the machine only says whose connection it
//! is.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::base::aor::Aor;
use crate::base::ids::ConnId;
use crate::base::transport::Transport;

/// Octets of one message that are kept; of a longer one this much is heard.
pub const HEARD_OCTETS_MAX: usize = 60 * 1024;

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    Received,
    /// From the server to the client.
    Sent,
}

/// Whose messages are listened to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Everybody's, or those of one user of so many, always the same ones; what is of nobody known
    /// counts only where everybody is listened to.
    Everyone {
        /// One user of so many; 1 is everybody.
        one_in: u32,
    },
    /// These users'.
    Users(Arc<[Aor]>),
}

impl Subject {
    /// True when the messages of a connection of `user` are listened to; `None` is a connection of
    /// which nobody knows whose it is.
    pub fn is(&self, user: Option<&Aor>) -> bool {
        match (self, user) {
            (Subject::Everyone { one_in: 0 | 1 }, _) => true,
            (Subject::Everyone { one_in }, Some(user)) => user.tag().is_multiple_of(*one_in),
            (Subject::Users(users), Some(user)) => users.contains(user),
            (_, None) => false,
        }
    }
}

/// A message as it was heard. Nothing in it is masked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overheard {
    /// When, in milliseconds since the Unix epoch.
    pub unix_ms: u64,
    /// Which way it went.
    pub way: Way,
    /// On which connection, or in which lane of a link.
    pub conn: ConnId,
    /// Whose connection it is: of who signed in, or of who says so and has not.
    pub user: Option<Aor>,
    /// The other end.
    pub peer: SocketAddr,
    /// Our end.
    pub local: SocketAddr,
    /// TLS or plain.
    pub transport: Transport,
    /// The message in plaintext, or its front.
    pub octets: Vec<u8>,
    /// Octets of the whole message.
    pub len: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_of_users_and_always_the_same() {
        let aor = |number: u32| Aor::new(&format!("user{number}@example.test"));
        let sample = Subject::Everyone { one_in: 4 };
        let heard = (0..1_000).filter(|number| sample.is(Some(&aor(*number)))).count();
        assert!((150..350).contains(&heard), "{heard}");
        assert!(!sample.is(None));
        assert!(Subject::Everyone { one_in: 1 }.is(None));
        let two = Subject::Users([aor(1), aor(2)].into());
        assert!(two.is(Some(&aor(2))) && !two.is(Some(&aor(3))) && !two.is(None));
    }
}
