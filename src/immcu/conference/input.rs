//! What happens to a conference.

use bytes::Bytes;

use super::description::{Admission, Role};
use super::output::Parting;
use crate::base::aor::Aor;
use crate::base::ids::{LegId, SubscriptionId};

/// One event.
#[derive(Clone, Debug)]
pub enum Input {
    /// Somebody wants in, or has opened another leg. Answered with
    /// [`Joined`](super::Output::Joined), [`Waiting`](super::Output::Waiting) or
    /// [`Refused`](super::Output::Refused).
    Join(Join),
    /// A leg is over.
    Left {
        /// Where it led.
        reach: Reach,
        /// How it ended.
        how: Leaving,
    },
    /// A member says something. Answered with [`Said`](super::Output::Said) or
    /// [`Unsaid`](super::Output::Unsaid).
    Say {
        /// The author's leg.
        reach: Reach,
        /// Its Content-Type, parameters included.
        content_type: Bytes,
        /// What is said.
        body: Bytes,
    },
    /// A member is typing, or has stopped to.
    Type {
        /// His leg.
        reach: Reach,
        /// Typing or not.
        typing: bool,
    },
    /// Something said did not reach a member.
    Undelivered {
        /// The member's leg; may be over by now.
        reach: Reach,
        /// Number of what was said.
        number: u64,
        /// The SIP status that tells why.
        status: u16,
    },
    /// A member wants something done. Answered with [`Done`](super::Output::Done) or
    /// [`Forbidden`](super::Output::Forbidden).
    Command {
        /// Who; `None` for the operator, who may do anything.
        by: Option<Aor>,
        /// What.
        command: Command,
    },
    /// A subscription to the roster begins or is extended; answered with
    /// [`Seen`](super::Output::Seen) or [`Unseen`](super::Output::Unseen). Members, those who wait in
    /// the lobby and who may join may watch.
    Watch {
        /// Which.
        subscription: SubscriptionId,
        /// Whose.
        by: Aor,
        /// How he stands to the enterprise.
        relation: Relation,
        /// He asks once and is not told of changes.
        poll: bool,
    },
    /// A subscription is over.
    Unwatch {
        /// Which.
        subscription: SubscriptionId,
    },
    /// The server goes down in order.
    Drain,
    /// Time has passed.
    Tick,
}

/// Somebody's wish to join.
#[derive(Clone, Debug)]
pub struct Join {
    /// Where he is reached; new to the conference.
    pub reach: Reach,
    /// Who.
    pub who: Aor,
    /// His name as others see it; may be empty.
    pub name: Box<str>,
    /// How he stands to the enterprise.
    pub relation: Relation,
    /// What the leg is for; pager mode is for messages whatever stands here.
    pub kind: LegKind,
    /// What his client calls its endpoint; empty when it does not say.
    pub endpoint: Box<str>,
    /// What his client understands.
    pub accepts: Accepts,
}

/// How somebody stands to the enterprise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// One of its users.
    Enterprise,
    /// A user of a partner.
    Federated,
    /// Nobody knows who.
    Anonymous,
}

/// Where a member is reached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// A dialog of his.
    Leg(LegId),
    /// His endpoints speak pager mode: what is for him goes through his home.
    Pager(Aor),
}

/// What a leg is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LegKind {
    /// Membership alone: operations, no messages (MS-CONFBAS focus dialog).
    Focus,
    /// Messages: the dialog with the IMMCU, or that of a standard client with the focus.
    Chat,
}

/// What a client understands besides plain text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Accepts {
    /// text/html.
    pub html: bool,
    /// multipart/alternative.
    pub alternative: bool,
    /// Notices of typing.
    pub typing: bool,
    /// It reads the author from Ms-Sender; for others the text begins with his name.
    pub sender: bool,
}

/// How a leg ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Leaving {
    /// By BYE.
    Bye,
    /// Its connection is gone.
    ConnectionLost,
    /// It answers nothing that is said to it.
    Unresponsive,
    /// Its user has no endpoint any more, or has not been heard of for long (pager mode).
    Gone,
}

impl Leaving {
    /// As it stands in the record.
    pub const fn parting(self) -> Parting {
        match self {
            Leaving::Bye => Parting::Bye,
            Leaving::ConnectionLost => Parting::ConnectionLost,
            Leaving::Unresponsive => Parting::Unresponsive,
            Leaving::Gone => Parting::Gone,
        }
    }
}

/// An operation (MS-CONFBAS C3P).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// addUser for somebody else: he may join, and as what.
    Invite {
        /// Who.
        who: Aor,
        /// As what.
        role: Role,
    },
    /// modifyUserRoles.
    SetRole {
        /// Whose.
        who: Aor,
        /// What he becomes.
        role: Role,
    },
    /// deleteUser: he is removed; he may join again.
    Eject {
        /// Who.
        who: Aor,
    },
    /// modifyConferenceLock.
    Lock(bool),
    /// setLobbyAccess: who waits is let in or refused.
    Admit {
        /// Who.
        who: Aor,
        /// Let in.
        let_in: bool,
    },
    /// modifyConference.
    Modify(Modification),
    /// deleteConference: it ends for all.
    End,
}

/// What modifyConference changes; `None` leaves it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Modification {
    /// The subject.
    pub subject: Option<Box<str>>,
    /// Who may join.
    pub admission: Option<Admission>,
    /// Wait in the lobby.
    pub lobby: Option<bool>,
    /// When it ends if nobody is in, in milliseconds since the Unix epoch.
    pub expires_unix_ms: Option<u64>,
}
