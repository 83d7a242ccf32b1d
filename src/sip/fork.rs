//! The response context of a request forwarded to several endpoints (RFC 3261 section 16.7):
//! which of their answers the caller sees, and when the others are told to stop.

use std::collections::VecDeque;

use super::client_transaction::{self as client, ClientTransaction, Notice, OwnRequest};
use super::kind::Kind;
use crate::base::limits::Limits;
use crate::base::time::{Deadline, Now};

/// Status of a request none of whose endpoints could be reached.
const TEMPORARILY_UNAVAILABLE: u16 = 480;
/// Status of a request an endpoint did not answer in time.
const REQUEST_TIMEOUT: u16 = 408;
/// Status of a request its caller cancelled.
const REQUEST_TERMINATED: u16 = 487;
const SERVICE_UNAVAILABLE: u16 = 503;
const SERVER_INTERNAL_ERROR: u16 = 500;

/// What happens to a fork. Branches are numbered from 0 in the order they were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A response of an endpoint.
    Response {
        /// The branch.
        branch: usize,
        /// 100 to 699.
        status: u16,
    },
    /// The connection to an endpoint is gone.
    Lost {
        /// The branch.
        branch: usize,
    },
    /// The caller wants no answer any more, but does get 487 or what crosses his CANCEL.
    Cancel,
    /// The caller's connection is gone: nobody gets an answer.
    CallerLost,
    /// [`Fork::next_deadline`] may have been reached.
    Deadline,
}

/// Where the final answer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A branch: a 2xx just came from it, any other is the one last held.
    Branch(usize),
    /// None of them: we make the answer up.
    Own,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send the response that just came to the caller: 101 to 199.
    Provisional {
        /// The branch it came from.
        branch: usize,
        /// Its status.
        status: u16,
    },
    /// Keep the response that just came, in place of the one kept before: it is the best so far.
    Hold {
        /// The branch it came from.
        branch: usize,
    },
    /// Send the final answer to the caller. Comes once, or never when the caller is lost.
    Final {
        /// Where it comes from.
        from: Source,
        /// Its status; not always that of the response (503 becomes 500).
        status: u16,
    },
    /// Send a CANCEL to an endpoint.
    Cancel {
        /// The branch.
        branch: usize,
    },
    /// Acknowledge the response that just came, which is not 2xx.
    Ack {
        /// The branch.
        branch: usize,
    },
    /// A 2xx to an INVITE came that the caller will not see: acknowledge it and end the dialog it
    /// made with BYE.
    Late2xx {
        /// The branch.
        branch: usize,
    },
}

/// A request on its way to several endpoints.
#[derive(Clone, Debug)]
pub struct Fork {
    kind: Kind,
    branches: Vec<ClientTransaction>,
    caller: Caller,
    /// The caller sent CANCEL.
    cancelled: bool,
    best: Option<Best>,
    outputs: VecDeque<Output>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    Waits,
    Answered,
    Lost,
}

#[derive(Clone, Copy, Debug)]
struct Best {
    from: Source,
    status: u16,
}

impl Fork {
    /// A request that goes out at `now` to as many endpoints as there are `branches`. With none
    /// the caller is answered at once.
    pub fn new(now: Now, kind: Kind, branches: usize, limits: &Limits) -> Self {
        let mut fork = Fork {
            kind,
            branches: vec![ClientTransaction::new(now, kind, limits); branches],
            caller: Caller::Waits,
            cancelled: false,
            best: None,
            outputs: VecDeque::new(),
        };
        fork.conclude();
        fork
    }

    /// Takes one input at the time `now`. Afterwards [`Fork::next_output`] is to be drained.
    pub fn handle(&mut self, now: Now, input: Input, limits: &Limits) {
        match input {
            Input::Response { branch, status } => {
                self.step(now, branch, client::Input::Response(status), limits);
            }
            Input::Lost { branch } => {
                self.step(now, branch, client::Input::ConnectionLost, limits);
            }
            Input::Cancel => {
                self.cancelled |= self.kind == Kind::Invite;
                self.cancel_all(now, limits);
            }
            Input::CallerLost => {
                if self.caller == Caller::Waits {
                    self.caller = Caller::Lost;
                    self.cancel_all(now, limits);
                }
            }
            Input::Deadline => {
                for branch in 0..self.branches.len() {
                    self.step(now, branch, client::Input::Deadline, limits);
                }
            }
        }
        self.conclude();
        self.check_invariants();
    }

    /// The next thing to be done; `None` when all is.
    pub fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When it wants [`Input::Deadline`].
    pub fn next_deadline(&self) -> Option<Deadline> {
        self.branches.iter().filter_map(ClientTransaction::next_deadline).min()
    }

