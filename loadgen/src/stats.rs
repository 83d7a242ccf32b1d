//! What happened: latencies of what succeeded, causes of what failed. A failed operation has no
//! latency and never counts among the fast ones.

use crate::clock::Moment;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// TCP connect and, with TLS, the handshake.
    Connect,
    /// From the beginning of the connection to the 200 of REGISTER.
    SignIn,
    /// REGISTER on a connection that is signed in.
    Refresh,
    /// INVITE to its 200; in a conference that of the instant messages.
    Invite,
    /// SERVICE that makes a conference to its 200.
    Create,
    /// INVITE of a conference's focus to its 200.
    Focus,
    /// From the INVITE of a conference's focus to the 200 that lets the member write.
    Join,
    /// MESSAGE to its 2xx.
    Message,
    /// MESSAGE to its arrival at the other user, or at one of the other members.
    Delivery,
    /// SUBSCRIBE to its 2xx.
    Subscribe,
    /// SUBSCRIBE to a user's own data, or for what the server has for clients, to its 2xx.
    OwnData,
    /// SUBSCRIBE of a subscription that ends soon, to its 2xx.
    ShortSubscribe,
    /// SUBSCRIBE without a life to the 2xx with the documents asked for.
    Poll,
    /// SERVICE that searches the directory to its 2xx.
    Search,
    /// INFO that somebody is typing to its 2xx.
    Typing,
    /// SERVICE or PUBLISH with a new state to its 2xx.
    Publish,
    /// SERVICE or PUBLISH to the arrival of its state at one watcher.
    Notify,
    /// The same to the arrival at one watcher by a subscription that ends soon.
    ShortNotify,
    /// SUBSCRIBE with Expires: 0.
    Unsubscribe,
    /// PUBLISH with Expires: 0.
    Unpublish,
    /// BYE to its 2xx.
    Bye,
    /// REGISTER with Expires: 0.
    SignOut,
    /// A signed-in connection that lasts until we close it.
    Hold,
}

impl Operation {
    /// All of them, in the order of the report.
    pub const ALL: [Operation; 23] = [
        Operation::Connect,
        Operation::SignIn,
        Operation::Refresh,
        Operation::Create,
        Operation::Focus,
        Operation::Invite,
        Operation::Join,
        Operation::Typing,
        Operation::Message,
        Operation::Delivery,
        Operation::OwnData,
        Operation::Subscribe,
        Operation::ShortSubscribe,
        Operation::Poll,
        Operation::Search,
        Operation::Publish,
        Operation::Notify,
        Operation::ShortNotify,
        Operation::Unsubscribe,
        Operation::Unpublish,
        Operation::Bye,
        Operation::SignOut,
        Operation::Hold,
    ];

    /// Name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Operation::Connect => "connect",
            Operation::SignIn => "sign_in",
            Operation::Refresh => "refresh",
            Operation::Invite => "invite",
            Operation::Create => "create",
            Operation::Focus => "focus",
            Operation::Join => "join",
            Operation::Message => "message",
            Operation::Delivery => "delivery",
            Operation::OwnData => "own_data",
            Operation::Subscribe => "subscribe",
            Operation::ShortSubscribe => "short_sub",
            Operation::Poll => "poll",
            Operation::Search => "search",
            Operation::Typing => "typing",
            Operation::Publish => "publish",
            Operation::Notify => "notify",
            Operation::ShortNotify => "short_state",
            Operation::Unsubscribe => "unsubscribe",
            Operation::Unpublish => "unpublish",
            Operation::Bye => "bye",
            Operation::SignOut => "sign_out",
            Operation::Hold => "hold",
        }
    }
}

/// Why an operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The password was refused, or the challenge could not be answered.
    Auth,
    /// No TCP connection.
    Connect,
    /// The connection went away before the answer.
    Disconnected,
    /// The answer to a poll does not show all users asked for.
    Incomplete,
    /// A message's Ms-Sender is not its author.
    Misattributed,
    /// A message reached somebody it was not for: its author, or another conference.
    Misdelivered,
    /// Nobody to send to: the session or the connection was lost earlier.
    NoSession,
    /// The generator held back: no free user, or too much is waiting to be sent.
    Overrun,
    /// The server sent something that is not SIP, or an answer that lacks what it needs.
    Protocol,
    /// The conference service answered with a failure.
    Refused,
    /// A state was never seen by a watcher, although the next one was published much later than
    /// a server may hold changes back to merge them.
    Skipped,
    /// A state arrived after a newer one of the same user.
    Stale,
    /// A final answer that is not 2xx.
    Status(u16),
    /// The server ended a membership or a subscription, or did not begin to watch one of the users asked for.
    Terminated,
    /// No answer in time.
    Timeout,
    /// The TLS handshake failed.
    Tls,
    /// Answered 2xx but never arrived.
    Undelivered,
}

