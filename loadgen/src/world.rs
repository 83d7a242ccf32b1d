//! One thread's endpoints, connections, timers and counts, and the deeds a scenario composes.
//!
//! Nothing here does input or output: connections are asked for through [`Output`], octets wait
//! in the links, and time comes in as an argument. So a whole run can be tested without sockets.

mod conferences;
mod deeds;
mod fault;
mod link;
mod questions;
mod upkeep;

use crate::clock::Moment;
use crate::endpoint::{Endpoint, Env, Event, Wait, renewal};
use crate::lanes::Lanes;
use crate::link::{Link, Purpose, State, give_back};
use crate::scan::{Index, Message, Step};
use crate::settings::Settings;
use crate::stats::{Cause, Operation, Stats};
use crate::transactions::Pending;
use crate::wheel::Wheel;
use fault::Fault;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use upkeep::Timer;

/// Number of an endpoint and its connection within a thread.
pub type Slot = usize;

/// What the connections are to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Open a connection.
    Open {
        /// Whose.
        slot: Slot,
        /// Which one of that slot.
        generation: u32,
        /// Address to come from.
        source: Option<IpAddr>,
    },
    /// Write what waits.
    Write(Slot),
    /// Close the connection after writing what waits.
    Close(Slot),
    /// Read nothing more.
    Deafen(Slot),
    /// Read again.
    Hear(Slot),
}

/// What a scenario is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The connection is up and its purpose is only that.
    Up,
    /// The connection is gone, or could not be made.
    Down,
    /// Something of the endpoint.
    Endpoint(Event),
    /// A moment asked for with [`World::remind`].
    Reminder(u32),
}

/// When operations count: those meant for this span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Load begins (warm-up).
    pub start: Moment,
    /// Counting begins.
    pub from: Moment,
    /// Counting and load end.
    pub until: Moment,
}

impl Window {
    /// True while counting.
    pub fn holds(&self, moment: Moment) -> bool {
        self.from <= moment && moment < self.until
    }
}

/// One thread's part of the population.
#[derive(Debug)]
pub struct World {
    /// What the endpoints share.
    pub env: Env,
    /// Counts since they were last taken.
    pub stats: Stats,
    /// Requests without a final answer.
    pub outstanding: usize,
    /// Connections being set up.
    pub opening: usize,
    /// Endpoints that are signed in.
    pub signed_in: usize,
    /// Sign-ins that succeeded.
    pub sign_ins: usize,
    /// Sign-ins that failed.
    pub sign_ins_failed: usize,
    /// Number of the first user of this thread.
    first_user: u32,
    endpoints: Vec<Endpoint>,
    lanes: Lanes,
    /// Of the users, and behind them of the connections that users share.
    links: Vec<Link>,
    measured: &'static [Operation],
    notices: VecDeque<(Slot, Notice)>,
    outputs: VecDeque<Output>,
    wheel: Wheel<Timer>,
    window: Option<Window>,
    index: Index,
    due: Vec<Timer>,
    events: Vec<Event>,
}

impl World {
    /// The users `first..first + count`. `measured` operations count only within the window.
    ///
    /// # Errors
    /// When a built-in template is broken.
    pub fn new(
        settings: Arc<Settings>,
        run: u64,
        first: u32,
        count: u32,
        measured: &'static [Operation],
    ) -> Result<World, String> {
        let lanes = Lanes::new(settings.links.as_ref(), settings.threads, count as usize);
        let env = Env::new(settings, run)?;
        let endpoints = (first..first + count).map(|number| Endpoint::new(&env, number)).collect();
        Ok(World {
            env,
            stats: Stats::default(),
            outstanding: 0,
            opening: 0,
            signed_in: 0,
            sign_ins: 0,
            sign_ins_failed: 0,
            first_user: first,
            endpoints,
            links: (0..count as usize + lanes.links()).map(|_| Link::new()).collect(),
            lanes,
            measured,
            notices: VecDeque::new(),
            outputs: VecDeque::new(),
            wheel: Wheel::new(),
            window: None,
            index: Index::default(),
            due: Vec::new(),
            events: Vec::new(),
        })
    }

    /// Number of users.
    pub fn users(&self) -> usize {
        self.endpoints.len()
    }

    /// Number of slots: of the users, and of the connections that users share.
    pub fn connections(&self) -> usize {
        self.links.len()
    }

    /// Number of a user in the whole population.
    pub fn number(&self, slot: Slot) -> u32 {
        self.first_user + slot as u32
    }

    /// The user of this thread with that number.
    pub fn slot(&self, number: u32) -> Option<Slot> {
        let slot = number.checked_sub(self.first_user)? as Slot;
        (slot < self.users()).then_some(slot)
    }

    /// The run's settings.
    pub fn settings(&self) -> &Settings {
        &self.env.settings
    }

    /// The window, once it is fixed.
    pub fn window(&self) -> Option<Window> {
        self.window
    }

