//! The connections of a shard, as far as SIP knows them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::frame::Leg;
use super::signing::Signing;
use crate::auth::gate::Gate;
use crate::base::aor::Aor;
use crate::base::ids::{ConnId, Dialect, SessionId, ShardId, Slot};
use crate::base::time::Deadline;
use crate::base::transport::Transport;
use crate::immcu::filter::Filter;
use crate::metrics::counters::TlsCipher;
use crate::sip::Kind;
use crate::sip::dialog::DialogHash;
use crate::sip::server_transaction::ServerTransaction;
use crate::sip::transaction_key::TransactionKey;

/// One connection.
#[derive(Debug)]
pub struct Connection {
    /// The other end.
    pub peer: SocketAddr,
    /// Where failed sign-ins are counted as coming from; `None` when nobody knows.
    pub origin: Option<IpAddr>,
    /// TLS or plain.
    pub transport: Transport,
    /// What it is encrypted with; `None` for a plain one, and on a link.
    pub cipher: Option<TlsCipher>,
    /// When it was ready for SIP, in milliseconds since the Unix epoch.
    pub since_unix_ms: u64,
    /// It ends when its user signs off.
    pub lane: bool,
    /// Who proved to be at the other end. Every request's From must be this user.
    pub user: Option<Aor>,
    /// What his policy wants done with his messages.
    pub filter: Option<Arc<Filter>>,
    /// What the other end speaks; known from its first REGISTER.
    pub dialect: Dialect,
    /// It may sign in: its turn has come, however many others want to.
    pub admitted: bool,
    /// Its attempts to sign in.
    pub gate: Gate,
    /// Its signatures, if it signs in by NTLM.
    pub signing: Option<Box<Signing>>,
    /// The sessions it is a leg of.
    pub legs: Vec<Leg>,
    /// Its legs in conferences, by their dialog.
    pub conference_legs: Vec<(DialogHash, Slot)>,
    /// Pager-mode messages from it that have no final answer.
    pub pagers: usize,
    /// Invitations from it that have no final answer, or whose final answer is not acknowledged.
    pub invites: Vec<Invite>,
    /// Its subscriptions.
    pub subscriptions: Vec<Slot>,
    /// The timer that looks at them is armed for this time.
    pub armed: Option<Deadline>,
}

/// An INVITE from a connection: its server transaction.
#[derive(Debug)]
pub struct Invite {
    /// What requests belong to it.
    pub key: TransactionKey,
    /// What it asked for.
    pub asked: Asked,
    /// The transaction.
    pub transaction: ServerTransaction,
}

impl Invite {
    /// An INVITE that just came.
    pub fn new(key: TransactionKey, asked: Asked) -> Self {
        let transaction = ServerTransaction::new(Kind::Invite, Duration::ZERO);
        Invite { key, asked, transaction }
    }
}

/// What an INVITE asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A leg in a conference.
    Leg(Slot),
    /// A session.
    Session(SessionId),
}

impl Connection {
    /// A connection of which nothing is known yet.
    pub fn new(peer: SocketAddr, origin: Option<IpAddr>, transport: Transport, lane: bool) -> Self {
        Connection {
            peer,
            origin,
            transport,
            cipher: None,
            since_unix_ms: 0,
            lane,
            user: None,
            filter: None,
            dialect: Dialect::Simple,
            admitted: false,
            gate: Gate::default(),
            signing: None,
            legs: Vec::new(),
            conference_legs: Vec::new(),
            pagers: 0,
            invites: Vec::new(),
            subscriptions: Vec::new(),
            armed: None,
        }
    }

    /// The session this connection is a leg of under the hashed Call-ID `call`.
    pub fn session_of_call(&self, call: u64) -> Option<SessionId> {
        self.legs.iter().find(|leg| leg.call == call).map(|leg| leg.session)
    }

    /// Forgets a leg in a conference.
    pub fn leave_conference(&mut self, slot: Slot) {
        self.conference_legs.retain(|(_, known)| *known != slot);
        if self.conference_legs.is_empty() {
            self.conference_legs = Vec::new();
        }
    }

    /// Forgets a session.
    pub fn leave(&mut self, session: SessionId) {
        self.legs.retain(|leg| leg.session != session);
        if self.legs.is_empty() {
            // Most connections of an evening hold no session: give the memory back.
            self.legs = Vec::new();
        }
    }
}

/// The connections by name. The partition below chooses the slots, dense from 0, so a name leads
/// to its connection without hashing.
#[derive(Debug)]
pub struct Connections {
    shard: ShardId,
    slots: Vec<Option<(u32, Box<Connection>)>>,
    len: usize,
}

impl Connections {
    /// No connection yet, of `shard`.
    pub fn new(shard: ShardId) -> Self {
        Connections { shard, slots: Vec::new(), len: 0 }
    }

    /// Adds a connection; an earlier tenant of the slot is gone.
    pub fn insert(&mut self, conn: ConnId, connection: Connection) {
        let index = conn.slot.index as usize;
        if index >= self.slots.len() {
            self.slots.resize_with(index + 1, || None);
        }
        if let Some(slot) = self.slots.get_mut(index) {
            self.len += usize::from(slot.is_none());
            *slot = Some((conn.slot.generation, Box::new(connection)));
        }
    }

    /// The connection of this name, if it is of this shard and open.
    pub fn get(&self, conn: ConnId) -> Option<&Connection> {
        if conn.shard != self.shard {
            return None;
        }
        match self.slots.get(conn.slot.index as usize) {
            Some(Some((generation, connection))) if *generation == conn.slot.generation => {
                Some(connection)
            }
            _ => None,
        }
    }

    /// Like [`get`](Self::get), to change it.
    pub fn get_mut(&mut self, conn: ConnId) -> Option<&mut Connection> {
        if conn.shard != self.shard {
            return None;
        }
        match self.slots.get_mut(conn.slot.index as usize) {
            Some(Some((generation, connection))) if *generation == conn.slot.generation => {
                Some(connection)
            }
            _ => None,
        }
    }

    /// Takes a connection out.
    pub fn remove(&mut self, conn: ConnId) -> Option<Connection> {
        self.get(conn)?;
        let slot = self.slots.get_mut(conn.slot.index as usize)?;
        self.len -= 1;
        slot.take().map(|(_, connection)| *connection)
    }

    /// Number of open connections.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True when none is open.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Names and connections.
    pub fn iter(&self) -> impl Iterator<Item = (ConnId, &Connection)> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| {
            let (generation, connection) = slot.as_ref()?;
            let slot = Slot { index: index as u32, generation: *generation };
            Some((ConnId::new(self.shard, slot), &**connection))
        })
    }
}
