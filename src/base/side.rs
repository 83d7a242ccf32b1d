//! The two ends of a conversation.

/// One end of a two-party conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The one who invited.
    Caller,
    /// The one who was invited.
    Callee,
}

impl Side {
    /// The opposite end.
    pub const fn other(self) -> Side {
        match self {
            Side::Caller => Side::Callee,
            Side::Callee => Side::Caller,
        }
    }

    /// 0 for the caller, 1 for the callee: an index into pairs.
    pub const fn index(self) -> usize {
        self as usize
    }
}
