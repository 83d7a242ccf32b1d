//! The envelope between shards: one concrete enum, with what it costs if a frame is lost. A frame
//! is lost only when the overflow beside a full queue is full too, which is counted.

pub mod conference;
pub mod watch;

use std::net::IpAddr;

use bytes::{Bytes, BytesMut};

use super::home::Endpoint;
use crate::auth::proof::{Proof, Scheme};
use crate::auth::security_association::SecurityAssociation;
use crate::base::aor::Aor;
use crate::base::ids::{ConferenceId, ConnId, RelayId, SessionId, ShardId, Slot, SubscriptionId};
use crate::dialect::reject::Reject;
use crate::immcu::pager::Talk;
use crate::metrics::counters::{AuthFailure, FrameKind};
use crate::registrar::{Binding, Register, RegisterError};
use crate::sip::dialog::DialogHash;
use crate::sip::subscription::Content;
use crate::wire::sip::Method;

/// A message from one shard to the owner of something.
#[derive(Debug)]
pub enum Frame {
    /// To the shard of `conn`: write these octets there. Lost: the request timer of the relay
    /// answers the sender with 408; after an answer in pager mode one of the connection's places
    /// stays taken.
    Deliver {
        /// The connection.
        conn: ConnId,
        /// A whole message, ready to be written.
        bytes: Bytes,
        /// What they are.
        cargo: Cargo,
    },
    /// To the shard of `conn`: write this INVITE there and remember that the connection is a leg
    /// of the session. Lost: the branch times out.
    Invite {
        /// The connection.
        conn: ConnId,
        /// The INVITE.
        bytes: Bytes,
        /// The branch.
        relay: RelayId,
        /// What the connection becomes a leg of.
        leg: Leg,
    },
    /// To the owner of `relay`: the connection it was delivered to is gone. Lost: the request
    /// timer tells the same later.
    Undeliverable {
        /// The request in flight.
        relay: RelayId,
    },
    /// To the shard of `conn`: it is no leg of the session any more. Lost: a dead entry stays
    /// with the connection until it closes.
    Leave {
        /// The connection.
        conn: ConnId,
        /// The session.
        session: SessionId,
    },
    /// To the owner of `session`: a leg's connection is gone. Lost: the session stays until its
    /// idle time ends it.
    LegLost {
        /// The session.
        session: SessionId,
        /// The connection that was its leg.
        conn: ConnId,
    },
    /// To the owner of a session: a request in its dialog. Lost: the sender's own timer F.
    InDialog(InDialog),
    /// To the owner of a relay: an answer to a request in flight. Lost: timer F.
    Reply(Reply),
    /// To the home of a user: somebody wants to sign in. Lost: the client repeats it.
    SignIn(Box<SignIn>),
    /// Back to the shard of the connection. Lost: the client repeats it.
    SignedIn(Box<SignedIn>),
    /// To the home of a user: this connection of his is gone. Lost: the binding expires.
    SignedOff {
        /// The user.
        aor: Aor,
        /// The connection.
        conn: ConnId,
    },
    /// To the shard of `conn`: its user was disabled or removed. Lost: he stays until he leaves.
    Revoke {
        /// The connection.
        conn: ConnId,
    },
    /// To the home of a user: where can he be reached? Lost: the caller gives up.
    Locate(Box<Locate>),
    /// Back to the owner of the session. Lost: the caller gives up.
    Located(Box<Located>),
    /// To the home of the recipient: a message outside any session. Lost: the sender's timer F.
    Pager(Box<Pager>),
    /// To the owner of a bridged session: a pager-mode message for its other end. Lost: the
    /// sender's timer F.
    Bridge(Box<Bridge>),
    /// Back to the home of the recipient: that bridge is gone, take the message as a new one.
    /// Lost: the sender's timer F.
    BridgeGone(Box<Bridge>),
    /// To the home of the end that holds a session: the bridge to `peer` opened, or closed.
    /// Lost: a message opens a second session.
    BridgeState {
        /// The end that speaks in a session.
        aor: Aor,
        /// The end that speaks in pager mode.
        peer: Aor,
        /// The bridge.
        session: SessionId,
        /// Opened or closed.
        open: bool,
    },
    /// To the shard that accounts for two people: a pager-mode message between them. Lost: the
    /// record counts one less.
    Talk(Talk),
    /// To the shard that watches an address: a sign-in from there failed. Lost: counted one less.
    AddressFailed {
        /// The address.
        ip: IpAddr,
    },
    /// To every shard: an address is locked out. Lost: that shard lets it try.
    AddressLocked {
        /// The address.
        ip: IpAddr,
    },
    /// To the home of users: somebody wants to see them. Lost: the subscriber is answered without
    /// them when the time is up.
    Watch(Box<watch::Watch>),
    /// Back to the shard of the subscription. Lost: the same.
    Watched(Box<watch::Watched>),
    /// To the home of users: a subscription watches these no longer; `None` means any. Lost: they
    /// are told of until their next restart, and the word is dropped there.
    Unwatch {
        /// The subscription.
        subscription: SubscriptionId,
        /// The users.
        aors: Option<Vec<Aor>>,
    },
    /// To the shard of subscriptions: a user they watch has changed. Lost: the watchers see the
    /// old until the next change or refresh.
    Notice(Box<watch::Notice>),
    /// To the home of a user: he subscribes to something of his own. Lost: refused when the time is
    /// up.
    Subscribe(Box<watch::Subscribe>),
    /// Back to the shard of the subscription. Lost: the same.
    Subscribed(Box<watch::Subscribed>),
    /// To the home of a user: such a subscription is over. Lost: he is told until he leaves.
    Unsubscribe {
        /// The subscription.
        subscription: SubscriptionId,
        /// The user.
        aor: Aor,
    },
    /// To the shard of a subscription: what it is to has changed. Lost: the endpoint sees the old
    /// until its next refresh.
    OwnNotice {
        /// The subscription.
        subscription: Slot,
        /// What to tell.
        content: Content,
    },
    /// To the home of a user: he says something about himself. Lost: the client's timer F.
    Service(Box<watch::Service>),
    /// To every shard: who of its users is meant? Lost: answered without them.
    Search(Box<watch::Search>),
    /// Back to the shard that asked. Lost: the same.
    Found(Box<watch::SearchFound>),
    /// To the home of who wants to join a conference, and from there to the conference's owner.
    /// Lost: the client's timer.
    Join(Box<conference::Join>),
    /// Back to the shard of the invitation by which a user in pager mode joins. Lost: it is answered
    /// when its time is up, though he is in.
    Summoned {
        /// The session that the invitation belongs to.
        session: Slot,
        /// Whether he is in.
        outcome: Result<(), Reject>,
    },
    /// To the home of an organiser, and from there to the owner of the conference he makes. Lost:
    /// the client's timer F.
    Convene(Box<conference::Convene>),
    /// To the owner of a conference. Lost: a member who left stays until a message does not reach
    /// him; a client's request runs into its timer.
    ToConference {
        /// Which.
        conference: ConferenceId,
        /// What.
        word: Box<conference::ToConference>,
    },
    /// To the owner of a conference: a member says something. Lost: the author's timer F.
    Say(conference::Say),
    /// To the shard of legs: something was said. Lost: the members there miss it.
    Carry(conference::Carry),
    /// To the shard of legs: somebody types. Lost: nobody minds.
    Typing(Box<conference::Typing>),
    /// To the shard of a leg. Lost: an answer runs into the client's timer; who was let go stays
    /// until he leaves.
    ToLeg {
        /// Which.
        leg: Slot,
        /// What.
        word: Box<conference::ToLeg>,
    },
    /// To the shard of subscriptions to a roster. Lost: they see the old until the next change.
    Roster(Box<conference::Roster>),
}

