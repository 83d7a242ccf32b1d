//! The user's word on those who added him (MS-PRES section 2.2.2.7),
//! `application/msrtc-presence-setsubscriber+xml`.

use super::{Error, boolean, required, root};
use crate::wire::xml::Document;

/// The content type.
pub const CONTENT_TYPE: &str = "application/msrtc-presence-setsubscriber+xml";

const NAMESPACE: &str = "http://schemas.microsoft.com/2006/09/sip/presence-subscribers";

/// Somebody who added the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscriber<'t> {
    /// His address without scheme.
    pub user: &'t str,
    /// The user has seen it.
    pub acknowledged: bool,
}

/// Reads the user's word.
pub fn read<'t>(document: &'t Document<'t>) -> Result<Vec<Subscriber<'t>>, Error> {
    let root = root(document, NAMESPACE, "setSubscribers")?;
    let subscribers = root.children().filter(|child| child.is(NAMESPACE, "subscriber"));
    let read = subscribers.map(|subscriber| {
        let acknowledged = boolean(required(subscriber, "acknowledged")?)?;
        Ok(Subscriber { user: required(subscriber, "user")?, acknowledged })
    });
    read.collect()
}
