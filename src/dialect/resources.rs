//! What the ways to watch many users at once have in common.

use std::collections::BTreeSet;

use crate::base::aor::Aor;
use crate::presence::category::CategorySet;

/// A wish to watch many users.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Whom to watch too; nobody twice. Who has no SIP address is left out.
    pub subscribe: Vec<Resource>,
    /// Whom to watch no more.
    pub unsubscribe: Vec<Aor>,
    /// Which categories are of interest.
    pub categories: CategorySet,
}

/// Somebody to be watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Who.
    pub aor: Aor,
    /// The watcher has just added him: he is asked whether he wants that.
    pub prompt: bool,
}

/// What became of the wish to watch somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told<'a> {
    /// Who.
    pub aor: &'a Aor,
    /// What became of it.
    pub outcome: Outcome<'a>,
}

/// What became of the wish to watch somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// This is seen of him.
    Seen(&'a [u8]),
    /// There is no such user, or he has too many watchers.
    Unknown,
    /// There were too many in the batch: the watcher may ask for him alone.
    Apart,
}

/// The resources, each once; asked to be prompted if any mention of it is.
pub(super) fn distinct(resources: impl IntoIterator<Item = Resource>) -> Vec<Resource> {
    let mut known = BTreeSet::new();
    let mut prompted = BTreeSet::new();
    let mut distinct: Vec<Resource> = resources
        .into_iter()
        .inspect(|resource| {
            if resource.prompt {
                prompted.insert(resource.aor.clone());
            }
        })
        .filter(|resource| known.insert(resource.aor.clone()))
        .collect();
    distinct.iter_mut().for_each(|resource| resource.prompt = prompted.contains(&resource.aor));
    distinct
}
