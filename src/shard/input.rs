//! What happens to a shard.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::durable::{NotWritten, Rows};
use super::frame::Frame;
pub use super::observe::Observation;
use super::question::Question;
use crate::base::aor::Aor;
use crate::base::host_port::HostPort;
use crate::base::ids::{ConnId, Slot};
pub use crate::base::transport::Transport;
use crate::config::Settings;
use crate::directory::User;
use crate::immcu::conference::Description;
use crate::metrics::counters::{CloseReason, TlsCipher};
use crate::wire::sip::{Error, Message, StreamError};

/// One event, in the order it happened on its core.
#[derive(Debug)]
pub enum Input<'a> {
    /// A connection is ready for SIP: accepted, and its handshake done if it is TLS.
    Opened {
        /// Its name, chosen by the connection partition of this core.
        conn: ConnId,
        /// The other end.
        peer: SocketAddr,
        /// Where the client is, as far as it is known: on a link it is not the other end. What
        /// goes wrong is counted against it.
        origin: Option<IpAddr>,
        /// TLS or plain.
        transport: Transport,
        /// What it is encrypted with; `None` for a plain one, and for a lane.
        cipher: Option<TlsCipher>,
        /// It is a lane: it shares the stream of a link with other users and has no end of its
        /// own, so it ends when its user has signed off.
        lane: bool,
    },
    /// A whole, well-formed message arrived.
    Message {
        /// On this connection.
        conn: ConnId,
        /// The octets and their index, borrowed from the core's receive buffer.
        message: Message<'a>,
    },
    /// A whole message arrived that breaks a rule: it is refused, the stream goes on.
    Malformed {
        /// On this connection.
        conn: ConnId,
        /// As far as it could be indexed.
        message: Message<'a>,
        /// The rule.
        error: Error,
    },
    /// The framing of a connection is lost: answered once if possible, then closed.
    Broken {
        /// On this connection.
        conn: ConnId,
        /// What was indexed of the message in which it broke; may lack everything.
        message: Message<'a>,
        /// How.
        error: StreamError,
    },
    /// A connection is gone. Nothing sent to it afterwards arrives.
    Closed {
        /// Which.
        conn: ConnId,
        /// Why.
        reason: CloseReason,
    },
    /// A frame from another shard.
    Frame(Frame),
    /// A word from the control thread.
    Control(Control),
    /// Time has passed; deadlines are looked at.
    Tick,
}

/// What the control thread tells a shard.
#[derive(Debug)]
pub enum Control {
    /// Other settings hold from now on. They differ from those of the start in what a
    /// [reload](crate::config::Setting::reloads) may change alone.
    Configure(Arc<Settings>),
    /// Take no new work from now on, and go on with what there is: nobody new signs in, nobody is
    /// invited. Told again, the new words hold.
    Leave {
        /// Time in which the partition closes the connections; who is refused is told to come again
        /// after it.
        over: Duration,
        /// Where clients that follow are sent instead.
        to: Option<HostPort>,
    },
    /// An operator asks about a user or a conference whose home this is, or about all conferences
    /// of this shard.
    Ask {
        /// What the answer is known by.
        ticket: Slot,
        /// The question.
        question: Question,
    },
    /// An application watches users whose home this is.
    Observe(Observation),
    /// It watches no more; [`Observation::observer`] was its name.
    Unobserve(Slot),
    /// A scheduled conference whose home this is, as it was kept; only at start, after the users and
    /// before anybody may sign in.
    PutConference(Box<Description>),
    /// A user of the directory is new or has changed. Only his home takes note.
    PutUser(Arc<User>),
    /// What the store keeps of a user who was put before; only at start, some rows at a time.
    PutRows(Aor, Rows),
    /// A user was removed: he is signed out, all that was kept of him is forgotten, and his scheduled
    /// conferences end. Every shard is told.
    RemoveUser(Aor),
    /// The answer of the store to a [`Write`](super::durable::Write) or a
    /// [`ConferenceWrite`](super::durable::ConferenceWrite); each gets exactly one.
    Written {
        /// The ticket of the write.
        ticket: Slot,
        /// `Ok` when the rows are durable.
        result: Result<(), NotWritten>,
    },
    /// The server is about to go down: refuse new work. What is in flight is answered.
    Refuse,
    /// The server goes down: refuse new work, end sessions, write their records. The connections
    /// are closed by the partition.
    Drain,
}