    /// Fixes or shortens the window.
    pub fn set_window(&mut self, window: Window) {
        self.window = Some(window);
    }

    /// True when the user is signed in and can be sent from and answered.
    pub fn is_signed_in(&self, slot: Slot) -> bool {
        let link = &self.links[slot];
        link.is_up() && !link.silent && self.endpoints[slot].registration.signed_in
    }

    /// True while a REGISTER of the user is under way.
    pub fn is_renewing(&self, slot: Slot) -> bool {
        self.endpoints[slot].registration.pending.is_some()
    }

    /// True when the user has no connection, not even one that is being made or closed.
    pub fn is_closed(&self, slot: Slot) -> bool {
        self.links[slot].state == State::Closed
    }

    /// Next thing for the connections to do.
    pub fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Next thing for the scenario to hear.
    pub fn next_notice(&mut self) -> Option<(Slot, Notice)> {
        self.notices.pop_front()
    }

    /// A connection's number, to tell it from an earlier one.
    pub fn generation(&self, slot: Slot) -> u32 {
        self.links[slot].generation
    }

    /// Plain octets that wait to be written; whoever asks for them writes them.
    pub fn waiting(&mut self, slot: Slot) -> &mut Vec<u8> {
        let link = &mut self.links[slot];
        link.announced = false;
        &mut link.out
    }
}

/// What connections report.
impl World {
    /// TCP is connected, or about to be: the own address is known.
    pub fn located(&mut self, slot: Slot, local: SocketAddr) {
        self.links[slot].locate(local);
    }

    /// Octets can be exchanged.
    pub fn up(&mut self, slot: Slot, generation: u32, now: Moment) {
        if self.is_link(slot) {
            return self.link_up(slot, generation, now);
        }
        let link = &mut self.links[slot];
        let State::Opening { purpose, intended, began } = link.state else { return };
        if link.generation != generation {
            return;
        }
        link.state = State::Up;
        link.sent = now;
        self.opening -= 1;
        match purpose {
            Purpose::Connect => {
                self.succeed(Operation::Connect, intended, now);
                self.notices.push_back((slot, Notice::Up));
            }
            Purpose::SignIn => {
                if !self.is_on_link(slot) {
                    self.succeed(Operation::Connect, began, now);
                }
                self.register(slot, Operation::SignIn, intended, now);
            }
        }
    }

    /// Octets have arrived.
    pub fn received(&mut self, slot: Slot, bytes: &[u8], now: Moment) {
        if !self.links[slot].is_up() {
            return;
        }
        let mut partial = std::mem::take(&mut self.links[slot].partial);
        let whole = partial.is_empty();
        let scanned = if whole {
            self.scan(slot, bytes, now)
        } else {
            partial.extend_from_slice(bytes);
            self.scan(slot, &partial, now)
        };
        if !self.is_link(slot) {
            self.drain_events(slot, now);
        }
        match scanned {
            Ok(used) if whole => {
                partial.extend_from_slice(bytes.get(used..).unwrap_or(&[]));
                self.links[slot].partial = partial;
                self.written(slot, now);
            }
            Ok(used) => {
                partial.drain(..used);
                give_back(&mut partial);
                self.links[slot].partial = partial;
                self.written(slot, now);
            }
            Err(Fault::Stream(error)) if self.is_link(slot) => self.link_garbled(slot, error, now),
            Err(error) => {
                self.stats.example(Cause::Protocol, || error.to_string());
                self.lose(slot, Cause::Protocol, now);
                self.close(slot);
            }
        }
    }

    /// The connection is gone, or could not be made.
    pub fn down(
        &mut self,
        slot: Slot,
        generation: u32,
        cause: Cause,
        text: impl FnOnce() -> String,
        now: Moment,
    ) {
        if self.is_link(slot) {
            return self.link_down(slot, generation, cause, text, now);
        }
        let link = &mut self.links[slot];
        if link.generation != generation {
            return;
        }
        let state = std::mem::replace(&mut link.state, State::Closed);
        link.out.clear();
        match state {
            State::Closed => return,
            State::Opening { purpose, intended, .. } => {
                self.opening -= 1;
                self.stats.example(cause, text);
                self.opening_failed(purpose, intended, cause);
            }
            State::Up => {
                // While it is up any end of the connection is a disconnection.
                self.stats.example(Cause::Disconnected, text);
                self.lose(slot, Cause::Disconnected, now);
            }
            State::Closing => self.clear(slot, now),
        }
        self.notices.push_back((slot, Notice::Down));
    }
}

impl World {
    fn register(&mut self, slot: Slot, operation: Operation, intended: Moment, now: Moment) {
        let pending = Pending { operation, intended };
        let leaving = operation == Operation::SignOut;
        if !leaving && self.links[slot].keys_end.is_some_and(|end| end <= now) {
            self.endpoints[slot].renew_keys();
        }
        let wait =
            self.endpoints[slot].register(&mut self.env, &mut self.links[slot], pending, leaving);
        self.sent(slot, wait, now);
    }

