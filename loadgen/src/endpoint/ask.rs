//! What an endpoint asks for once: documents of users, what the server has for its clients, users
//! of the directory; and that its user is typing.

use super::compose::{Question, Request};
use super::incoming::outcome;
use super::{Endpoint, Env, Wait};
use crate::link::Link;
use crate::markup::tags;
use crate::scan::Message;
use crate::stats::{Cause, Operation};
use crate::transactions::Pending;

impl Endpoint {
    /// Asks for the documents of users, by their numbers, in one batch.
    pub fn poll(
        &mut self,
        env: &mut Env,
        link: &mut Link,
        users: &[u32],
        pending: Pending,
    ) -> Wait {
        env.text.body.clear();
        env.name_resources(users);
        let asked = u32::try_from(users.len()).unwrap_or(u32::MAX);
        self.polls.push((self.pager_count + 1, asked));
        self.question(env, link, Question::Poll, pending)
    }

    /// Asks for what the server has for its clients.
    pub fn provision(&mut self, env: &mut Env, link: &mut Link, pending: Pending) -> Wait {
        env.text.body.clear();
        self.question(env, link, Question::Provisioning, pending)
    }

    /// Looks up to `results_max` users of the directory up whose name begins with `name`, which
    /// holds nothing that XML writes otherwise.
    pub fn search(
        &mut self,
        env: &mut Env,
        link: &mut Link,
        (name, results_max): (&str, u32),
        pending: Pending,
    ) -> Wait {
        let body = format!(
            "<m:maxResults>{results_max}</m:maxResults></m:directorySearch>\
             <m:Array m:id=\"searchArray\"><m:row m:attrib=\"displayName\" m:value=\"{name}\"/>"
        );
        env.text.body.clear();
        env.text.body.extend_from_slice(body.as_bytes());
        self.question(env, link, Question::Search, pending)
    }

    fn question(
        &mut self,
        env: &mut Env,
        link: &mut Link,
        question: Question,
        pending: Pending,
    ) -> Wait {
        let number = self.begin_alone(pending);
        self.ask(env, link, question, number);
        Wait::Pager { number }
    }

    /// What the answer to one of those comes to.
    pub(super) fn question_answered(
        &mut self,
        operation: Operation,
        message: Message<'_>,
        status: u16,
    ) -> Result<(), Cause> {
        let at = self.polls.iter().position(|(poll, _)| *poll == message.cseq());
        let asked = at.map(|at| self.polls.swap_remove(at).1);
        let complete = match (operation, asked) {
            (Operation::Search, _) => {
                let answered = tags(message.body()).any(|(name, _)| name == b"returned");
                if answered { Ok(()) } else { Err(Cause::Protocol) }
            }
            (_, Some(asked)) => {
                let shown = tags(message.body()).filter(|(name, _)| *name == b"instance").count();
                if shown as u64 >= u64::from(asked) { Ok(()) } else { Err(Cause::Incomplete) }
            }
            (_, None) => Ok(()),
        };
        outcome(status).and(complete)
    }

    /// Says in the session that is established that its user is typing; `None` when there is none.
    pub fn typing(
        &mut self,
        env: &mut Env,
        link: &mut Link,
        pending: Pending,
    ) -> Option<Result<Wait, Cause>> {
        self.send_in_session(env, link, Request::Typing, pending)
    }
}
