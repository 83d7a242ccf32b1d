//! A Lync client watches its whole contact list at once: SUBSCRIBE with
//! `application/msrtc-adrl-categorylist+xml`, and the answer.

use super::categories;
use crate::base::limits::Limits;
use crate::dialect::address::{address, uri};
use crate::dialect::resources::{Form, Resource, Told, distinct};
use crate::presence::category::{Category, CategorySet};
use crate::wire::mime::multipart::Written;
use crate::wire::presence::Error;
use crate::wire::presence::batch_sub::{self, ActionName};
use crate::wire::presence::rlmi::State;
use crate::wire::xml::Document;

pub use crate::dialect::resources::Batch;
pub use crate::wire::presence::batch_sub::CONTENT_TYPE;

/// Reads whom a client wants to watch, and whom no more. Without a list of categories all are of
/// interest.
///
/// # Errors
/// What breaks the form.
pub fn read(body: &[u8], limits: &Limits) -> Result<Batch, Error> {
    let document = Document::parse(body, limits)?;
    let mut batch = Batch::default();
    let mut subscribed = Vec::new();
    for action in batch_sub::read(&document)?.actions {
        let resources = action.resources.into_iter().filter_map(|resource| {
            Some(Resource { aor: address(resource.uri)?, prompt: resource.is_added })
        });
        match action.name {
            ActionName::Subscribe => {
                subscribed.extend(resources);
                for name in action.categories {
                    batch.categories.insert(&Category::of(name));
                }
            }
            ActionName::Unsubscribe => batch.unsubscribe.extend(resources.map(|one| one.aor)),
        }
    }
    batch.subscribe = distinct(subscribed);
    if batch.categories.is_empty() {
        batch.categories = CategorySet::ALL;
    }
    Ok(batch)
}

/// What a client is told of the users on the list `list`, a URI: what became of each, then the
/// document of each that it may watch. `full` says that nobody is left out.
pub fn content(list: &str, version: u32, full: bool, told: &[Told<'_>]) -> Written {
    let uris: Vec<String> = told.iter().map(|one| uri(one.aor.as_str())).collect();
    let form = Form {
        start: "resourceList",
        ids: &uris,
        instance: "0",
        apart: (State::Resubscribe, ""),
        content_type: categories::CONTENT_TYPE,
    };
    form.content(list, version, full, told, &uris)
}
