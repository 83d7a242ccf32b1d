//! Pager-mode conversations (RFC 3428): messages without a session, gathered into one record for
//! two people until they fall silent.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::base::aor::Aor;
use crate::base::time::{Deadline, Now};

/// One message between two people and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Talk {
    /// Who wrote.
    pub from: Aor,
    /// To whom.
    pub to: Aor,
    /// The final SIP status the writer was told.
    pub status: u16,
}

/// The account of one conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// The one who wrote first.
    pub caller: Aor,
    /// The other one.
    pub callee: Aor,
    /// The first message.
    pub started: Now,
    /// The last message.
    pub last: Now,
    /// Messages accepted, from the caller and from the callee.
    pub messages: [u64; 2],
    /// The status of the last refused message; 0 if none was.
    pub refused: u16,
    /// The name its record goes by.
    pub name: [u8; 16],
}

/// What is to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A conversation began.
    Started(Conversation),
    /// Silence ended it.
    Ended(Conversation),
    /// The end of the server ended it.
    Drained(Conversation),
}

/// The conversations a shard accounts for, by the pair of people, whoever wrote first.
#[derive(Debug)]
pub struct Conversations {
    by_pair: HashMap<(Aor, Aor), Conversation, ahash::RandomState>,
    /// Pairs in the order in which their silence was last found to end.
    queue: VecDeque<(Deadline, (Aor, Aor))>,
    idle: Duration,
    max: usize,
    outputs: VecDeque<Output>,
}

impl Conversations {
    /// No conversation; each ends after `idle` of silence, at most `max` are kept.
    pub fn new(hasher: ahash::RandomState, idle: Duration, max: usize) -> Self {
        Conversations {
            by_pair: HashMap::with_hasher(hasher),
            queue: VecDeque::new(),
            idle,
            max: max.max(1),
            outputs: VecDeque::new(),
        }
    }

    /// Accounts for one message; `name` is for the record if it begins a conversation. At the
    /// bound the conversation that would end next ends now, so its record is kept; `false` says
    /// that happened.
    pub fn handle(&mut self, now: Now, talk: Talk, name: [u8; 16]) -> bool {
        let pair = pair(&talk.from, &talk.to);
        let room = self.by_pair.len() < self.max || self.by_pair.contains_key(&pair);
        if !room {
            self.end_oldest();
        }
        let conversation = match self.by_pair.get_mut(&pair) {
            Some(conversation) => conversation,
            None => {
                self.queue.push_back((now.after(self.idle), pair.clone()));
                let conversation = Conversation {
                    caller: talk.from.clone(),
                    callee: talk.to,
                    started: now,
                    last: now,
                    messages: [0; 2],
                    refused: 0,
                    name,
                };
                self.outputs.push_back(Output::Started(conversation.clone()));
                self.by_pair.entry(pair).or_insert(conversation)
            }
        };
        conversation.last = now;
        if (200..300).contains(&talk.status) {
            let from_callee = talk.from != conversation.caller;
            conversation.messages[usize::from(from_callee)] += 1;
        } else {
            conversation.refused = talk.status;
        }
        room
    }

    /// Ends the conversations whose silence lasted long enough.
    pub fn tick(&mut self, now: Now) {
        while let Some((deadline, pair)) = self.queue.front() {
            if !now.reached(*deadline) {
                break;
            }
            let pair = pair.clone();
            self.queue.pop_front();
            let Some(conversation) = self.by_pair.get(&pair) else { continue };
            let silent_until = conversation.last.after(self.idle);
            if now.reached(silent_until) {
                self.end(&pair);
            } else {
                self.queue.push_back((silent_until, pair));
            }
        }
    }

    /// Ends all of them: the server goes down.
    pub fn drain(&mut self) {
        while let Some((_, pair)) = self.queue.pop_front() {
            if let Some(conversation) = self.by_pair.remove(&pair) {
                self.outputs.push_back(Output::Drained(conversation));
            }
        }
    }

