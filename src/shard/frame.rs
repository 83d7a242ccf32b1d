//! The envelope between shards: one concrete enum, with what it costs if one is lost.

use bytes::Bytes;

use crate::base::ids::{ConnId, RelayId};
use crate::metrics::counters::FrameKind;

/// A message from one shard to the owner of something.
#[derive(Debug)]
pub enum Frame {
    /// To the shard of `conn`: write these octets there. Lost: the request timer of the relay
    /// answers the sender with 408.
    Deliver {
        /// The connection.
        conn: ConnId,
        /// A whole message, ready to be written.
        bytes: Bytes,
        /// The request in flight this carries, told when the connection is gone.
        relay: Option<RelayId>,
    },
    /// To the owner of `relay`: the connection it was delivered to is gone. Lost: the request
    /// timer tells the same later.
    Undeliverable {
        /// The request in flight.
        relay: RelayId,
    },
}

impl Frame {
    /// What to count it as when it is lost.
    pub const fn kind(&self) -> FrameKind {
        match self {
            Frame::Deliver { .. } => FrameKind::Deliver,
            Frame::Undeliverable { .. } => FrameKind::Undeliverable,
        }
    }
}
