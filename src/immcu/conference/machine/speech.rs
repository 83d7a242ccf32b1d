//! What is said, and what becomes of it.

use std::sync::Arc;

use bytes::Bytes;

use super::Conference;
use crate::base::limits::Limits;
use crate::base::time::{Deadline, Now};
use crate::immcu::conference::input::{LegKind, Reach};
use crate::immcu::conference::member::Member;
use crate::immcu::conference::output::{Output, Refusal, Speech};
use crate::immcu::conference::reports::Recipient;
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
        self.spoken = now;
        self.recent.push(now, speech, limits);
        self.reports.push(number, reach, limits);
        if self.forget.is_none() {
            self.forget = Some(silence(now, limits));
        }
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
    }

    /// The author hears of it if the leg on which he said it is still there. What somebody himself
    /// said elsewhere, and what was said before he came, is not reported.
    pub(super) fn undelivered(&mut self, reach: Reach, number: u64, status: u16, limits: &Limits) {
        let Some(to) = self.reports.author(number).cloned() else { return };
        let Some(author) = self.members.at(&to) else { return };
        let Some(recipient) = self.recipient(&reach) else { return };
        if recipient.who == author.aor || recipient.opened_after >= number {
            return;
        }
        let others = self.members.get(&recipient.who).into_iter().flat_map(Member::chat_legs);
        let others = others.filter(|leg| leg.reach != reach && leg.opened_after < number);
        let others = others.map(|leg| &leg.reach);
        if self.reports.fail(number, recipient.who.clone(), reach.clone(), others, limits) {
            let recipient = recipient.who;
            self.outputs.push_back(Output::Report { reach: to, number, recipient, status });
        }
    }

    fn recipient(&self, reach: &Reach) -> Option<Recipient> {
        if let Some(member) = self.members.at(reach) {
            let leg = member.leg(reach)?;
            let (who, opened_after) = (member.aor.clone(), leg.opened_after);
            return Some(Recipient { who, opened_after });
        }
        self.reports.gone(reach).cloned()
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
        .filter(|member| member.leg(reach).is_some_and(|leg| leg.kind == LegKind::Chat))
        .ok_or(Refusal::NotMember)
}

/// When what was said at `spoken` is neither recent nor still unanswered anywhere.
fn silence(spoken: Now, limits: &Limits) -> Deadline {
    let unanswered = limits.request_timeout.saturating_mul(2);
    spoken.after(limits.conference_recent_time.max(unanswered))
}
