//! Who is in, and with which legs.

use std::sync::Arc;

use super::allowance::Allowance;
use super::description::Role;
use super::input::{Accepts, LegKind, Reach, Relation};
use crate::base::aor::Aor;
use crate::base::time::Now;

/// A participant: one user, however many endpoints he has. In the lobby he has focus legs alone.
#[derive(Clone, Debug)]
pub struct Member {
    /// Who.
    pub aor: Aor,
    /// His name as others see it; may be empty.
    pub name: Arc<str>,
    /// What he may do.
    pub role: Role,
    /// How he stands to the enterprise.
    pub relation: Relation,
    /// Where he is reached, in the order in which he came; at least one.
    pub legs: Vec<Leg>,
    /// Messages of his that were accepted since he came in.
    pub messages: u64,
    /// When he came in, or began to wait.
    pub since: Now,
    /// What he may still say.
    pub(super) allowance: Allowance,
    /// The last message that was sent to him, while he has no chat leg.
    pub(super) heard: u64,
}

/// One way to a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Where it leads.
    pub reach: Reach,
    /// What it is for.
    pub kind: LegKind,
    /// What his client calls its endpoint; empty when it does not say.
    pub endpoint: Box<str>,
    /// What his client understands.
    pub accepts: Accepts,
    /// The last message before it was opened: later ones are carried to it.
    pub(super) opened_after: u64,
}

impl Member {
    /// His legs that messages are carried to.
    pub fn chat_legs(&self) -> impl Iterator<Item = &Leg> {
        self.legs.iter().filter(|leg| leg.is_chat())
    }

    /// True when messages are carried to him.
    pub fn has_chat(&self) -> bool {
        self.chat_legs().next().is_some()
    }

    /// The leg that leads there.
    pub fn leg(&self, reach: &Reach) -> Option<&Leg> {
        self.legs.iter().find(|leg| leg.reach == *reach)
    }
}

impl Leg {
    /// True when messages are carried to it.
    pub fn is_chat(&self) -> bool {
        self.kind == LegKind::Chat
    }
}
