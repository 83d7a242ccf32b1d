//! Lists of users whose presence is watched together: MS-PRES batches and RFC 4662 lists. Both are
//! answered with RLMI and one part for each user.

use bytes::Bytes;

use crate::base::aor::Aor;
use crate::presence::category::CategorySet;
use crate::sip::subscription::Content;
use crate::wire::mime::multipart::{Part, related};
use crate::wire::presence::rlmi::{self, Instance, List, State};

/// What a list subscription asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Users to watch.
    pub subscribe: Vec<Resource>,
    /// Users to watch no longer.
    pub unsubscribe: Vec<Aor>,
    /// What to see of them.
    pub categories: CategorySet,
    /// Number of categories named.
    pub categories_named: usize,
}

/// One user to be watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Who.
    pub aor: Aor,
    /// The watcher has just added him: he is asked whether he wants that.
    pub prompt: bool,
}

/// One user as a watcher sees him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Who.
    pub aor: Aor,
    /// The document; `None` when there is no such user, or he has too many watchers.
    pub body: Option<Bytes>,
}

/// What is written of a list.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'a> {
    /// Its URI.
    pub uri: &'a str,
    /// Rises with each notification of the subscription.
    pub version: u32,
    /// All users are there, not only those who changed.
    pub full: bool,
    /// The users.
    pub views: &'a [View],
    /// Users for whom the client has to ask one by one.
    pub apart: &'a [Aor],
    /// The type of their documents.
    pub media_type: &'static str,
}

/// Content-ID of the list itself.
const START: &str = "list@mynah";

impl Listed<'_> {
    /// Writes the list and its documents.
    pub fn content(&self) -> Content {
        let uris: Vec<String> = self.views.iter().map(|view| format!("sip:{}", view.aor)).collect();
        let ids: Vec<String> = (0..uris.len()).map(|n| format!("{n}@mynah")).collect();
        let apart: Vec<String> = self.apart.iter().map(|aor| format!("sip:{aor}")).collect();
        let known = self.views.iter().zip(&uris).zip(&ids).map(|((view, uri), cid)| {
            let (state, reason, cid) = match view.body {
                Some(_) => (State::Active, "", cid.as_str()),
                None => (State::Terminated, "noresource", ""),
            };
            rlmi::Resource {
                uri,
                instance: Some(Instance { id: "0", state, reason, cid, pool_fqdn: "" }),
            }
        });
        let apart = apart.iter().map(|uri| {
            let state = State::Resubscribe;
            rlmi::Resource {
                uri,
                instance: Some(Instance { id: "0", state, reason: "", cid: "", pool_fqdn: "" }),
            }
        });
        let resources = known.chain(apart).collect();
        let (uri, version, full_state) = (self.uri, self.version, self.full);
        let list = List { uri, version, full_state, resources }.write();
        let documents = self.views.iter().zip(&ids).filter_map(|(view, cid)| {
            let body = view.body.as_deref()?;
            let content_type = self.media_type.as_bytes();
            Some(Part { content_type, content_id: cid.as_bytes(), body })
        });
        let first = Part {
            content_type: rlmi::MEDIA_TYPE.as_bytes(),
            content_id: START.as_bytes(),
            body: list.as_bytes(),
        };
        let parts: Vec<Part<'_>> = std::iter::once(first).chain(documents).collect();
        let written = related(&parts, "mynah-list");
        Content { media_type: written.content_type.into(), body: written.body.into() }
    }
}

/// The address-of-record a URI names; `None` for what is no SIP address.
pub fn aor(uri: &str) -> Option<Aor> {
    let bare = uri.strip_prefix("sip:").or_else(|| uri.strip_prefix("sips:")).unwrap_or(uri);
    let bare = bare.split([';', '?']).next().unwrap_or_default();
    let (user, domain) = bare.split_once('@')?;
    (!user.is_empty() && !domain.is_empty()).then(|| Aor::new(bare))
}
