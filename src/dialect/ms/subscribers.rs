//! A Lync user has seen who added him: SERVICE with
//! `application/msrtc-presence-setsubscriber+xml`.

use crate::base::aor::Aor;
use crate::base::limits::Limits;
use crate::dialect::address::address;
use crate::wire::presence::{Error, set_subscribers};
use crate::wire::xml::Document;

pub use crate::wire::presence::set_subscribers::CONTENT_TYPE;

/// Reads of whom the user has seen, or not, that they added him.
///
/// # Errors
/// What breaks the form; [`Error::Value`] also for a user who has no SIP address.
pub fn read(body: &[u8], limits: &Limits) -> Result<Vec<(Aor, bool)>, Error> {
    let document = Document::parse(body, limits)?;
    let subscribers = set_subscribers::read(&document)?.into_iter();
    let read =
        subscribers.map(|one| Ok((address(one.user).ok_or(Error::Value)?, one.acknowledged)));
    read.collect()
}
