//! The two kinds of transaction.

/// What a transaction does depends on its method only in this (RFC 3261 section 17).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// INVITE: people answer it, so it takes its time, may be cancelled and is acknowledged.
    Invite,
    /// Everything else but ACK, which is no transaction of its own: machines answer it at once.
    NonInvite,
}

impl Kind {
    /// The kind of a request with this method.
    pub fn of(method: &[u8]) -> Self {
        if method == b"INVITE" { Kind::Invite } else { Kind::NonInvite }
    }
}
