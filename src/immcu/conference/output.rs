//! What a conference wants done, in order.

use std::sync::Arc;

use bytes::Bytes;

use super::description::Role;
use super::input::Reach;
use crate::base::aor::Aor;
use crate::base::ids::{ShardId, Slot, SubscriptionId};
use crate::base::limits::Limit;

/// One effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Answer a join: he is in on this leg. What was said of late follows as
    /// [`Recall`](Output::Recall).
    Joined {
        /// The leg.
        reach: Reach,
    },
    /// Answer a join: he waits in the lobby; on a focus leg only.
    Waiting {
        /// The leg.
        reach: Reach,
    },
    /// Answer a join: no.
    Refused {
        /// The leg, which the conference does not know.
        reach: Reach,
        /// Why.
        refusal: Refusal,
    },
    /// Answer a command: done. What it changed follows.
    Done,
    /// Answer a command: no, and nothing has changed.
    Forbidden(Refusal),
    /// Answer a watch: all that can be seen now is to be told to this subscription, and later
    /// changes too unless it asked once.
    Seen {
        /// The subscription.
        subscription: SubscriptionId,
        /// Whose it is.
        by: Aor,
    },
    /// Answer a watch: no.
    Unseen {
        /// The subscription, which the conference does not know.
        subscription: SubscriptionId,
        /// Why.
        refusal: Refusal,
    },
    /// Answer the author: said, under this number.
    Said {
        /// His leg.
        reach: Reach,
        /// Its number; rises by one for each message of the conference.
        number: u64,
    },
    /// Answer the author: not said.
    Unsaid {
        /// His leg.
        reach: Reach,
        /// Why.
        refusal: Refusal,
    },
    /// Carry a message to legs of one core: one such output a core.
    Carry {
        /// The core.
        shard: ShardId,
        /// Its chat legs.
        legs: Arc<[Slot]>,
        /// The one of them it came from: it gets nothing back.
        except: Option<Slot>,
        /// What is said.
        speech: Arc<Speech>,
    },
    /// Carry a message to a member in pager mode.
    Page {
        /// Who.
        to: Aor,
        /// What is said.
        speech: Arc<Speech>,
    },
    /// Tell legs of one core that somebody types.
    Typing {
        /// The core.
        shard: ShardId,
        /// Its chat legs.
        legs: Arc<[Slot]>,
        /// The one of them it came from.
        except: Option<Slot>,
        /// Who.
        who: Aor,
        /// Typing, or stopped to.
        typing: bool,
    },
    /// Carry to one leg what was said before it came.
    Recall {
        /// The leg.
        reach: Reach,
        /// What was said.
        speech: Arc<Speech>,
    },
    /// Tell an author that something did not reach a member.
    Report {
        /// His leg.
        reach: Reach,
        /// The number of what he said.
        number: u64,
        /// Who did not get it.
        recipient: Aor,
        /// The SIP status that tells why.
        status: u16,
    },
    /// Tell the subscriptions what has changed.
    Tell {
        /// The number of this state: one more than that of the last. What was not told has its
        /// number too; and who is let in from the lobby is told all of the state that the others
        /// are told the change of.
        version: u32,
        /// What has changed.
        change: Change,
        /// Whom to tell; grouped by core.
        subscriptions: Arc<[SubscriptionId]>,
    },
    /// Let a leg go: its member is removed, or the conference is over.
    Release {
        /// The leg.
        reach: Reach,
        /// Why.
        why: Parting,
    },
    /// Let a subscription go without another word of the roster: its user was removed, or the
    /// conference is over.
    Dismiss {
        /// Which.
        subscription: SubscriptionId,
    },
    /// Somebody was asked in by [`Command::Invite`](super::Command::Invite).
    Invited {
        /// Who.
        who: Aor,
    },
    /// The description of a scheduled conference has changed: it is to be kept.
    Changed,
    /// For the record: the first member is in.
    Started,
    /// For the record: a member came in.
    Entered {
        /// Who.
        who: Aor,
        /// As what.
        role: Role,
    },
    /// For the record: a member has gone with his last leg.
    Departed {
        /// Who.
        who: Aor,
        /// Messages of his that were accepted since he came in.
        messages: u64,
        /// How.
        how: Parting,
    },
    /// The conference is over. Legs and subscriptions were let go before; whoever asks later is
    /// refused.
    Ended(Ending),
}

/// Something said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Speech {
    /// Its number.
    pub number: u64,
    /// Who said it.
    pub author: Aor,
    /// His name as others see it; may be empty.
    pub name: Arc<str>,
    /// Its Content-Type, parameters included.
    pub content_type: Bytes,
    /// What.
    pub body: Bytes,
}

/// What has become different in the roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Anything: all is told anew.
    All,
    /// Subject, lock, admission, lobby.
    Description,
    /// These members came, went, or changed their role or legs. Whoever is no longer in is told of
    /// as gone.
    Members(Vec<Aor>),
}

/// Why something is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Only presenters may.
    NotPresenter,
    /// The organiser cannot be removed or lose his role.
    Organiser,
    /// There is no such member.
    NoSuchMember,
    /// Only who was invited may join.
    NotInvited,
    /// The conference is locked.
    Locked,
    /// Guests are not let in.
    GuestsNotAllowed,
    /// He waits in the lobby.
    InLobby,
    /// As many members as may be.
    Full,
    /// As many legs as one member may have.
    TooManyLegs,
    /// As many subscriptions as there may be.
    TooManyWatchers,
    /// As many invited as there may be.
    TooManyInvited,
    /// The leg is none of this conference, or not for messages.
    NotMember,
    /// The message is longer than may be.
    TooLong,
    /// A subject, a name or what a client calls its endpoint is longer than may be.
    LabelTooLong,
    /// He says more than he may in the time.
    TooFast,
    /// It is over.
    Ended,
}

impl Refusal {
    /// The bound that was hit, if it was one.
    pub const fn limit(self) -> Option<Limit> {
        match self {
            Refusal::Full => Some(Limit::ConferenceMembers),
            Refusal::TooManyLegs => Some(Limit::ConferenceLegs),
            Refusal::TooManyWatchers => Some(Limit::ConferenceWatchers),
            Refusal::TooManyInvited => Some(Limit::ConferenceInvited),
            Refusal::TooLong => Some(Limit::ConferenceMessageBytes),
            Refusal::LabelTooLong => Some(Limit::ConferenceLabel),
            Refusal::TooFast => Some(Limit::ConferenceRate),
            Refusal::NotPresenter
            | Refusal::Organiser
            | Refusal::NoSuchMember
            | Refusal::NotInvited
            | Refusal::Locked
            | Refusal::GuestsNotAllowed
            | Refusal::InLobby
            | Refusal::NotMember
            | Refusal::Ended => None,
        }
    }
}

/// How a member has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Parting {
    /// He said goodbye.
    Bye,
    /// His connection was lost.
    ConnectionLost,
    /// He answered nothing that was said to him.
    Unresponsive,
    /// He has no endpoint any more, or has not been heard of for long (pager mode).
    Gone,
    /// A presenter removed him, or refused him at the lobby.
    Ejected,
    /// The conference is over.
    Ended,
}

/// How a conference ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// Nobody ever joined.
    Abandoned,
    /// A presenter ended it.
    Deleted,
    /// The server went down in order. A scheduled conference goes on after the restart.
    Drained,
    /// Its time was up.
    Expired,
    /// Its last member has left.
    LastLeft,
    /// The operator ended it.
    Operator,
}