    /// True when every branch has ended and the caller, if he is there, was answered: once the
    /// outputs are drained it may be forgotten.
    pub fn is_finished(&self) -> bool {
        self.caller != Caller::Waits && self.branches.iter().all(ClientTransaction::is_ended)
    }

    /// True while the caller waits for the final answer.
    pub fn is_waiting(&self) -> bool {
        self.caller == Caller::Waits
    }

    /// Panics when it breaks a rule of its own. Does nothing in release builds.
    pub fn check_invariants(&self) {
        debug_assert!(self.is_finished() || self.next_deadline().is_some());
    }

    fn step(&mut self, now: Now, branch: usize, input: client::Input, limits: &Limits) {
        let Some(transaction) = self.branches.get_mut(branch) else { return };
        let step = transaction.handle(now, input, limits);
        match step.send {
            Some(OwnRequest::Ack) => self.outputs.push_back(Output::Ack { branch }),
            Some(OwnRequest::Cancel) => self.outputs.push_back(Output::Cancel { branch }),
            None => {}
        }
        match step.notice {
            Some(Notice::Provisional(status)) => self.provisional(branch, status),
            Some(Notice::Final(status @ 200..=299)) => self.accepted(now, branch, status, limits),
            Some(Notice::Final(status)) => self.refused(now, branch, status, limits),
            Some(Notice::TimedOut) => self.consider(Source::Own, REQUEST_TIMEOUT),
            Some(Notice::Lost) => self.consider(Source::Own, TEMPORARILY_UNAVAILABLE),
            None => {}
        }
    }

    /// A 100 says only that the next hop has the request.
    fn provisional(&mut self, branch: usize, status: u16) {
        if status > 100 && self.caller == Caller::Waits {
            self.outputs.push_back(Output::Provisional { branch, status });
        }
    }

    fn accepted(&mut self, now: Now, branch: usize, status: u16, limits: &Limits) {
        if self.caller == Caller::Waits {
            self.answer(Source::Branch(branch), status);
            self.cancel_all(now, limits);
        } else if self.kind == Kind::Invite {
            self.outputs.push_back(Output::Late2xx { branch });
        }
    }

    /// A 6xx speaks for all endpoints, yet one that has accepted already still wins.
    fn refused(&mut self, now: Now, branch: usize, status: u16, limits: &Limits) {
        self.consider(Source::Branch(branch), status);
        if status >= 600 {
            self.cancel_all(now, limits);
        }
    }

    fn consider(&mut self, from: Source, status: u16) {
        if self.caller != Caller::Waits {
            return;
        }
        let better = self
            .best
            .is_none_or(|best| preference(from, status) < preference(best.from, best.status));
        if better {
            self.best = Some(Best { from, status });
            if let Source::Branch(branch) = from {
                self.outputs.push_back(Output::Hold { branch });
            }
        }
    }

    fn cancel_all(&mut self, now: Now, limits: &Limits) {
        for branch in 0..self.branches.len() {
            self.step(now, branch, client::Input::Cancel, limits);
        }
    }

    /// Answers the caller once nothing better can come.
    fn conclude(&mut self) {
        if self.caller != Caller::Waits || !self.branches.iter().all(ClientTransaction::is_ended) {
            return;
        }
        match self.best {
            None | Some(Best { from: Source::Own, .. }) if self.cancelled => {
                self.answer(Source::Own, REQUEST_TERMINATED);
            }
            None => self.answer(Source::Own, TEMPORARILY_UNAVAILABLE),
            // One endpoint that is overloaded does not mean that we are (section 16.7 step 6).
            Some(Best { status: SERVICE_UNAVAILABLE, .. }) => {
                self.answer(Source::Own, SERVER_INTERNAL_ERROR);
            }
            Some(best) => self.answer(best.from, best.status),
        }
    }

    fn answer(&mut self, from: Source, status: u16) {
        self.caller = Caller::Answered;
        self.outputs.push_back(Output::Final { from, status });
    }
}

/// Orders final answers other than 2xx, the best first (RFC 3261 section 16.7 step 6): 6xx, then
/// the lowest class; in it, those the caller can do something about, and last those that say
/// least: what we made up, and 503. Of equals the first to come wins.
fn preference(from: Source, status: u16) -> (u16, u8) {
    let class = if status >= 600 { 0 } else { status / 100 };
    let within = match (from, status) {
        (Source::Own, _) | (_, SERVICE_UNAVAILABLE) => 2,
        (_, 401 | 407 | 415 | 420 | 484) => 0,
        _ => 1,
    };
    (class, within)
}

#[cfg(test)]
mod tests;
