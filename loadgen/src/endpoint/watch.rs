//! How an endpoint watches others: subscriptions, and what they bring.

use super::compose::Request;
use super::incoming::outcome;
use super::{Endpoint, Env, Event, Wait, Which};
use crate::conference::chat;
use crate::dialog::{Dialog, State};
use crate::link::Link;
use crate::number::read_number;
use crate::population::address_of;
use crate::scan::{Message, Name, param_of};
use crate::settings::Dialect;
use crate::stamp::Stamp;
use crate::stats::{Cause, Operation};
use crate::subscription::{Package, Subscription, active};
use crate::transactions::Pending;

impl Endpoint {
    /// Subscribes to the presence of users, by their numbers: a batch (`ms`), or the first
    /// (`simple`). It is a short one when that is what is counted.
    pub fn subscribe(
        &mut self,
        env: &mut Env,
        link: &mut Link,
        watched: &[u32],
        pending: Pending,
    ) -> Wait {
        env.text.body.clear();
        let dialog = match (env.settings.dialect, watched.first()) {
            (Dialect::Simple, Some(first)) => {
                self.subscription_dialog(&address_of(&env.settings, *first))
            }
            _ => self.subscription_dialog(&self.identity.aor.clone()),
        };
        if env.settings.dialect == Dialect::Ms {
            env.name_resources(watched);
        }
        env.name_interval();
        let (package, watched) = (Package::Presence, watched.to_vec());
        let is_short = pending.operation == Operation::ShortSubscribe;
        let subscription = Subscription { dialog, package, is_short, watched };
        self.begin_subscription(env, link, subscription, Request::Subscribe, pending)
    }

    /// Subscribes to the roster of the conference with this focus (address without scheme).
    pub fn watch_conference(
        &mut self,
        env: &mut Env,
        link: &mut Link,
        focus: &str,
        pending: Pending,
    ) -> Wait {
        let (dialog, package) = (self.subscription_dialog(focus), Package::Conference);
        let subscription = Subscription { dialog, package, is_short: false, watched: Vec::new() };
        self.begin_subscription(env, link, subscription, Request::Watch, pending)
    }

    /// Subscribes to what the server keeps for the user himself.
    pub fn subscribe_own(
        &mut self,
        env: &mut Env,
        link: &mut Link,
        package: Package,
        pending: Pending,
    ) -> Wait {
        let request = match package {
            Package::Contacts => Request::Contacts,
            _ => Request::Own,
        };
        let dialog = self.subscription_dialog(&self.identity.aor.clone());
        let subscription = Subscription { dialog, package, is_short: false, watched: Vec::new() };
        self.begin_subscription(env, link, subscription, request, pending)
    }

    fn subscription_dialog(&mut self, peer: &str) -> Dialog {
        self.subscription_count += 1;
        let id = self.subscription_count;
        let call_id = [b"w", id.to_string().as_bytes(), b".", &self.stem].concat();
        let tag = [self.stem.as_slice(), b"w", id.to_string().as_bytes()].concat();
        Dialog::invite(id, call_id, tag, peer)
    }

    fn begin_subscription(
        &mut self,
        env: &mut Env,
        link: &mut Link,
        mut subscription: Subscription,
        request: Request,
        pending: Pending,
    ) -> Wait {
        let dialog = &mut subscription.dialog;
        dialog.cseq = 1;
        dialog.transactions.begin(1, pending);
        self.send_in_dialog(env, link, dialog, request, 1);
        let id = dialog.id;
        self.subscriptions.push(subscription);
        Wait::Subscription { id, number: 1 }
    }