impl Frame {
    /// What to count it as when it is lost.
    pub const fn kind(&self) -> FrameKind {
        match self {
            Frame::Deliver { .. } => FrameKind::Deliver,
            Frame::Invite { .. } => FrameKind::Invite,
            Frame::Undeliverable { .. } => FrameKind::Undeliverable,
            Frame::Leave { .. } => FrameKind::Leave,
            Frame::LegLost { .. } => FrameKind::LegLost,
            Frame::InDialog(_) => FrameKind::InDialog,
            Frame::Reply(_) => FrameKind::Reply,
            Frame::SignIn(_) => FrameKind::SignIn,
            Frame::SignedIn(_) => FrameKind::SignedIn,
            Frame::SignedOff { .. } => FrameKind::SignedOff,
            Frame::Revoke { .. } => FrameKind::Revoke,
            Frame::Locate(_) => FrameKind::Locate,
            Frame::Located(_) => FrameKind::Located,
            Frame::Pager(_) => FrameKind::Pager,
            Frame::Bridge(_) => FrameKind::Bridge,
            Frame::BridgeGone(_) => FrameKind::BridgeGone,
            Frame::BridgeState { .. } => FrameKind::BridgeState,
            Frame::Talk(_) => FrameKind::Talk,
            Frame::AddressFailed { .. } => FrameKind::AddressFailed,
            Frame::AddressLocked { .. } => FrameKind::AddressLocked,
            Frame::Watch(_) => FrameKind::Watch,
            Frame::Watched(_) => FrameKind::Watched,
            Frame::Unwatch { .. } => FrameKind::Unwatch,
            Frame::Notice(_) => FrameKind::Notice,
            Frame::Subscribe(_) => FrameKind::Subscribe,
            Frame::Subscribed(_) => FrameKind::Subscribed,
            Frame::Unsubscribe { .. } => FrameKind::Unsubscribe,
            Frame::OwnNotice { .. } => FrameKind::OwnNotice,
            Frame::Service(_) => FrameKind::Service,
            Frame::Search(_) => FrameKind::Search,
            Frame::Found(_) => FrameKind::Found,
            Frame::Join(_) => FrameKind::Join,
            Frame::Summoned { .. } => FrameKind::Summoned,
            Frame::Convene(_) => FrameKind::Convene,
            Frame::ToConference { .. } => FrameKind::ToConference,
            Frame::Say(_) => FrameKind::Say,
            Frame::Carry(_) => FrameKind::Carry,
            Frame::Typing(_) => FrameKind::Typing,
            Frame::ToLeg { .. } => FrameKind::ToLeg,
            Frame::Roster(_) => FrameKind::Roster,
        }
    }
}