    /// What is to be recorded next.
    pub fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`tick`](Self::tick) has something to look at.
    pub fn next_deadline(&self) -> Option<Deadline> {
        self.queue.front().map(|(deadline, _)| *deadline)
    }

    /// Conversations open now.
    pub fn len(&self) -> usize {
        self.by_pair.len()
    }

    /// True when nobody talks.
    pub fn is_empty(&self) -> bool {
        self.by_pair.is_empty()
    }

    fn end_oldest(&mut self) {
        if let Some((_, pair)) = self.queue.pop_front() {
            self.end(&pair);
        }
    }

    fn end(&mut self, pair: &(Aor, Aor)) {
        if let Some(conversation) = self.by_pair.remove(pair) {
            self.outputs.push_back(Output::Ended(conversation));
        }
    }
}

/// The same pair whoever writes: the smaller address first.
pub fn pair(a: &Aor, b: &Aor) -> (Aor, Aor) {
    if a <= b { (a.clone(), b.clone()) } else { (b.clone(), a.clone()) }
}

#[cfg(any(test, fuzzing))]
#[cfg_attr(fuzzing, allow(dead_code, unused_imports))]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(mono_ms: u64) -> Now {
        Now { mono_ms, unix_ms: mono_ms }
    }

    fn user(n: usize) -> Aor {
        Aor::new(&format!("user{n}@example.test"))
    }

    fn conversations(max: usize) -> Conversations {
        let hasher = ahash::RandomState::with_seeds(1, 2, 3, 4);
        Conversations::new(hasher, Duration::from_secs(600), max)
    }

    fn talk(from: usize, to: usize, status: u16) -> Talk {
        Talk { from: user(from), to: user(to), status }
    }

    #[test]
    fn both_directions_make_one_record() {
        let mut all = conversations(10);
        all.handle(at(0), talk(1, 0, 200), [0; 16]);
        all.handle(at(5), talk(0, 1, 202), [0; 16]);
        all.handle(at(9), talk(1, 0, 480), [0; 16]);
        assert!(matches!(all.next_output(), Some(Output::Started(_))));
        assert_eq!(all.next_output(), None);
        all.tick(at(600_008));
        assert_eq!(all.next_output(), None, "silence counts from the last message");
        all.tick(at(600_009));
        let Some(Output::Ended(ended)) = all.next_output() else { panic!("not ended") };
        assert_eq!((ended.caller, ended.callee), (user(1), user(0)));
        assert_eq!((ended.messages, ended.refused), ([1, 1], 480));
        assert_eq!(ended.last, at(9));
        assert!(all.is_empty() && all.next_deadline().is_none());
    }

    #[test]
    fn at_the_bound_the_oldest_ends_and_keeps_its_record() {
        let mut all = conversations(1);
        assert!(all.handle(at(0), talk(0, 1, 200), [0; 16]));
        assert!(!all.handle(at(1), talk(2, 3, 200), [0; 16]));
        let ended = std::iter::from_fn(|| all.next_output())
            .filter(|output| matches!(output, Output::Ended(_)))
            .count();
        assert_eq!((ended, all.len()), (1, 1));
    }

    /// One message: who writes to whom, the milliseconds before it, and whether it is taken.
    pub type Step = (usize, usize, u64, bool);

    /// Any message.
    pub fn any_step() -> impl Strategy<Value = Step> {
        (0usize..5, 0usize..5, 0u64..400_000, any::<bool>())
    }

    /// Every message that was taken is in exactly one record.
    pub fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
        let mut all = conversations(4);
        let (mut now, mut accepted) = (0, 0);
        let mut seen = Vec::new();
        for (from, to, wait, ok) in steps {
            now += wait;
            all.tick(at(now));
            all.handle(at(now), talk(from, to, if ok { 200 } else { 408 }), [0; 16]);
            accepted += u64::from(ok);
            seen.extend(std::iter::from_fn(|| all.next_output()));
            prop_assert!(all.len() <= 4);
        }
        all.drain();
        seen.extend(std::iter::from_fn(|| all.next_output()));
        let ended: Vec<_> = seen
            .iter()
            .filter_map(|output| match output {
                Output::Ended(conversation) | Output::Drained(conversation) => Some(conversation),
                Output::Started(_) => None,
            })
            .collect();
        prop_assert_eq!(ended.len() * 2, seen.len(), "each that started ended");
        prop_assert_eq!(ended.iter().flat_map(|c| c.messages).sum::<u64>(), accepted);
        prop_assert!(all.is_empty());
        Ok(())
    }

    proptest! {
        #[test]
        fn every_accepted_message_is_in_exactly_one_record(
            steps in prop::collection::vec(any_step(), 0..80)
        ) {
            run(steps)?;
        }
    }
}