impl fmt::Display for Cause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Auth => out.write_str("auth"),
            Cause::Connect => out.write_str("connect"),
            Cause::Disconnected => out.write_str("disconnected"),
            Cause::Incomplete => out.write_str("incomplete"),
            Cause::Misattributed => out.write_str("misattributed"),
            Cause::Misdelivered => out.write_str("misdelivered"),
            Cause::NoSession => out.write_str("no session"),
            Cause::Overrun => out.write_str("overrun"),
            Cause::Protocol => out.write_str("protocol"),
            Cause::Refused => out.write_str("refused"),
            Cause::Skipped => out.write_str("skipped"),
            Cause::Stale => out.write_str("stale"),
            Cause::Status(code) => write!(out, "status {code}"),
            Cause::Terminated => out.write_str("terminated"),
            Cause::Timeout => out.write_str("timeout"),
            Cause::Tls => out.write_str("tls"),
            Cause::Undelivered => out.write_str("undelivered"),
        }
    }
}

/// Latencies in microseconds: 1 µs to 10 minutes with three significant digits.
pub fn latencies() -> Histogram<u64> {
    match Histogram::new_with_bounds(1, 600_000_000, 3) {
        Ok(histogram) => histogram,
        Err(_) => unreachable!("constant bounds"),
    }
}

/// Tally of one operation.
#[derive(Clone, Debug)]
pub struct Tally {
    /// How many succeeded.
    pub succeeded: u64,
    /// How many failed, by cause.
    pub failures: BTreeMap<Cause, u64>,
    /// Latencies of those that succeeded, in microseconds.
    pub latency: Histogram<u64>,
    /// When the first that succeeded began and the last one ended.
    pub span: Option<(Moment, Moment)>,
    /// How many succeeded while the window was open, whenever they began: what the server's work
    /// in the window is divided by.
    pub completed_in_window: u64,
}

impl Tally {
    fn new() -> Self {
        Tally {
            succeeded: 0,
            failures: BTreeMap::new(),
            latency: latencies(),
            span: None,
            completed_in_window: 0,
        }
    }

    /// How many failed, of any cause.
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    fn merge(&mut self, other: &Tally) {
        self.succeeded += other.succeeded;
        self.completed_in_window += other.completed_in_window;
        for (&cause, &count) in &other.failures {
            *self.failures.entry(cause).or_default() += count;
        }
        // Same bounds on both sides: cannot fail.
        let _ = self.latency.add(&other.latency);
        if let Some((since, until)) = other.span {
            self.stretch(since, until);
        }
    }

    fn stretch(&mut self, since: Moment, until: Moment) {
        let (first, last) = self.span.unwrap_or((since, until));
        self.span = Some((first.min(since), last.max(until)));
    }
}

/// Things seen that are neither a success nor a failure of an operation of ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Seen {
    /// Requests received that were answered 2xx.
    pub requests_answered: u64,
    /// Requests received that were answered 481 or another refusal.
    pub requests_refused: u64,
    /// Answers to nothing that was outstanding.
    pub stray_answers: u64,
    /// Messages, or states of a user at a watcher, that arrived twice.
    pub duplicates: u64,
    /// States that a watcher never saw because the next one followed within a second: servers
    /// hold changes back for a while and send only the last.
    pub merged: u64,
    /// Messages that arrived after a later one of the same pair, or of the same member.
    pub reordered: u64,
    /// Delivery reports for members of a conference.
    pub reports: u64,
    /// Silent members whose connection or session the server ended.
    pub dropped: u64,
}

impl Seen {
    fn merge(&mut self, other: &Seen) {
        self.requests_answered += other.requests_answered;
        self.requests_refused += other.requests_refused;
        self.stray_answers += other.stray_answers;
        self.duplicates += other.duplicates;
        self.merged += other.merged;
        self.reordered += other.reordered;
        self.reports += other.reports;
        self.dropped += other.dropped;
    }
}