    /// A request has been written: it is outstanding and has a deadline.
    fn sent(&mut self, slot: Slot, wait: Wait, now: Moment) {
        self.outstanding += 1;
        let generation = self.links[slot].generation;
        let deadline = now.after(self.env.settings.timeout);
        self.wheel.arm(deadline, Timer::Answer { slot, generation, wait });
        self.written(slot, now);
    }

    /// Something may have been written.
    fn written(&mut self, slot: Slot, now: Moment) {
        let slot = self.put_on_link(slot, now);
        let link = &mut self.links[slot];
        if !link.out.is_empty() {
            link.sent = now;
            if !link.announced {
                link.announced = true;
                self.outputs.push_back(Output::Write(slot));
            }
        }
    }

    /// Handles every whole message at the front of `bytes`; returns how many octets were used.
    fn scan(&mut self, slot: Slot, bytes: &[u8], now: Moment) -> Result<usize, Fault> {
        if self.is_link(slot) {
            return Ok(self.scan_link(slot, bytes, now)?);
        }
        let World { endpoints, links, env, index, stats, events, .. } = self;
        let (endpoint, link) = (&mut endpoints[slot], &mut links[slot]);
        let mut used = 0;
        while let Some(rest) = bytes.get(used..).filter(|rest| !rest.is_empty()) {
            match link.scanner.next(rest, index)? {
                Step::Incomplete => break,
                Step::KeepAlive(length) => used += length,
                Step::Message(length) => {
                    let message = Message::new(rest.get(..length).unwrap_or(&[]), index);
                    // What a silent user did not read in time he does not answer later.
                    if !link.silent || message.status().is_some() {
                        endpoint.receive(env, link, message, &mut stats.seen, events)?;
                    }
                    used += length;
                }
            }
        }
        Ok(used)
    }

    /// Counts what the endpoint reported and passes it on.
    fn drain_events(&mut self, slot: Slot, now: Moment) {
        let mut events = std::mem::take(&mut self.events);
        for event in events.drain(..) {
            match &event {
                // How a silent user leaves is no measure of anything.
                Event::Finished { .. } if self.links[slot].silent => self.outstanding -= 1,
                Event::Finished { pending, result } => self.finished(*pending, *result, now),
                Event::Granted(granted) => {
                    let settings = &self.env.settings;
                    if granted.new_keys {
                        self.links[slot].keys_end = Some(now.after(settings.keys_last));
                    }
                    let every = granted.keep_alive.unwrap_or(settings.keep_alive);
                    let renewal = renewal(granted.expires, settings.dialect, settings.expires);
                    self.keep_up(slot, every, renewal, now);
                }
                Event::Arrived(_)
                | Event::Chat(_)
                | Event::Created(_)
                | Event::Ended
                | Event::Misattributed(_)
                | Event::Noticed(_)
                | Event::NoticedShortly(_)
                | Event::Refused(_)
                | Event::Watching(_)
                | Event::Unwatched(_) => {}
            }
            self.notices.push_back((slot, Notice::Endpoint(event)));
        }
        self.events = events;
    }

    fn finished(&mut self, pending: Pending, result: Result<(), Cause>, now: Moment) {
        let Pending { operation, intended } = pending;
        self.outstanding -= 1;
        match result {
            Ok(()) => self.succeed(operation, intended, now),
            Err(cause) => self.fail(operation, intended, cause),
        }
        match (operation, result) {
            (Operation::SignIn, Ok(())) => {
                self.signed_in += 1;
                self.sign_ins += 1;
            }
            (Operation::SignIn, Err(_)) => self.sign_ins_failed += 1,
            (Operation::SignOut, Ok(())) => self.signed_in -= 1,
            _ => {}
        }
    }

    /// The connection of an endpoint is lost against our will.
    fn lose(&mut self, slot: Slot, cause: Cause, now: Moment) {
        if self.endpoints[slot].registration.signed_in && !self.links[slot].silent {
            self.stats.fail(Operation::Hold, cause, 1);
        }
        self.endpoints[slot].disconnect(cause, &mut self.signed_in, &mut self.events);
        self.drain_events(slot, now);
    }

    /// We closed the connection; what still waited on it has failed.
    fn clear(&mut self, slot: Slot, now: Moment) {
        let (endpoint, signed_in) = (&mut self.endpoints[slot], &mut self.signed_in);
        endpoint.disconnect(Cause::Disconnected, signed_in, &mut self.events);
        self.drain_events(slot, now);
    }

    fn opening_failed(&mut self, purpose: Purpose, intended: Moment, cause: Cause) {
        match purpose {
            Purpose::Connect => self.fail(Operation::Connect, intended, cause),
            Purpose::SignIn => {
                self.sign_ins_failed += 1;
                self.fail(Operation::SignIn, intended, cause);
            }
        }
    }
}

#[cfg(test)]
mod tests;