/// What the octets of [`Frame::Deliver`] are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cargo {
    /// An answer, or a request that nobody waits for.
    Plain,
    /// A request in flight, whose owner is told when the connection is gone.
    Request(RelayId),
    /// The final answer to a pager-mode message: the connection may send another one.
    PagerAnswer,
}

/// A connection's part in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg {
    /// The session.
    pub session: SessionId,
    /// Its Call-ID, hashed: how a request that carries no route of ours finds it.
    pub call: u64,
}

/// Call-ID and CSeq of a request, hashed with a key no client knows. An answer that bears another
/// one is not passed on: it could be meant to look like the answer to something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp(pub u64);

/// A request in a dialog, prepared at the edge: octets with our Via on top whose branch, and
/// whose transport, are still to be filled in.
#[derive(Debug)]
pub struct InDialog {
    /// The session it names; the owner checks it.
    pub session: SessionId,
    /// The connection it came on.
    pub from: ConnId,
    /// Its dialog identifier.
    pub dialog: DialogHash,
    /// Its stamp, which the answer must bear too.
    pub stamp: Stamp,
    /// Its method.
    pub method: Method,
    /// Its sequence number.
    pub cseq: u32,
    /// The forwarded request.
    pub bytes: BytesMut,
    /// Where the Via stands in `bytes`.
    pub via_at: usize,
    /// Where the body starts in `bytes`.
    pub body_at: usize,
}