/// Everything one thread counted since it last reported, or a whole run's sum.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    tallies: BTreeMap<Operation, Tally>,
    /// How late this program was: from the intended moment to the handing over for sending, in
    /// microseconds. Part of every open-loop latency.
    pub lag: Option<Histogram<u64>>,
    /// First text seen for a cause.
    pub examples: BTreeMap<Cause, String>,
    /// Other observations.
    pub seen: Seen,
}

impl Stats {
    /// The tally of an operation, once it occurred.
    pub fn tally(&self, operation: Operation) -> Option<&Tally> {
        self.tallies.get(&operation)
    }

    /// All tallies in the order of the report.
    pub fn tallies(&self) -> impl Iterator<Item = (Operation, &Tally)> {
        self.tallies.iter().map(|(&operation, tally)| (operation, tally))
    }

    /// Counts a success that took from `since` to `now`.
    pub fn succeed(&mut self, operation: Operation, since: Moment, now: Moment) {
        let tally = self.of(operation);
        tally.succeeded += 1;
        tally.latency.saturating_record(micros(now.since(since)));
        tally.stretch(since, now);
    }

    /// Counts a success without a duration.
    pub fn succeed_untimed(&mut self, operation: Operation) {
        self.of(operation).succeeded += 1;
    }

    /// Counts a failure.
    pub fn fail(&mut self, operation: Operation, cause: Cause, times: u64) {
        if times > 0 {
            *self.of(operation).failures.entry(cause).or_default() += times;
        }
    }

    /// Counts a success that ended while the window was open.
    pub fn complete_in_window(&mut self, operation: Operation) {
        self.of(operation).completed_in_window += 1;
    }

    /// Records how late this program was.
    pub fn lag(&mut self, lag: Duration) {
        self.lag.get_or_insert_with(latencies).saturating_record(micros(lag));
    }

    /// Keeps the first text for a cause.
    pub fn example(&mut self, cause: Cause, text: impl FnOnce() -> String) {
        self.examples.entry(cause).or_insert_with(text);
    }

    /// Adds another thread's or interval's counts.
    pub fn merge(&mut self, other: &Stats) {
        for (&operation, tally) in &other.tallies {
            self.of(operation).merge(tally);
        }
        if let Some(lag) = &other.lag {
            // Same bounds on both sides: cannot fail.
            let _ = self.lag.get_or_insert_with(latencies).add(lag);
        }
        for (&cause, text) in &other.examples {
            self.example(cause, || text.clone());
        }
        self.seen.merge(&other.seen);
    }

    /// Failures of all operations.
    pub fn failed(&self) -> u64 {
        self.tallies.values().map(Tally::failed).sum()
    }

    /// Successes and failures of all operations.
    pub fn attempted(&self) -> u64 {
        self.tallies.values().map(|tally| tally.succeeded + tally.failed()).sum()
    }

    fn of(&mut self, operation: Operation) -> &mut Tally {
        self.tallies.entry(operation).or_insert_with(Tally::new)
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_has_no_latency() {
        let mut stats = Stats::default();
        stats.succeed(Operation::Message, Moment(0), Moment(5_000_000));
        stats.fail(Operation::Message, Cause::Status(500), 3);
        let tally = stats.tally(Operation::Message).unwrap();
        assert_eq!((tally.succeeded, tally.failed(), tally.latency.len()), (1, 3, 1));
        assert!((5_000..=5_003).contains(&tally.latency.max()));
    }

    #[test]
    fn merging_adds_everything_and_keeps_the_first_example() {
        let (mut one, mut two) = (Stats::default(), Stats::default());
        one.example(Cause::Tls, || "first".into());
        two.example(Cause::Tls, || "second".into());
        for stats in [&mut one, &mut two] {
            stats.fail(Operation::SignIn, Cause::Tls, 2);
            stats.succeed(Operation::Connect, Moment(0), Moment(1));
            stats.lag(Duration::from_micros(7));
            stats.seen.duplicates += 1;
        }
        one.merge(&two);
        assert_eq!(one.failed(), 4);
        assert_eq!(one.attempted(), 6);
        assert_eq!(one.examples[&Cause::Tls], "first");
        assert_eq!(one.lag.unwrap().len(), 2);
        assert_eq!(one.seen.duplicates, 2);
    }
}
