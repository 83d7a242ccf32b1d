//! Users who share a connection: what comes is told apart by the user it names, what they write
//! goes out together. Each has a [`Link`](crate::link::Link) of his own all the same, which knows
//! no socket.

use super::{Notice, Output, Slot, Timer, World};
use crate::answer::{Extra, answer};
use crate::clock::Moment;
use crate::link::{Purpose, State, WAITING_MAX};
use crate::population::number_in;
use crate::scan::{Message, Name, ScanError, Step};
use crate::stats::{Cause, Operation};
use std::net::{Ipv4Addr, SocketAddr};

/// How many times as much may wait to be written on a link as on another connection.
const LINK_WAITING_FACTOR: usize = 16;
/// The port that clients behind a link say they have.
const CLIENT_PORT: u16 = 5061;

impl World {
    /// True for a user who shares a connection.
    pub fn is_on_link(&self, slot: Slot) -> bool {
        self.lanes.carrier(slot).is_some()
    }

    /// True for a connection that users share.
    pub fn is_link(&self, slot: Slot) -> bool {
        slot >= self.users()
    }

    /// A user asks for his place on a link; the first one has it opened.
    pub(super) fn board(&mut self, slot: Slot, carrier: Slot, now: Moment) {
        match self.links[carrier].state {
            State::Up => self.boarded(slot, now),
            State::Closed => self.open_link(carrier, now),
            // He is let in, or fails, with the others who wait.
            State::Opening { .. } | State::Closing => {}
        }
    }

    fn open_link(&mut self, carrier: Slot, now: Moment) {
        let source = self.env.settings.source(carrier as u32);
        let link = &mut self.links[carrier];
        link.reset();
        link.state = State::Opening { purpose: Purpose::Connect, intended: now, began: now };
        let (slot, generation) = (carrier, link.generation);
        self.wheel
            .arm(now.after(self.env.settings.timeout), Timer::OpeningLink { slot, generation });
        self.outputs.push_back(Output::Open { slot, generation, source });
    }

    fn boarded(&mut self, slot: Slot, now: Moment) {
        let place = place_of(self.number(slot));
        self.links[slot].locate(place);
        let generation = self.links[slot].generation;
        self.up(slot, generation, now);
    }

    /// A link can be written to: whoever waited for it is let in.
    pub(super) fn link_up(&mut self, carrier: Slot, generation: u32, now: Moment) {
        let link = &mut self.links[carrier];
        let State::Opening { began, .. } = link.state else { return };
        if link.generation != generation {
            return;
        }
        link.state = State::Up;
        link.sent = now;
        link.keep_alive = self.env.settings.keep_alive;
        let next = now.after(link.keep_alive);
        self.wheel.arm(next, Timer::KeepAlive { slot: carrier, generation });
        self.succeed(Operation::Connect, began, now);
        for slot in self.lanes.riders(carrier) {
            if matches!(self.links[slot].state, State::Opening { .. }) {
                self.boarded(slot, now);
            }
        }
    }

    /// A link is gone, or could not be made, and with it all its users.
    pub(super) fn link_down(
        &mut self,
        carrier: Slot,
        generation: u32,
        cause: Cause,
        text: impl FnOnce() -> String,
        now: Moment,
    ) {
        let link = &mut self.links[carrier];
        if link.generation != generation {
            return;
        }
        let state = std::mem::replace(&mut link.state, State::Closed);
        link.out = Vec::new();
        let cause = match state {
            State::Closed => return,
            State::Opening { began, .. } => {
                self.stats.example(cause, text);
                self.fail(Operation::Connect, began, cause);
                cause
            }
            State::Up => {
                self.stats.example(Cause::Disconnected, text);
                Cause::Disconnected
            }
            // Its users have left, or have failed already.
            State::Closing => Cause::Disconnected,
        };
        self.lose_riders(carrier, cause, now);
    }

    fn lose_riders(&mut self, carrier: Slot, cause: Cause, now: Moment) {
        for slot in self.lanes.riders(carrier) {
            match self.links[slot].state {
                State::Opening { purpose, intended, .. } => {
                    self.opening -= 1;
                    self.opening_failed(purpose, intended, cause);
                }
                State::Up => self.lose(slot, cause, now),
                State::Closed | State::Closing => continue,
            }
            self.links[slot].state = State::Closed;
            self.links[slot].out = Vec::new();
            self.notices.push_back((slot, Notice::Down));
        }
    }