    /// Ends the subscriptions that are of a kind; returns what waits for answers.
    pub fn unsubscribe(
        &mut self,
        env: &mut Env,
        link: &mut Link,
        which: Which,
        pending: Pending,
        waits: &mut Vec<Wait>,
    ) {
        let mut subscriptions = std::mem::take(&mut self.subscriptions);
        let most = match which {
            Which::Short(most) => most,
            Which::All | Which::Roster => usize::MAX,
        };
        let chosen = subscriptions.iter_mut().filter(|one| match which {
            Which::All => true,
            Which::Short(_) => one.is_short,
            Which::Roster => one.package == Package::Conference,
        });
        let established = chosen.filter(|one| one.dialog.state == State::Established);
        for Subscription { dialog, package, .. } in established.take(most) {
            dialog.cseq += 1;
            dialog.state = State::Ending;
            dialog.transactions.begin(dialog.cseq, pending);
            let request = match package {
                Package::Conference => Request::Unwatch,
                _ => Request::Unsubscribe(*package),
            };
            self.send_in_dialog(env, link, dialog, request, dialog.cseq);
            waits.push(Wait::Subscription { id: dialog.id, number: dialog.cseq });
        }
        self.subscriptions = subscriptions;
    }

    /// Takes an answer to SUBSCRIBE; false when it answers nothing.
    pub(super) fn subscription_answered(
        &mut self,
        env: &Env,
        message: Message<'_>,
        status: u16,
        events: &mut Vec<Event>,
    ) -> bool {
        let Some(at) = self.subscription_of(message, Name::From) else { return false };
        let Subscription { dialog, package, is_short, watched } = &mut self.subscriptions[at];
        if status < 200 {
            return dialog.transactions.peek(message.cseq()).is_some();
        }
        let Some(pending) = dialog.transactions.finish(message.cseq()) else { return false };
        let mut result = outcome(status);
        if dialog.state == State::Inviting && result.is_ok() {
            if !dialog.establish(message) {
                result = Err(Cause::Protocol);
            } else if *package == Package::Conference {
                // The first notification comes in the answer, as we said we understand.
                match chat(message.body()) {
                    Some(address) => events.push(Event::Chat(address)),
                    None => result = Err(Cause::Protocol),
                }
            } else if *package == Package::Presence && env.settings.dialect == Dialect::Ms {
                let shown = active(&env.settings, message.body());
                let asked = watched.len();
                watched.retain(|number| shown.contains(number));
                if watched.len() < asked {
                    result = Err(Cause::Terminated);
                }
            }
        }
        match dialog.state {
            State::Established if *package != Package::Presence || *is_short => {}
            State::Established => events.push(Event::Watching(watched.clone())),
            State::Inviting | State::Ending => {
                self.subscriptions.remove(at);
            }
        }
        events.push(Event::Finished { pending, result });
        true
    }

    /// The deadline of a SUBSCRIBE has come.
    pub(super) fn subscription_expired(&mut self, id: u32, number: u32) -> Option<Pending> {
        let at = self.subscriptions.binary_search_by_key(&id, |one| one.dialog.id).ok()?;
        let pending = self.subscriptions[at].dialog.transactions.finish(number)?;
        self.subscriptions.remove(at);
        Some(pending)
    }

    /// Reads a notification of one of our subscriptions.
    pub(super) fn notified(&mut self, message: Message<'_>, events: &mut Vec<Event>) {
        let Some(at) = self.subscription_of(message, Name::To) else { return };
        if self.subscriptions[at].package == Package::Presence {
            let short = self.subscriptions[at].is_short;
            let event = if short { Event::NoticedShortly } else { Event::Noticed };
            events.extend(Stamp::read_all(message.body()).map(event));
        }
        let state = message.value(Name::SubscriptionState);
        let ours = self.subscriptions[at].dialog.state == State::Established;
        if ours && state.to_ascii_lowercase().starts_with(b"terminated") {
            let Subscription { is_short, watched, .. } = self.subscriptions.remove(at);
            // Of a short one nobody has been told that it watches.
            events.push(Event::Unwatched(if is_short { Vec::new() } else { watched }));
        }
    }

    /// The subscription that a message belongs to; our tag stands in the header `own`.
    fn subscription_of(&self, message: Message<'_>, own: Name) -> Option<usize> {
        let call_id = message.value(Name::CallId);
        let id = call_id.strip_suffix(self.stem.as_slice())?;
        let id = read_number(id.strip_prefix(b"w")?.strip_suffix(b".")?)?;
        let at =
            self.subscriptions.binary_search_by_key(&id, |one| u64::from(one.dialog.id)).ok()?;
        let own_tag = param_of(message.value(own), "tag");
        self.subscriptions[at].dialog.matches(call_id, own_tag).then_some(at)
    }
}
