//! A conference to try things on, and what it does in short words.

use std::time::Duration;

use bytes::Bytes;

use crate::base::aor::Aor;
use crate::base::ids::{ConferenceId, LegId, ShardId, Slot, SubscriptionId};
use crate::base::limits::Limits;
use crate::base::time::Now;
use crate::immcu::conference::*;

pub const BORN_UNIX_MS: u64 = 1_700_000_000_000;

pub fn user(name: &str) -> Aor {
    Aor::new(&format!("{name}@example.test"))
}

/// A leg; its core is the number before the comma.
pub fn leg(core: u16, index: u32) -> Reach {
    Reach::Leg(LegId::new(ShardId(core), Slot { index, generation: 1 }))
}

pub fn pager(name: &str) -> Reach {
    Reach::Pager(user(name))
}

pub fn subscription(core: u16, index: u32) -> SubscriptionId {
    SubscriptionId::new(ShardId(core), Slot { index, generation: 1 })
}

/// An ad-hoc conference of alice that is open to the enterprise.
pub fn description() -> Description {
    Description {
        id: ConferenceId(0xC0),
        organiser: user("alice"),
        organiser_name: "Alice".into(),
        subject: "".into(),
        admission: Admission::OpenAuthenticated,
        lobby: false,
        locked: false,
        expires_unix_ms: BORN_UNIX_MS + 8 * 3_600_000,
        scheduled: false,
        invited: [].into(),
    }
}

/// One that survives, for two days.
pub fn scheduled() -> Description {
    let expires_unix_ms = BORN_UNIX_MS + 48 * 3_600_000;
    Description { scheduled: true, expires_unix_ms, ..description() }
}

pub struct Stage {
    pub conference: Conference,
    pub limits: Limits,
    pub now: Now,
}

impl Stage {
    pub fn new(description: Description) -> Self {
        Stage::with(description, Limits::default())
    }

    pub fn with(description: Description, limits: Limits) -> Self {
        let now = Now { mono_ms: 5_000, unix_ms: BORN_UNIX_MS };
        Stage { conference: Conference::new(now, description, &limits), limits, now }
    }

    /// What an input brings about.
    pub fn take(&mut self, input: Input) -> Vec<Output> {
        self.conference.handle(self.now, input, &self.limits);
        self.conference.check_invariants(&self.limits);
        std::iter::from_fn(|| self.conference.next_output()).collect()
    }

    /// The same in short words.
    pub fn hear(&mut self, input: Input) -> Vec<String> {
        self.take(input).iter().map(words).collect()
    }

    pub fn pass(&mut self, time: Duration) {
        self.now = self.now.plus(time);
    }

    /// Time passes, and the caller wakes the conference when it asks for it.
    pub fn sleep(&mut self, time: Duration) -> Vec<String> {
        let until = self.now.plus(time);
        let mut heard = Vec::new();
        while let Some(due) = self.conference.next_deadline().filter(|due| until.reached(*due)) {
            self.pass(Duration::from_millis(due.0.saturating_sub(self.now.mono_ms)));
            heard.extend(self.hear(Input::Tick));
        }
        self.now = until;
        heard
    }

    pub fn join(&mut self, name: &str, reach: Reach, kind: LegKind) -> Vec<String> {
        self.join_as(name, reach, kind, Relation::Enterprise)
    }

    pub fn join_as(
        &mut self,
        name: &str,
        reach: Reach,
        kind: LegKind,
        relation: Relation,
    ) -> Vec<String> {
        self.hear(Input::Join(join(name, reach, kind, relation)))
    }

    /// Joins on a chat leg alone, as a standard client does.
    pub fn chat(&mut self, name: &str, reach: Reach) -> Vec<String> {
        self.join(name, reach, LegKind::Chat)
    }

    pub fn focus(&mut self, name: &str, reach: Reach) -> Vec<String> {
        self.join(name, reach, LegKind::Focus)
    }

    pub fn leave(&mut self, reach: Reach) -> Vec<String> {
        self.hear(Input::Left { reach, how: Leaving::Bye })
    }

    pub fn say(&mut self, reach: Reach, text: &str) -> Vec<String> {
        self.hear(say(reach, text))
    }

    pub fn fail(&mut self, reach: Reach, number: u64) -> Vec<String> {
        self.hear(Input::Undelivered { reach, number, status: 408 })
    }

    pub fn command(&mut self, by: &str, command: Command) -> Vec<String> {
        self.hear(Input::Command { by: Some(user(by)), command })
    }

    pub fn operator(&mut self, command: Command) -> Vec<String> {
        self.hear(Input::Command { by: None, command })
    }

    pub fn watch(&mut self, name: &str, subscription: SubscriptionId) -> Vec<String> {
        self.watch_as(name, subscription, Relation::Enterprise)
    }

