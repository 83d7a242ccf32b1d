//! A standard client watches many users at once: SUBSCRIBE with `application/resource-lists+xml`
//! (RFC 5367), and what it is told (RFC 4662).

use super::pidf;
use crate::base::limits::Limits;
use crate::dialect::address::{address, uri};
use crate::dialect::resources::{Batch, Form, Resource, Told, distinct};
use crate::presence::category::CategorySet;
use crate::wire::mime::multipart::Written;
use crate::wire::presence::rlmi::State;
use crate::wire::presence::{Error, resource_lists};
use crate::wire::xml::Document;

pub use crate::wire::presence::resource_lists::CONTENT_TYPE;

/// Reads whom a client wants to watch. Who has no SIP address is left out.
///
/// # Errors
/// What breaks the form.
pub fn read(body: &[u8], limits: &Limits) -> Result<Batch, Error> {
    let document = Document::parse(body, limits)?;
    let uris = resource_lists::read(&document)?.into_iter();
    let resources = uris.filter_map(|uri| Some(Resource { aor: address(uri)?, prompt: false }));
    Ok(Batch {
        subscribe: distinct(resources),
        unsubscribe: Vec::new(),
        categories: CategorySet::ALL,
    })
}

/// What a client is told of the users on the list `list`, a URI: what became of each, then the
/// document of each that it may watch. `full` says that nobody is left out; `version` rises by
/// one with each notification of a subscription (RFC 4662 section 5.2).
pub fn content(list: &str, version: u32, full: bool, told: &[Told<'_>]) -> Written {
    let host = list.rsplit_once('@').map_or("localhost", |(_, host)| host);
    let host = host.split([';', ':', '?', '>']).next().unwrap_or(host);
    let uris: Vec<String> = told.iter().map(|one| uri(one.aor.as_str())).collect();
    let ids: Vec<String> = (1..=told.len()).map(|number| format!("{number}@{host}")).collect();
    let start = format!("list@{host}");
    let form = Form {
        start: &start,
        ids: &ids,
        instance: "1",
        apart: (State::Terminated, "deactivated"),
        content_type: pidf::CONTENT_TYPE,
    };
    form.content(list, version, full, told, &uris)
}
