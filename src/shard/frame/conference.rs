//! What shards say to one another about conferences: the shard of a member's connection, which has
//! his dialogs, and the owner of the conference, which has the roster.

use std::sync::Arc;

use bytes::Bytes;

use crate::base::aor::Aor;
use crate::base::ids::{ConferenceId, ConnId, LegId, SessionId, Slot, SubscriptionId};
use crate::dialect::reject::Reject;
use crate::immcu::conference::{Accepts, Leaving, LegKind, Reach, Speech};
use crate::sip::subscription::Content;
use crate::wire::sip::Method;

/// To the owner of a conference.
#[derive(Debug)]
pub enum ToConference {
    /// A leg is over.
    Left {
        /// Where it led.
        reach: Reach,
        /// How it ended.
        how: Leaving,
    },
    /// Something said did not reach a member.
    Undelivered {
        /// The member's leg.
        reach: Reach,
        /// Number of what was said.
        number: u64,
        /// The SIP status that tells why.
        status: u16,
    },
    /// Somebody types.
    Type {
        /// His leg.
        leg: LegId,
        /// Typing, or stopped to.
        typing: bool,
    },
    /// A C3P operation or a REFER.
    Operation(Operation),
    /// A subscription to the roster begins or is extended.
    Watch {
        /// Which.
        subscription: SubscriptionId,
        /// Whose the conference must be.
        organiser: Aor,
        /// Who wants to see it.
        by: Aor,
        /// He asks once and is not told of changes.
        poll: bool,
    },
    /// A subscription is over.
    Unwatch {
        /// Which.
        subscription: SubscriptionId,
    },
}

/// Somebody's wish to join, on its way by his home, which knows his name, to the owner of the
/// conference.
#[derive(Debug)]
pub struct Join {
    /// Which conference.
    pub conference: ConferenceId,
    /// Whose it must be.
    pub organiser: Aor,
    /// Where he is reached.
    pub reach: Reach,
    /// Who.
    pub who: Aor,
    /// His name; `None` before his home has said.
    pub name: Option<Box<str>>,
    /// What the leg is for.
    pub kind: LegKind,
    /// What his client calls its endpoint; may be empty.
    pub endpoint: Box<str>,
    /// What his client understands.
    pub accepts: Accepts,
    /// Who has asked him in, if it was not he who asked: only a member may put somebody in.
    pub asked_by: Option<Aor>,
    /// What he said by joining, in pager mode.
    pub first: Option<Page>,
    /// The invitation that we took for him, which waits for what comes of it.
    pub summons: Option<SessionId>,
}

/// A pager-mode message to a conference, to be answered.
#[derive(Clone, Debug)]
pub struct Page {
    /// On this connection.
    pub conn: ConnId,
    /// The whole request.
    pub request: Bytes,
}

/// A request for something to be done, by who sent it.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Who.
    pub by: Aor,
    /// On this connection.
    pub conn: ConnId,
    /// In the dialog of this leg; `None` outside any.
    pub leg: Option<LegId>,
    /// Whose the conference must be, as the Request-URI says.
    pub organiser: Aor,
    /// The whole request.
    pub request: Bytes,
}

/// A conference to be made, on its way by the home of its organiser to its owner.
#[derive(Debug)]
pub struct Convene {
    /// Its name: the client's, or one that we made.
    pub conference: ConferenceId,
    /// The organiser's name; `None` before his home has said.
    pub name: Option<Box<str>>,
    /// The request, whose organiser is its sender.
    pub operation: Operation,
}

/// A message on its way from the author's leg to the owner of the conference.
#[derive(Debug)]
pub struct Say {
    /// The conference.
    pub conference: ConferenceId,
    /// The author's leg.
    pub leg: LegId,
    /// Its connection, where the answer goes.
    pub conn: ConnId,
    /// The whole request.
    pub request: Bytes,
}

/// What was said, on its way to legs of one shard.
#[derive(Debug)]
pub struct Carry {
    /// The conference.
    pub conference: ConferenceId,
    /// The legs.
    pub legs: Arc<[Slot]>,
    /// The one it came from.
    pub except: Option<Slot>,
    /// What was said.
    pub speech: Arc<Speech>,
}

/// That somebody types, on its way to legs of one shard.
#[derive(Debug)]
pub struct Typing {
    /// The legs.
    pub legs: Arc<[Slot]>,
    /// The one it came from.
    pub except: Option<Slot>,
    /// Who.
    pub who: Aor,
    /// Typing, or stopped to.
    pub typing: bool,
}

/// To one leg.
#[derive(Debug)]
pub enum ToLeg {
    /// The answer to its join.
    Joined {
        /// The conference.
        conference: ConferenceId,
        /// He is in or waits in the lobby, or why not.
        outcome: Result<(), Reject>,
    },
    /// Something its member said did not reach another.
    Report {
        /// The number of what he said.
        number: u64,
        /// Who did not get it.
        recipient: Aor,
        /// The SIP status that tells why.
        status: u16,
    },
    /// Send a request in its dialog.
    Tell {
        /// INFO or NOTIFY.
        method: Method,
        /// Lines of its own, each with its CRLF.
        lines: Bytes,
        /// What it carries.
        content: Content,
    },
    /// It is over.
    Release,
}

/// The roster has changed.
#[derive(Debug)]
pub struct Roster {
    /// Of which conference.
    pub conference: ConferenceId,
    /// The subscriptions of this shard.
    pub subscriptions: Vec<Slot>,
    /// What to tell; `None` lets them go.
    pub content: Option<Content>,
}
