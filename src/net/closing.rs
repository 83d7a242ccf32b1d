//! The end of a connection. Every close is counted once, by reason; the machine is told once; the
//! socket is shut down first and dropped in a later visit.

use std::net::Shutdown;

use super::carrier::Carrier;
use super::connection::Phase;
use super::inner::Inner;
use super::outbound::Wire;
use crate::base::ids::{ConnId, Slot};
use crate::base::limits::Limit;
use crate::base::time::Now;
use crate::metrics::counters::CloseReason;
use crate::metrics::names::Series;
use crate::shard::Machine;

impl<M: Machine, C: Carrier> Inner<M, C> {
    /// Ends a connection, or a lane, for `reason`. What waits is still written, unless the peer
    /// has proved that it does not deserve or cannot receive it. The lanes of a link end in the
    /// next ticks. The caller settles.
    pub fn close(&mut self, slot: Slot, reason: CloseReason, now: Now) {
        let Some(connection) = self.connections.get_mut(slot) else {
            return self.close_lane(slot, reason);
        };
        let phase = connection.phase;
        if matches!(phase, Phase::Closing | Phase::Gone) {
            return;
        }
        connection.phase = Phase::Closing;
        connection.since_ms = now.mono_ms;
        connection.carry = Vec::new();
        if let Some(link) = &mut connection.link {
            let lanes = std::mem::take(&mut link.lanes);
            self.orphans.extend(lanes.into_values().map(|lane| (lane, reason)));
        }
        if std::mem::take(&mut connection.told) {
            self.ended.push_back((ConnId::new(self.shard, slot), reason));
        }
        let peer = connection.peer;
        self.revisit(slot);
        let counters = self.machine.counters();
        counters.close(reason);
        if phase == Phase::Handshake {
            counters.count(Series::HandshakeFailures);
            self.handshaking = self.handshaking.saturating_sub(1);
        }
        if is_abrupt(reason) {
            self.shut(slot);
            self.cut(slot, now);
        } else {
            self.mark_dirty(slot);
            self.arm_near(slot);
        }
        if is_worth_a_line(reason)
            && let Some(held_back) = self.log.pass(now, reason as usize)
        {
            tracing::info!(%peer, reason = reason.name(), held_back, "connection closed");
        }
    }

    /// A near deadline has passed.
    pub fn expire(&mut self, slot: Slot, reason: CloseReason, now: Now) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        match connection.phase {
            Phase::Handshake | Phase::Open => {
                if let Some(limit) = limit_of(reason) {
                    self.machine.counters().hit(limit);
                }
                self.close(slot, reason, now);
            }
            Phase::HalfClosed => self.close(slot, reason, now),
            Phase::Closing => {
                self.machine.counters().hit(Limit::CloseTime);
                self.cut(slot, now);
            }
            Phase::Gone => self.remove(slot),
        }
    }

    /// Closes our side: nothing more will be written.
    pub fn shut(&mut self, slot: Slot) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        if std::mem::replace(&mut connection.shut, true) {
            return;
        }
        if let Some(tls) = connection.tls.as_deref_mut()
            && !tls.is_handshaking()
            && !connection.outbound.is_blocked()
        {
            let octets = &mut self.buffers.scratch.outgoing;
            octets.clear();
            // A session or socket that fails here is closed all the same.
            if tls.close_notify(octets).is_ok() {
                let mut wire = Wire { stream: &connection.stream, tls: None, sent: 0 };
                let _ = connection.outbound.send_raw(&mut wire, octets);
                self.machine.counters().add(Series::WireBytesSent, wire.sent);
            }
        }
        // The peer may have reset the connection: then it is down already.
        let _ = connection.stream.shutdown(Shutdown::Write);
        self.revisit(slot);
    }

    /// Writes nothing more to a connection that is closing; its next visit drops it.
    pub fn cut(&mut self, slot: Slot, now: Now) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        connection.phase = Phase::Gone;
        connection.since_ms = now.mono_ms;
        connection.outbound.clear();
        connection.tls = None;
        let _ = connection.stream.shutdown(Shutdown::Both);
        self.revisit(slot);
        self.arm_near(slot);
    }
}

/// True when nothing that waits is written any more.
const fn is_abrupt(reason: CloseReason) -> bool {
    matches!(
        reason,
        CloseReason::FirstMessageTimeout
            | CloseReason::HandshakeTimeout
            | CloseReason::MessageTimeout
            | CloseReason::Panic
            | CloseReason::Refused
            | CloseReason::Reset
            | CloseReason::SlowReader
    )
}

/// True for what an operator wants to hear of; the rest is everyday life.
const fn is_worth_a_line(reason: CloseReason) -> bool {
    !matches!(
        reason,
        CloseReason::Drain | CloseReason::IdleTimeout | CloseReason::Peer | CloseReason::Reset
    )
}

/// The bound whose passing ends a connection for `reason`.
const fn limit_of(reason: CloseReason) -> Option<Limit> {
    match reason {
        CloseReason::FirstMessageTimeout => Some(Limit::FirstMessageTime),
        CloseReason::HandshakeTimeout => Some(Limit::HandshakeTime),
        CloseReason::MessageTimeout => Some(Limit::MessageTime),
        _ => None,
    }
}