/// An answer to a request in flight, with our Via taken off already.
#[derive(Debug)]
pub struct Reply {
    /// The request in flight, as our branch named it; the owner checks it.
    pub relay: RelayId,
    /// The connection the answer came on; `None` for an answer that another shard gives itself.
    pub from: Option<ConnId>,
    /// What request it says it answers; `None` with `from`.
    pub stamp: Option<Stamp>,
    /// The status.
    pub status: u16,
    /// The answer as the sender of the request shall see it.
    pub bytes: Bytes,
    /// What an answer to INVITE says of its end of the dialog.
    pub end: Option<Box<AnsweringEnd>>,
    /// Nobody was asked: whom it is for has no endpoint that takes it.
    pub nobody: bool,
}

/// The end of a dialog that an answer to INVITE makes.
#[derive(Debug)]
pub struct AnsweringEnd {
    /// The To tag; empty without one.
    pub tag: Box<[u8]>,
    /// The Contact URI; empty without one.
    pub target: Box<[u8]>,
}

/// A sign-in on its way to the user's home.
#[derive(Debug)]
pub struct SignIn {
    /// Who he says he is.
    pub aor: Aor,
    /// On this connection.
    pub conn: ConnId,
    /// What proves it; `None` when the connection is his already.
    pub proof: Option<Proof>,
    /// The endpoints to add, refresh or remove; `None` only proves the identity.
    pub register: Option<Register>,
    /// The whole request, which comes back with the answer.
    pub request: Bytes,
}

/// The answer of the user's home.
#[derive(Debug)]
pub struct SignedIn {
    /// Who.
    pub aor: Aor,
    /// On this connection.
    pub conn: ConnId,
    /// The request that asked.
    pub request: Bytes,
    /// The name of his policy; empty for the default one.
    pub policy: Box<str>,
    /// It came with a proof of this scheme, whose verdict the connection's gate waits for.
    pub proof: Option<Scheme>,
    /// What signs the connection's messages from now on, if the proof held and makes one.
    pub association: Option<Box<SecurityAssociation>>,
    /// What came of it.
    pub outcome: Result<Registered, SignInError>,
}

/// A successful sign-in or registration.
#[derive(Debug, Default)]
pub struct Registered {
    /// The endpoints the user has now; `None` when only the identity was proven.
    pub bindings: Option<Vec<Binding>>,
}

/// Why a sign-in failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInError {
    /// The proof did not hold, or may not be tried now.
    Auth(AuthFailure),
    /// The identity holds, the registration does not.
    Register(RegisterError),
    /// The identity holds, but the policy does not let this client in.
    ClientBlocked,
    /// The identity holds, but the user has all the connections he may have.
    TooManyConnections,
}

/// A question to a user's home.
#[derive(Debug)]
pub struct Locate {
    /// The user.
    pub aor: Aor,
    /// One endpoint only, as the Request-URI names it (GRUU).
    pub uri: Box<[u8]>,
    /// Who asks.
    pub session: SessionId,
}

/// Its answer.
#[derive(Debug)]
pub struct Located {
    /// Who asked.
    pub session: SessionId,
    /// His endpoints; `None` when there is no such user.
    pub endpoints: Option<Vec<Endpoint>>,
}

/// Where the answer to a pager-mode message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// To the connection it came on.
    Connection(ConnId),
    /// To the relay of a bridged session, as a [`Reply`].
    Relay(RelayId),
}

impl Origin {
    /// The shard that wants the answer.
    pub const fn shard(self) -> ShardId {
        match self {
            Origin::Connection(conn) => conn.shard,
            Origin::Relay(relay) => relay.shard,
        }
    }
}

/// A message outside any session.
#[derive(Clone, Debug)]
pub struct Pager {
    /// Who wrote it.
    pub from: Aor,
    /// For whom.
    pub to: Aor,
    /// Where the answer goes.
    pub origin: Origin,
    /// The whole request.
    pub request: Bytes,
}

/// A pager-mode message for the other end of a bridged session.
#[derive(Debug)]
pub struct Bridge {
    /// The bridge, as the recipient's home knows it.
    pub session: SessionId,
    /// The message.
    pub pager: Pager,
}