    /// A link was not made in time.
    pub(super) fn link_late(&mut self, carrier: Slot, now: Moment) {
        if let State::Opening { began, .. } = self.links[carrier].state {
            self.links[carrier].state = State::Closing;
            self.outputs.push_back(Output::Close(carrier));
            self.fail(Operation::Connect, began, Cause::Timeout);
            self.lose_riders(carrier, Cause::Timeout, now);
        }
    }

    /// Handles every whole message at the front of `bytes`; returns how many octets were used.
    pub(super) fn scan_link(
        &mut self,
        carrier: Slot,
        bytes: &[u8],
        now: Moment,
    ) -> Result<usize, ScanError> {
        let mut used = 0;
        while let Some(rest) = bytes.get(used..).filter(|rest| !rest.is_empty()) {
            match self.links[carrier].scanner.next(rest, &mut self.index)? {
                Step::Incomplete => break,
                Step::KeepAlive(length) => used += length,
                Step::Message(length) => {
                    self.received_on_link(carrier, rest.get(..length).unwrap_or(&[]), now);
                    used += length;
                }
            }
        }
        Ok(used)
    }

    /// Octets on a link were no SIP: nothing on it can be trusted any more.
    pub(super) fn link_garbled(&mut self, carrier: Slot, error: ScanError, now: Moment) {
        self.stats.example(Cause::Protocol, || error.to_string());
        self.lose_riders(carrier, Cause::Protocol, now);
        self.close(carrier);
    }

    /// A message on a link goes to the user it names.
    fn received_on_link(&mut self, carrier: Slot, octets: &[u8], now: Moment) {
        let first = self.first_user;
        let World { endpoints, links, env, index, stats, events, lanes, .. } = self;
        let message = Message::new(octets, index);
        // A request names whom it is for, an answer who asked.
        let name = match message.status() {
            Some(_) => message.value(Name::From),
            None => message.uri(),
        };
        let slot = number_in(&env.settings, name)
            .and_then(|number| number.checked_sub(first))
            .map(|slot| slot as Slot)
            .filter(|slot| lanes.carrier(*slot) == Some(carrier) && links[*slot].is_up());
        let Some(slot) = slot else {
            if message.status().is_some() {
                stats.seen.stray_answers += 1;
            } else {
                stats.seen.requests_refused += 1;
                if !matches!(message.method(), b"ACK" | b"BENOTIFY") {
                    let out = &mut links[carrier].out;
                    answer(message, "404 Not Found", b"nobody", &Extra::default(), out);
                }
            }
            return self.written(carrier, now);
        };
        let taken =
            endpoints[slot].receive(env, &mut links[slot], message, &mut stats.seen, events);
        self.drain_events(slot, now);
        if let Err(error) = taken {
            // Others on the link have signatures of their own.
            self.stats.example(Cause::Protocol, || error.to_string());
            self.lose(slot, Cause::Protocol, now);
            self.close(slot);
        }
        self.written(slot, now);
    }

    /// What a user on a link has written goes out on it. Returns whose connection that is.
    pub(super) fn put_on_link(&mut self, slot: Slot, now: Moment) -> Slot {
        let Some(carrier) = self.lanes.carrier(slot) else { return slot };
        if !self.links[slot].out.is_empty() {
            let out = std::mem::take(&mut self.links[slot].out);
            self.links[slot].sent = now;
            self.links[carrier].out.extend_from_slice(&out);
        }
        carrier
    }

    /// True when so much waits to be written for a user that no more is sent.
    pub(super) fn is_overrun(&self, slot: Slot) -> bool {
        match self.lanes.carrier(slot) {
            Some(carrier) => self.links[carrier].out.len() > WAITING_MAX * LINK_WAITING_FACTOR,
            None => self.links[slot].out.len() > WAITING_MAX,
        }
    }
}

/// Where a user on a link says he is: an address of his own, of a private network as clients
/// behind an Edge have, so that a server that counts by address counts as it would there.
fn place_of(number: u32) -> SocketAddr {
    let [_, second, third, fourth] = number.to_be_bytes();
    (Ipv4Addr::new(10, second, third, fourth), CLIENT_PORT).into()
}

#[cfg(test)]
mod tests;
