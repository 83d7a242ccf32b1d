//! What the ways to watch many users at once have in common.

use std::collections::BTreeSet;

use crate::base::aor::Aor;
use crate::presence::category::CategorySet;
use crate::wire::mime::multipart::{Part, Written, related};
use crate::wire::presence::rlmi::{self, Instance, List, State};

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

/// How a dialect writes a list.
pub(super) struct Form<'a> {
    /// Content-ID of the list itself.
    pub(super) start: &'a str,
    /// Content-IDs of the documents, one for each user.
    pub(super) ids: &'a [String],
    /// Tells the instances of one user apart.
    pub(super) instance: &'static str,
    /// What is said of who has to be asked for alone.
    pub(super) apart: (State, &'static str),
    /// The type of the documents.
    pub(super) content_type: &'static str,
}

impl Form<'_> {
    /// What became of each user, whose URIs are given beside, and then the document of each that is
    /// seen.
    pub(super) fn content(
        &self,
        list: &str,
        version: u32,
        full: bool,
        told: &[Told<'_>],
        uris: &[String],
    ) -> Written {
        let resources = told.iter().zip(uris).zip(self.ids).map(|((one, uri), id)| {
            let (state, reason, cid) = match one.outcome {
                Outcome::Seen(_) => (State::Active, "", id.as_str()),
                Outcome::Unknown => (State::Terminated, "noresource", ""),
                Outcome::Apart => (self.apart.0, self.apart.1, ""),
            };
            let instance = Instance { id: self.instance, state, reason, cid, pool_fqdn: "" };
            rlmi::Resource { uri, instance: Some(instance) }
        });
        let rlmi = List { uri: list, version, full_state: full, resources: resources.collect() };
        let rlmi = rlmi.write();
        let mut parts = vec![Part {
            content_type: rlmi::CONTENT_TYPE.as_bytes(),
            content_id: self.start.as_bytes(),
            body: rlmi.as_bytes(),
        }];
        let content_type = self.content_type.as_bytes();
        parts.extend(told.iter().zip(self.ids).filter_map(|(one, id)| match one.outcome {
            Outcome::Seen(body) => Some(Part { content_type, content_id: id.as_bytes(), body }),
            Outcome::Unknown | Outcome::Apart => None,
        }));
        related(&parts)
    }
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
