//! One user's SIP client: registration, dialogs, answers to everything it receives. It reads
//! messages and writes octets; it knows no sockets and no clock.

mod ask;
mod compose;
mod conference;
mod incoming;
mod publish;
mod signing;
mod watch;

use crate::dialog::{Dialog, Kind, State};
use crate::link::Link;
use crate::number::read_number;
use crate::population::{Identity, mix};
use crate::publication::Publications;
use crate::registration::{Granted, Registration};
use crate::scan::{Message, Name};
use crate::settings::{Dialect, Flow, Notify, Settings, StateKind};
use crate::signature::{Association, SignatureError};
use crate::stamp::Stamp;
use crate::stats::{Cause, Operation, Seen};
use crate::subscription::Subscription;
use crate::template::Templates;
use crate::transactions::{Pending, Transactions};
use compose::{Request, Text};
use jiff::Timestamp;
use signing::{Buffers, Proving};
use std::sync::Arc;
use std::time::Duration;

/// Most dialogs an endpoint holds; further INVITEs are answered 486.
const DIALOGS_MAX: usize = 64;
/// Most requests of one dialog (or outside dialogs) that may wait for answers.
pub const OUTSTANDING_MAX: usize = 65_536;

/// What all endpoints of a thread share.
#[derive(Debug)]
pub struct Env {
    /// The run's settings.
    pub settings: Arc<Settings>,
    /// Requests.
    pub templates: Templates,
    /// Number of this run, so that texts and Call-IDs of another one are not taken for ours.
    pub run: u64,
    /// When conferences may be forgotten, as XML writes it.
    expiry: String,
    /// Users are notified by BENOTIFY.
    benotify: bool,
    /// The state that Lync clients publish.
    state: StateKind,
    signing: Buffers,
    text: Text,
}

impl Env {
    /// For one thread.
    ///
    /// # Errors
    /// When a built-in template is broken, or the expiry of conferences is no date.
    pub fn new(settings: Arc<Settings>, run: u64) -> Result<Env, String> {
        let templates = match settings.dialect {
            Dialect::Ms => Templates::ms()?,
            Dialect::Simple => Templates::simple()?,
        };
        let (notify, state) = match settings.flow {
            Flow::Profile(_) if settings.dialect == Dialect::Ms => {
                (Notify::Benotify, StateKind::Machine)
            }
            Flow::Presence { notify, state, .. } => (notify, state),
            Flow::Idle { notify, .. } | Flow::Conference { notify, .. } => {
                (notify, StateKind::Machine)
            }
            _ => (Notify::Notify, StateKind::Machine),
        };
        let expiry_unix_s = match settings.flow {
            Flow::Conference { expiry_unix_s, .. } => Some(expiry_unix_s),
            Flow::Profile(plan) => Some(plan.expiry_unix_s),
            _ => None,
        };
        let expiry = match expiry_unix_s {
            Some(expiry_unix_s) => Timestamp::from_second(expiry_unix_s)
                .map_err(|error| format!("the expiry of conferences: {error}"))?
                .to_string(),
            None => String::new(),
        };
        let benotify = notify == Notify::Benotify;
        let (signing, text) = (Buffers::default(), Text::default());
        Ok(Env { settings, templates, run, expiry, benotify, state, signing, text })
    }
}

/// A request of ours that waits for an answer; what its deadline is armed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// In a dialog.
    Dialog {
        /// Which dialog.
        id: u32,
        /// CSeq number.
        number: u32,
    },
    /// Outside dialogs.
    Pager {
        /// CSeq number.
        number: u32,
    },
    /// SUBSCRIBE.
    Subscription {
        /// Which subscription.
        id: u32,
        /// CSeq number.
        number: u32,
    },
    /// REGISTER.
    Registration {
        /// Which one.
        serial: u32,
    },
}

/// Which subscriptions of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Every one.
    All,
    /// So many of those that were begun to be ended soon, the oldest first.
    Short(usize),
    /// Those to the rosters of conferences.
    Roster,
}

/// What an endpoint reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A request of ours has its outcome.
    Finished {
        /// What it was and when it was meant to be sent.
        pending: Pending,
        /// How it ended.
        result: Result<(), Cause>,
    },
    /// The server granted a registration.
    Granted(Granted),
    /// An instant message with a stamp arrived.
    Arrived(Stamp),
    /// An instant message with a stamp arrived under the name of another user.
    Misattributed(Stamp),
    /// The other side ended a session or a membership.
    Ended,
    /// The conference asked for is there: address of its focus, without scheme.
    Created(String),
    /// The roster of a conference names where its instant messages go: address without scheme.
    Chat(String),
    /// Why the conference service answered with a failure.
    Refused(String),
    /// A state with a stamp arrived.
    Noticed(Stamp),
    /// A state with a stamp arrived by a subscription that is ended soon.
    NoticedShortly(Stamp),
    /// These users, by their numbers, are watched from now on.
    Watching(Vec<u32>),
    /// These users are watched no longer: the server ended the subscription.
    Unwatched(Vec<u32>),
}

