//! What a Lync client publishes: SERVICE with `application/msrtc-category-publish+xml`.

use std::sync::Arc;

use super::{card, note, state};
use crate::base::aor::Aor;
use crate::base::ids::ConnId;
use crate::base::limits::Limits;
use crate::base::time::Now;
use crate::dialect::address::address;
use crate::presence::category::{Category, NAME_MAX};
use crate::presence::container::ContainerId;
use crate::presence::publication::{Key, Life, Meaning, Operation, Payload};
use crate::wire::presence::Error;
use crate::wire::presence::publish::{self, ExpireType, Publication};
use crate::wire::xml::{Document, Element};

pub use crate::wire::presence::publish::CONTENT_TYPE;

/// Reads what `aor` publishes on `conn`.
///
/// # Errors
/// What breaks the form; [`Error::Value`] also when the publication is another user's, or its
/// payload is not of its category. Nothing is published then.
pub fn read(
    body: &[u8],
    aor: &Aor,
    conn: ConnId,
    now: Now,
    limits: &Limits,
) -> Result<Vec<Operation>, Error> {
    let document = Document::parse(body, limits)?;
    let publish = publish::read(&document)?;
    if address(publish.uri).as_ref() != Some(aor) {
        return Err(Error::Value);
    }
    publish.publications.into_iter().map(|one| operation(one, conn, now)).collect()
}

fn operation(publication: Publication<'_>, conn: ConnId, now: Now) -> Result<Operation, Error> {
    let Publication { category, instance, container, version, expire_type, expires, payload } =
        publication;
    if category.len() > NAME_MAX {
        return Err(Error::Value);
    }
    let category = Category::of(category);
    let life = match expire_type {
        ExpireType::Static => Life::Static,
        ExpireType::Endpoint => Life::Endpoint(conn),
        ExpireType::User => Life::User,
        ExpireType::Time => {
            let seconds = u64::from(expires.ok_or(Error::Missing)?);
            Life::Until((now.unix_ms / 1000).saturating_add(seconds))
        }
    };
    let payload = match payload {
        Some(element) if expires != Some(0) => Some(Arc::new(self::payload(&category, element)?)),
        _ => None,
    };
    let key = Key { category, container: ContainerId(container), instance };
    Ok(Operation { key, version: Some(version), life, payload })
}

fn payload(category: &Category, element: Element<'_>) -> Result<Payload, Error> {
    let meaning = match category {
        Category::State => state::read(element)?.map_or(Meaning::Opaque, Meaning::State),
        Category::Note => Meaning::Note(note::read(element)?),
        Category::ContactCard => Meaning::Card(Box::new(card::read(element)?)),
        _ => Meaning::Opaque,
    };
    Ok(Payload { meaning, source: element.copy().into() })
}