    pub fn watch_as(
        &mut self,
        name: &str,
        subscription: SubscriptionId,
        relation: Relation,
    ) -> Vec<String> {
        self.hear(Input::Watch { subscription, by: user(name), relation, poll: false })
    }

    pub fn poll(&mut self, name: &str, subscription: SubscriptionId) -> Vec<String> {
        let relation = Relation::Enterprise;
        self.hear(Input::Watch { subscription, by: user(name), relation, poll: true })
    }

    /// Who is in, in the order of joining.
    pub fn names(&self) -> Vec<&str> {
        self.conference.members().map(|member| member.aor.user()).collect()
    }

    /// Who waits.
    pub fn waiting(&self) -> Vec<&str> {
        self.conference.waiting().map(|member| member.aor.user()).collect()
    }
}

pub fn join(name: &str, reach: Reach, kind: LegKind, relation: Relation) -> Join {
    Join {
        reach,
        who: user(name),
        name: name.into(),
        relation,
        kind,
        endpoint: "".into(),
        accepts: Accepts::default(),
    }
}

pub fn say(reach: Reach, text: &str) -> Input {
    Input::Say {
        reach,
        content_type: Bytes::from_static(b"text/plain"),
        body: Bytes::copy_from_slice(text.as_bytes()),
    }
}

/// An output in short words: legs and subscriptions by core and index, people by their names.
pub fn words(output: &Output) -> String {
    match output {
        Output::Joined { reach } => format!("joined {}", place(reach)),
        Output::Waiting { reach } => format!("waiting {}", place(reach)),
        Output::Refused { reach, refusal } => format!("refused {} {refusal:?}", place(reach)),
        Output::Done => "done".into(),
        Output::Forbidden(refusal) => format!("forbidden {refusal:?}"),
        Output::Seen { subscription, .. } => format!("seen {}", id(*subscription)),
        Output::Unseen { subscription, refusal } => {
            format!("unseen {} {refusal:?}", id(*subscription))
        }
        Output::Said { reach, number } => format!("said {} #{number}", place(reach)),
        Output::Unsaid { reach, refusal } => format!("unsaid {} {refusal:?}", place(reach)),
        Output::Carry { shard, legs, except, speech } => {
            format!("carry {}: {}", carried(*shard, legs, *except), spoken(speech))
        }
        Output::Page { to, speech } => format!("page {}: {}", to.user(), spoken(speech)),
        Output::Typing { shard, legs, except, who, typing } => {
            let what = if *typing { "types" } else { "rests" };
            format!("typing {}: {} {what}", carried(*shard, legs, *except), who.user())
        }
        Output::Recall { reach, speech } => format!("recall {}: {}", place(reach), spoken(speech)),
        Output::Report { reach, number, recipient, status } => {
            format!("report {}: #{number} not to {} {status}", place(reach), recipient.user())
        }
        Output::Tell { version, change, subscriptions } => {
            let to = subscriptions.iter().map(|one| id(*one)).collect::<Vec<_>>().join(" ");
            let what = match change {
                Change::Members(members) => {
                    members.iter().map(|one| one.user()).collect::<Vec<_>>().join(" ")
                }
                other => format!("{other:?}"),
            };
            format!("tell v{version} to {to}: {what}")
        }
        Output::Release { reach, why } => format!("release {} {why:?}", place(reach)),
        Output::Dismiss { subscription } => format!("dismiss {}", id(*subscription)),
        Output::Invited { who } => format!("invited {}", who.user()),
        Output::Changed => "changed".into(),
        Output::Started => "started".into(),
        Output::Entered { who, role } => format!("entered {} {role:?}", who.user()),
        Output::Departed { who, messages, how } => {
            format!("departed {} after {messages} {how:?}", who.user())
        }
        Output::Ended(ending) => format!("ended {ending:?}"),
    }
}

fn carried(shard: ShardId, legs: &[Slot], except: Option<Slot>) -> String {
    let legs = legs.iter().map(|slot| slot.index.to_string()).collect::<Vec<_>>().join(" ");
    match except {
        Some(except) => format!("{shard} [{legs}] but {}", except.index),
        None => format!("{shard} [{legs}]"),
    }
}

fn spoken(speech: &Speech) -> String {
    let text = String::from_utf8_lossy(&speech.body);
    format!("#{} {} {text}", speech.number, speech.author.user())
}

fn place(reach: &Reach) -> String {
    match reach {
        Reach::Leg(leg) => format!("{}.{}", leg.shard, leg.slot.index),
        Reach::Pager(aor) => aor.user().into(),
    }
}

fn id(subscription: SubscriptionId) -> String {
    format!("{}.{}", subscription.shard, subscription.slot.index)
}