/// One user's client.
#[derive(Debug)]
pub struct Endpoint {
    /// Who it is.
    pub identity: Identity,
    /// Its registration.
    pub registration: Registration,
    /// The keys that NTLM left.
    association: Option<Box<Association>>,
    /// While those are new.
    proving: Option<Box<Proving>>,
    contact: Vec<u8>,
    dialogs: Vec<Dialog>,
    dialog_count: u32,
    pager: Transactions,
    pager_count: u32,
    /// Number of each poll that waits, and how many users it asks for.
    polls: Vec<(u32, u32)>,
    publications: Publications,
    /// By rising identifier.
    subscriptions: Vec<Subscription>,
    subscription_count: u32,
    /// Ends every Call-ID and tag of ours: different for each endpoint and run.
    stem: Vec<u8>,
}

impl Endpoint {
    /// User `number` of the population.
    pub fn new(env: &Env, number: u32) -> Endpoint {
        let stem = format!("{:016x}", mix(env.run ^ mix(u64::from(number))));
        Endpoint {
            identity: Identity::new(&env.settings, number),
            registration: Registration::default(),
            association: None,
            proving: None,
            contact: Vec::new(),
            dialogs: Vec::new(),
            dialog_count: 0,
            pager: Transactions::default(),
            pager_count: 0,
            polls: Vec::new(),
            publications: Publications::default(),
            subscriptions: Vec::new(),
            subscription_count: 0,
            stem: stem.into_bytes(),
        }
    }

    /// Sends REGISTER; `leaving` ends the registration.
    pub fn register(
        &mut self,
        env: &mut Env,
        link: &mut Link,
        pending: Pending,
        leaving: bool,
    ) -> Wait {
        self.registration.begin(pending, leaving);
        if !self.registration.signed_in {
            self.contact = self.contact_before_gruu(env, link);
        }
        self.send_register(env, link);
        Wait::Registration { serial: self.registration.serial }
    }

    /// The next REGISTER makes new keys: it is not signed, which asks the server for a handshake.
    pub fn renew_keys(&mut self) {
        self.registration.renews_keys = self.association.is_some();
    }

    /// Sends INVITE for a session with `peer` (`user@domain`).
    pub fn invite(&mut self, env: &mut Env, link: &mut Link, peer: &str, pending: Pending) -> Wait {
        self.begin_dialog(env, link, peer, (Kind::Session, Request::Invite), pending)
    }

    fn begin_dialog(
        &mut self,
        env: &mut Env,
        link: &mut Link,
        peer: &str,
        (kind, request): (Kind, Request),
        pending: Pending,
    ) -> Wait {
        let id = self.next_dialog();
        let call_id = [b"s", id.to_string().as_bytes(), b".", &self.stem].concat();
        let tag = [self.stem.as_slice(), b"s", id.to_string().as_bytes()].concat();
        let mut dialog = Dialog::invite(id, call_id, tag, peer);
        dialog.kind = kind;
        dialog.cseq = 1;
        dialog.transactions.begin(1, pending);
        self.send_in_dialog(env, link, &dialog, request, 1);
        self.dialogs.push(dialog);
        Wait::Dialog { id, number: 1 }
    }

    /// Sends a text in the session that is established; `None` when there is none.
    pub fn message_in_session(
        &mut self,
        env: &mut Env,
        link: &mut Link,
        stamp: &Stamp,
        length: usize,
    ) -> Option<Result<Wait, Cause>> {
        env.text.body.clear();
        stamp.write(length, &mut env.text.body);
        let pending = Pending { operation: Operation::Message, intended: stamp.intended };
        self.send_in_session(env, link, Request::Message, pending)
    }

    /// Sends a request in the session that is established, with the body that is laid ready.
    fn send_in_session(
        &mut self,
        env: &mut Env,
        link: &mut Link,
        request: Request,
        pending: Pending,
    ) -> Option<Result<Wait, Cause>> {
        let at = self.dialogs.iter().position(|dialog| {
            dialog.state == State::Established && dialog.kind == Kind::Session
        })?;
        let mut dialog = self.dialogs.swap_remove(at);
        let result = if dialog.transactions.span() >= OUTSTANDING_MAX {
            Err(Cause::Overrun)
        } else {
            dialog.cseq += 1;
            dialog.transactions.begin(dialog.cseq, pending);
            self.send_in_dialog(env, link, &dialog, request, dialog.cseq);
            Ok(Wait::Dialog { id: dialog.id, number: dialog.cseq })
        };
        self.dialogs.push(dialog);
        Some(result)
    }

    /// Sends a text outside any dialog to `peer` (`user@domain`).
    pub fn message_to(
        &mut self,
        env: &mut Env,
        link: &mut Link,
        peer: &str,
        stamp: &Stamp,
        length: usize,
    ) -> Result<Wait, Cause> {
        if self.pager.span() >= OUTSTANDING_MAX {
            return Err(Cause::Overrun);
        }
        let pending = Pending { operation: Operation::Message, intended: stamp.intended };
        let number = self.begin_alone(pending);
        env.text.body.clear();
        stamp.write(length, &mut env.text.body);
        self.send_pager(env, link, peer, number);
        Ok(Wait::Pager { number })
    }

