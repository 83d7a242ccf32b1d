//! What is said, and what becomes of it.

use std::sync::Arc;

use bytes::Bytes;

use super::Conference;
use crate::base::aor::Aor;
use crate::base::limits::Limits;
use crate::base::time::{Deadline, Now};
use crate::immcu::conference::input::Reach;
use crate::immcu::conference::member::{Leg, Member};
use crate::immcu::conference::output::{Output, Refusal, Speech};
use crate::immcu::conference::roster::Roster;

impl Conference {
    /// The hot path: allocates what is said once, whatever the number of members.
    pub(super) fn say(
        &mut self,
        now: Now,
        reach: Reach,
        content_type: Bytes,
        body: Bytes,
        limits: &Limits,
    ) {
        let author = match author(&mut self.members, self.over, &reach) {
            Ok(author) => author,
            Err(refusal) => return self.outputs.push_back(Output::Unsaid { reach, refusal }),
        };
        let refusal = if body.len() > limits.conference_message_bytes_max {
            Some(Refusal::TooLong)
        } else if !author.allowance.take(now, limits) {
            Some(Refusal::TooFast)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            return self.outputs.push_back(Output::Unsaid { reach, refusal });
        }
        author.messages += 1;
        self.messages += 1;
        let (number, name) = (self.messages, author.name.clone());
        let author = author.aor.clone();
        let speech = Arc::new(Speech { number, author, name, content_type, body });
        self.outputs.push_back(Output::Said { reach: reach.clone(), number });
        self.outputs.extend(self.recipients.cores(&reach).map(|core| Output::Carry {
            shard: core.shard,
            legs: core.legs,
            except: core.except,
            speech: speech.clone(),
        }));
        self.outputs.extend(
            self.recipients
                .pagers(&reach)
                .map(|to| Output::Page { to: to.clone(), speech: speech.clone() }),
        );
        self.recent.push(now, speech, limits);
        self.reports.push(number, reach, limits);
        self.stir(now, limits);
    }

    /// A notice of typing counts as a message, so that nobody makes the others busy with them; one
    /// too many is not carried.
    pub(super) fn typing(&mut self, now: Now, reach: &Reach, typing: bool, limits: &Limits) {
        let Ok(author) = author(&mut self.members, self.over, reach) else { return };
        if !author.allowance.take(now, limits) {
            return;
        }
        let who = author.aor.clone();
        self.outputs.extend(self.recipients.cores(reach).map(|core| Output::Typing {
            shard: core.shard,
            legs: core.legs,
            except: core.except,
            who: who.clone(),
            typing,
        }));
        self.stir(now, limits);
    }

    /// The author hears of it if the leg on which he said it is still there. What somebody himself
    /// said elsewhere, and what was said before he came, is not reported.
    pub(super) fn undelivered(&mut self, reach: Reach, number: u64, status: u16, limits: &Limits) {
        let Some(to) = self.reports.author(number).cloned() else { return };
        let Some(author) = self.members.at(&to) else { return };
        let Some(recipient) = self.recipient(&reach, number).cloned() else { return };
        if recipient == author.aor {
            return;
        }
        let others = self.members.get(&recipient).into_iter().flat_map(Member::chat_legs);
        let others = others.filter(|leg| leg.reach != reach && leg.opened_after < number);
        let others = others.map(|leg| &leg.reach);
        if self.reports.fail(number, recipient.clone(), reach.clone(), others, limits) {
            self.outputs.push_back(Output::Report { reach: to, number, recipient, status });
        }
    }

    /// Whose leg it is, or was, to which a message was carried when it was said.
    fn recipient(&self, reach: &Reach, number: u64) -> Option<&Aor> {
        let member = self.members.at(reach).filter(|member| {
            member.leg(reach).is_some_and(|leg| leg.is_chat() && leg.opened_after < number)
        });
        member.map(|member| &member.aor).or_else(|| self.reports.gone(reach, number))
    }

    /// Something was said: what is remembered of it has its time.
    fn stir(&mut self, now: Now, limits: &Limits) {
        self.spoken = now;
        if self.forget.is_none() {
            self.forget = Some(silence(now, limits));
        }
    }

    /// When all has been silent for long, nothing of what was said is of use any more.
    pub(super) fn forget(&mut self, now: Now, limits: &Limits) {
        let deadline = silence(self.spoken, limits);
        if now.reached(deadline) {
            self.recent.clear();
            self.reports.clear();
            self.forget = None;
        } else {
            self.forget = Some(deadline);
        }
    }
}

/// Whose leg for messages it is.
fn author<'a>(
    members: &'a mut Roster,
    over: bool,
    reach: &Reach,
) -> Result<&'a mut Member, Refusal> {
    if over {
        return Err(Refusal::Ended);
    }
    members
        .at_mut(reach)
        .filter(|member| member.leg(reach).is_some_and(Leg::is_chat))
        .ok_or(Refusal::NotMember)
}

/// When what was said at `spoken` is neither recent nor still unanswered anywhere.
fn silence(spoken: Now, limits: &Limits) -> Deadline {
    let unanswered = limits.request_timeout.saturating_mul(2);
    spoken.after(limits.conference_recent_time.max(unanswered))
}
