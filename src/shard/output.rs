//! What a shard wants done.

use bytes::Bytes;

use super::durable::{ConferenceWrite, Write};
use super::frame::Frame;
use super::observe::Sight;
use super::question::Answer;
use crate::base::ids::{ConnId, ShardId, Slot};
use crate::metrics::counters::CloseReason;
use crate::records::Record;

/// One effect. Effects are carried out in order.
#[derive(Debug)]
pub enum Output {
    /// Answer a question of an operator.
    Answer {
        /// The ticket of the question.
        ticket: Slot,
        /// The answer.
        answer: Answer,
    },
    /// Show an application what it sees of a user it watches: at first, and whenever that changes.
    Observed {
        /// The name of the [`Observation`](super::input::Observation).
        observer: Slot,
        /// What it sees.
        sight: Box<Sight>,
    },
    /// Write octets to a connection of this core. Octets for one connection that come out in one
    /// wake-up leave in one flush.
    Send {
        /// To this connection.
        conn: ConnId,
        /// A whole message.
        bytes: Bytes,
    },
    /// Close a connection of this core once what was sent to it is written, within a bound. The
    /// shard has forgotten it; no `Closed` follows.
    Close {
        /// Which.
        conn: ConnId,
        /// Why, for the counter.
        reason: CloseReason,
    },
    /// Carry a frame to another shard.
    Frame {
        /// The owner of what the frame is about.
        to: ShardId,
        /// The frame.
        frame: Frame,
    },
    /// Hand a record to the store. Never dropped: when the way there is full, reading stops.
    Record(Record),
    /// Have the store keep rows. Answered with [`Control::Written`](super::input::Control::Written)
    /// once they are durable, or when they cannot be.
    Write(Write),
    /// Have the store keep a scheduled conference, or no longer. Answered as a
    /// [`Write`](Output::Write) is.
    WriteConference(ConferenceWrite),
}
