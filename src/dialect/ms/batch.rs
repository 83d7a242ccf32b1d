//! A Lync client's wish to watch its contacts (MS-PRES, batch subscriptions).

use crate::base::limits::Limits;
use crate::dialect::resource_list::{Batch, Resource, aor};
use crate::presence::category::{Category, CategorySet};
use crate::wire::presence::Error;
use crate::wire::presence::batch_sub::{self, ActionName};
use crate::wire::xml::Document;

/// Reads a batch; what is no SIP address is left out.
///
/// # Errors
/// The document breaks the format.
pub fn read(body: &[u8], limits: &Limits) -> Result<Batch, Error> {
    let document = Document::parse(body, limits)?;
    let request = batch_sub::read(&document)?;
    let mut batch = Batch::default();
    for action in &request.actions {
        let named: Vec<Category> =
            action.categories.iter().map(|name| Category::of(name)).collect();
        match action.name {
            ActionName::Subscribe => {
                batch.categories_named = batch.categories_named.max(named.len());
                for category in &named {
                    batch.categories.insert(category);
                }
                for resource in &action.resources {
                    let Some(aor) = aor(resource.uri) else { continue };
                    batch.subscribe.push(Resource { aor, prompt: resource.is_added });
                }
            }
            ActionName::Unsubscribe => {
                let dropped = action.resources.iter().filter_map(|resource| aor(resource.uri));
                batch.unsubscribe.extend(dropped);
            }
        }
    }
    if batch.categories.is_empty() {
        batch.categories = CategorySet::ALL;
    }
    Ok(batch)
}
