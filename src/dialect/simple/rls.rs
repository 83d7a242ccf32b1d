//! A list of users that a standard client brings along (RFC 5367).

use crate::base::limits::Limits;
use crate::dialect::resource_list::{Batch, Resource, aor};
use crate::presence::category::CategorySet;
use crate::wire::presence::Error;
use crate::wire::presence::resource_lists;
use crate::wire::xml::Document;

/// Reads the list; what is no SIP address is left out.
///
/// # Errors
/// The document breaks the format.
pub fn read(body: &[u8], limits: &Limits) -> Result<Batch, Error> {
    let document = Document::parse(body, limits)?;
    let uris = resource_lists::read(&document)?;
    let resources = uris.iter().filter_map(|uri| aor(uri));
    Ok(Batch {
        subscribe: resources.map(|aor| Resource { aor, prompt: false }).collect(),
        unsubscribe: Vec::new(),
        categories: CategorySet::ALL,
        categories_named: 1,
    })
}
