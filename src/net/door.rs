//! The kinds of listeners: what may come in, and what is asked of who does.

use crate::base::transport::Transport;

/// Through which listener a stream came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// TLS of other servers, each with a certificate that names it, which carries many users
    /// (`listen.links`).
    Links,
    /// Plain TCP of clients.
    Tcp,
    /// TLS of clients.
    Tls,
}

impl Door {
    /// What is spoken behind it.
    pub const fn transport(self) -> Transport {
        match self {
            Door::Links | Door::Tls => Transport::Tls,
            Door::Tcp => Transport::Tcp,
        }
    }
}
