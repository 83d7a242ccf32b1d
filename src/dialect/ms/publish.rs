//! What a Lync client publishes (MS-PRES, category publication).

use std::sync::Arc;

use super::payload;
use crate::base::aor::Aor;
use crate::base::ids::ConnId;
use crate::base::limits::Limits;
use crate::base::time::Now;
use crate::dialect::resource_list::aor;
use crate::presence::category::Category;
use crate::presence::container::ContainerId;
use crate::presence::publication::{Key, Life, Operation, Payload};
use crate::wire::presence::Error;
use crate::wire::presence::publish::{self, ExpireType, Publication};
use crate::wire::xml::Document;

/// Reads the publications of `user`, who sent them on `conn`.
///
/// # Errors
/// The document breaks the format, or is about somebody else.
pub fn read(
    body: &[u8],
    user: &Aor,
    conn: ConnId,
    now: Now,
    limits: &Limits,
) -> Result<Vec<Operation>, Error> {
    let document = Document::parse(body, limits)?;
    let publish = publish::read(&document)?;
    if aor(publish.uri).as_ref() != Some(user) {
        return Err(Error::Value);
    }
    publish.publications.iter().map(|publication| operation(publication, conn, now)).collect()
}

fn operation(publication: &Publication<'_>, conn: ConnId, now: Now) -> Result<Operation, Error> {
    let category = Category::of(publication.category);
    let life = match publication.expire_type {
        ExpireType::Static => Life::Static,
        ExpireType::Endpoint => Life::Endpoint(conn),
        ExpireType::User => Life::User,
        ExpireType::Time => {
            let seconds = u64::from(publication.expires.ok_or(Error::Missing)?);
            Life::Until((now.unix_ms / 1000).saturating_add(seconds))
        }
    };
    let element = publication.payload.filter(|_| publication.expires != Some(0));
    let payload = match element {
        None => None,
        Some(element) => {
            let meaning = payload::read(&category, element)?;
            Some(Arc::new(Payload { meaning, source: element.copy().into() }))
        }
    };
    let container = ContainerId(publication.container);
    let key = Key { category, container, instance: publication.instance };
    Ok(Operation { key, version: Some(publication.version), life, payload })
}
