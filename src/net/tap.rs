//! Ears at the connections of one core. With none, a message costs one look at an empty list; with
//! one, it costs finding out whose the connection is, and a copy of what is listened to. Nobody
//! waits for a listener: what does not fit into his queue is counted and gone.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc::Sender;

use super::carrier::Carrier;
use super::inner::Inner;
use crate::base::aor::Aor;
use crate::base::ids::{ConnId, Slot};
use crate::base::time::Now;
use crate::metrics::names::Series;
use crate::shard::Machine;
use crate::shard::overheard::{HEARD_OCTETS_MAX, Overheard, Subject, Way};
use crate::wire::sip::{Message, Uri};

/// Connections of which is known who says that they are his; beyond it all are forgotten, and
/// known again from their next request.
const CLAIMS_MAX: usize = 4096;

/// One listener, as a core knows him. Each core has a clone.
#[derive(Clone, Debug)]
pub struct Tap {
    /// Whom he listens to.
    pub subject: Subject,
    /// Where to; bounded. Its other end gone, the tap is too, with the next tick.
    pub listener: Sender<Overheard>,
    /// Messages that did not fit.
    pub lost: Arc<AtomicU64>,
}

/// The listeners of a core.
#[derive(Debug, Default)]
pub(super) struct Taps {
    taps: Vec<Tap>,
    /// Who a connection says it is, by From of its requests: for what comes before a sign-in,
    /// after the machine has forgotten it, and instead of one.
    claims: HashMap<ConnId, Aor, ahash::RandomState>,
}

impl Taps {
    /// True when nobody listens.
    pub fn is_empty(&self) -> bool {
        self.taps.is_empty()
    }

    /// One more listens.
    pub fn add(&mut self, tap: Tap) {
        self.taps.push(tap);
    }

    /// Forgets who listens no more.
    pub fn sweep(&mut self) {
        if self.taps.is_empty() {
            return;
        }
        self.taps.retain(|tap| !tap.listener.is_closed());
        if self.taps.is_empty() {
            self.claims = HashMap::default();
        }
    }

    /// Whose connection it is: of who signed in, else of who said so last.
    fn user_of(&mut self, conn: ConnId, known: Option<&Aor>, says: Option<Aor>) -> Option<Aor> {
        let user = known.cloned().or(says);
        let Some(user) = user else { return self.claims.get(&conn).cloned() };
        if self.claims.get(&conn) != Some(&user) {
            if self.claims.len() >= CLAIMS_MAX {
                self.claims.clear();
            }
            self.claims.insert(conn, user.clone());
        }
        Some(user)
    }
}

impl<M: Machine, C: Carrier> Inner<M, C> {
    /// A message came for the machine; called only while somebody listens.
    pub fn overhear_received(&mut self, slot: Slot, conn: ConnId, message: Message<'_>, now: Now) {
        let says = message.is_request().then(|| sender(message)).flatten();
        let user = self.taps.user_of(conn, self.machine.user(conn), says);
        self.overhear(slot, conn, user, Way::Received, message.bytes(), now);
    }

    /// The machine sends a message; called only while somebody listens.
    pub fn overhear_sent(&mut self, slot: Slot, conn: ConnId, octets: &[u8], now: Now) {
        let user = self.taps.user_of(conn, self.machine.user(conn), None);
        self.overhear(slot, conn, user, Way::Sent, octets, now);
    }

    fn overhear(
        &mut self,
        slot: Slot,
        conn: ConnId,
        user: Option<Aor>,
        way: Way,
        octets: &[u8],
        now: Now,
    ) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        if way == Way::Sent && !connection.is_writable() {
            return;
        }
        for tap in self.taps.taps.iter().filter(|tap| tap.subject.is(user.as_ref())) {
            let Ok(place) = tap.listener.try_reserve() else {
                tap.lost.fetch_add(1, Ordering::Relaxed);
                self.machine.counters().count(Series::OverheardLost);
                continue;
            };
            self.machine.counters().count(Series::Overheard);
            place.send(Overheard {
                unix_ms: now.unix_ms,
                way,
                conn,
                user: user.clone(),
                peer: connection.peer,
                local: connection.stream.local_addr().unwrap_or(connection.peer),
                transport: connection.door.transport(),
                octets: octets.get(..HEARD_OCTETS_MAX).unwrap_or(octets).to_vec(),
                len: octets.len(),
            });
        }
    }
}

/// Who a request says it is from.
fn sender(request: Message<'_>) -> Option<Aor> {
    let from = request.from().ok()?;
    Some(Aor::new(&Uri::parse(from.uri).ok()?.aor()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::ShardId;

    fn conn(index: u32) -> ConnId {
        ConnId::new(ShardId(0), Slot { index, generation: 1 })
    }

    #[test]
    fn a_sign_in_counts_more_than_what_is_said() {
        let mut taps = Taps::default();
        let (alice, bob) = (Aor::new("alice@a.test"), Aor::new("bob@a.test"));
        assert_eq!(taps.user_of(conn(1), None, None), None);
        assert_eq!(taps.user_of(conn(1), None, Some(alice.clone())), Some(alice.clone()));
        assert_eq!(taps.user_of(conn(1), None, None), Some(alice.clone()), "its answer");
        let signed_in = taps.user_of(conn(1), Some(&bob), Some(alice));
        assert_eq!(signed_in, Some(bob.clone()), "the other address is only said");
        assert_eq!(taps.user_of(conn(1), None, None), Some(bob), "the answer to his sign-off");
        assert_eq!(taps.user_of(conn(2), None, None), None);
    }

    #[test]
    fn who_listens_no_more_is_forgotten() {
        let mut taps = Taps::default();
        let (listener, heard) = tokio::sync::mpsc::channel(1);
        let lost = Arc::default();
        taps.add(Tap { subject: Subject::Everyone { one_in: 1 }, listener, lost });
        taps.sweep();
        assert!(!taps.is_empty());
        drop(heard);
        taps.sweep();
        assert!(taps.is_empty());
    }

    #[test]
    fn claims_are_bounded() {
        let mut taps = Taps::default();
        for index in 0..3 * CLAIMS_MAX as u32 {
            taps.user_of(conn(index), None, Some(Aor::new("alice@a.test")));
            assert!(taps.claims.len() <= CLAIMS_MAX);
        }
    }
}