    /// Sends BYE in every session of ours; returns what waits for answers.
    pub fn bye(&mut self, env: &mut Env, link: &mut Link, pending: Pending, waits: &mut Vec<Wait>) {
        let mut dialogs = std::mem::take(&mut self.dialogs);
        for dialog in dialogs.iter_mut().filter(|dialog| dialog.state == State::Established) {
            dialog.cseq += 1;
            dialog.state = State::Ending;
            dialog.transactions.begin(dialog.cseq, pending);
            self.send_in_dialog(env, link, dialog, Request::Bye, dialog.cseq);
            waits.push(Wait::Dialog { id: dialog.id, number: dialog.cseq });
        }
        self.dialogs = dialogs;
    }

    /// The deadline of a request has come: it fails unless it was answered.
    pub fn expire(&mut self, wait: Wait, events: &mut Vec<Event>) {
        let pending = match wait {
            Wait::Registration { serial } if serial == self.registration.serial => {
                self.abandon_keys();
                self.registration.finish()
            }
            Wait::Registration { .. } => None,
            Wait::Pager { number } => {
                self.polls.retain(|(poll, _)| *poll != number);
                self.pager.finish(number)
            }
            Wait::Subscription { id, number } => self.subscription_expired(id, number),
            Wait::Dialog { id, number } => {
                let at = self.dialogs.iter().position(|dialog| dialog.id == id);
                let pending = at.and_then(|at| self.dialogs[at].transactions.finish(number));
                if let (Some(at), Some(pending)) = (at, pending)
                    && !matches!(pending.operation, Operation::Message | Operation::Typing)
                {
                    self.forget(at, events);
                }
                pending
            }
        };
        if let Some(pending) = pending {
            events.push(Event::Finished { pending, result: Err(Cause::Timeout) });
        }
    }

    /// The connection is gone: everything that waits fails, and one endpoint fewer is signed in.
    pub fn disconnect(&mut self, cause: Cause, signed_in: &mut usize, events: &mut Vec<Event>) {
        *signed_in -= usize::from(self.registration.signed_in);
        let Endpoint { registration, dialogs, pager, subscriptions, .. } = self;
        let waiting = registration.finish().into_iter().chain(pager.drain());
        let subscribed = subscriptions.iter_mut().map(|subscription| &mut subscription.dialog);
        let all_dialogs = dialogs.iter_mut().chain(subscribed);
        let waiting = waiting.chain(all_dialogs.flat_map(|dialog| dialog.transactions.drain()));
        events.extend(waiting.map(|pending| Event::Finished { pending, result: Err(cause) }));
        dialogs.clear();
        subscriptions.clear();
        self.polls.clear();
        self.publications = Publications::default();
        registration.reset();
        self.association = None;
        self.proving = None;
    }

    /// Reads one message and writes what it calls for.
    ///
    /// # Errors
    /// When it is not signed as it must be: nothing of it was read.
    pub fn receive(
        &mut self,
        env: &mut Env,
        link: &mut Link,
        message: Message<'_>,
        seen: &mut Seen,
        events: &mut Vec<Event>,
    ) -> Result<(), SignatureError> {
        self.verify(env, message)?;
        match message.status() {
            Some(status) => {
                if !self.answered(env, link, message, status, events) {
                    seen.stray_answers += 1;
                }
            }
            None => self.requested(env, link, message, seen, events),
        }
        Ok(())
    }

    /// Begins a request outside dialogs; its CSeq number.
    fn begin_alone(&mut self, pending: Pending) -> u32 {
        self.pager_count += 1;
        self.pager.begin(self.pager_count, pending);
        self.pager_count
    }

    /// True for an answer to a request outside dialogs that names its own number: whoever sends
    /// those has the number in the Call-ID too.
    fn is_of_ours(&self, message: Message<'_>) -> bool {
        let call_id = message.value(Name::CallId);
        let own = call_id.strip_suffix(self.stem.as_slice()).unwrap_or_default();
        let number = own.get(1..own.len().saturating_sub(1)).and_then(read_number);
        number == Some(u64::from(message.cseq()))
    }

    fn next_dialog(&mut self) -> u32 {
        self.dialog_count += 1;
        self.dialog_count
    }
}

/// The granted registration interval, or the one asked for.
pub fn renewal(granted: Option<Duration>, dialect: Dialect, asked: Duration) -> Duration {
    let interval = granted.unwrap_or(asked);
    // The Lync client renews 30 s before the end.
    let early = match dialect {
        Dialect::Ms => Duration::from_secs(30).min(interval / 2),
        Dialect::Simple => interval / 10,
    };
    interval.saturating_sub(early).max(Duration::from_secs(1))
}

#[cfg(test)]
mod tests;
