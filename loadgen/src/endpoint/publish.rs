//! How an endpoint publishes its own state.

use super::incoming::outcome;
use super::{Endpoint, Env, Wait};
use crate::link::Link;
use crate::publication::Publications;
use crate::scan::Message;
use crate::settings::Dialect;
use crate::stamp::Stamp;
use crate::stats::{Cause, Operation};
use crate::transactions::Pending;

impl Endpoint {
    /// Publishes a state that carries `stamp`. One publication at a time: the next needs the
    /// version or the entity tag that the answer gives.
    pub fn publish(
        &mut self,
        env: &mut Env,
        link: &mut Link,
        stamp: &Stamp,
    ) -> Result<Wait, Cause> {
        let waits = |number| self.pager.peek(number).is_some();
        if self.publications.last.is_some_and(waits) {
            return Err(Cause::Overrun);
        }
        let pending = Pending { operation: Operation::Publish, intended: stamp.intended };
        let number = self.begin_alone(pending);
        self.publications.last = Some(number);
        env.text.body.clear();
        env.text.if_match.clear();
        match env.settings.dialect {
            Dialect::Ms => {
                let epid = &self.identity.epid;
                self.publications.write_categories(epid, env.state, stamp, &mut env.text.body);
            }
            Dialect::Simple => {
                let person = &self.identity.epid;
                self.publications.write_condition(&mut env.text.if_match);
                self.publications.write_person(person, stamp, &mut env.text.body);
            }
        }
        self.send_publish(env, link, number, false);
        Ok(Wait::Pager { number })
    }

    /// Takes back what would outlive the connection; `None` when there is nothing.
    pub fn unpublish(&mut self, env: &mut Env, link: &mut Link, pending: Pending) -> Option<Wait> {
        let Env { text, templates, .. } = env;
        text.if_match.clear();
        self.publications.write_condition(&mut text.if_match);
        if text.if_match.is_empty() || templates.unpublish.is_none() {
            return None;
        }
        let number = self.begin_alone(pending);
        self.publications = Publications::default();
        self.send_publish(env, link, number, true);
        Some(Wait::Pager { number })
    }

    /// What the answer to a publication comes to.
    pub(super) fn publish_answered(
        &mut self,
        operation: Operation,
        message: Message<'_>,
        status: u16,
    ) -> Result<(), Cause> {
        if operation == Operation::Unpublish {
            return outcome(status);
        }
        let known = self.publications.answered(&self.identity.epid, message, status);
        outcome(status).and(known.then_some(()).ok_or(Cause::Protocol))
    }
}
