//! A list of URIs (RFC 4826 section 3), with which a client subscribes to all of them
//! (RFC 5367), `application/resource-lists+xml`.

use super::{Error, required, root};
use crate::wire::xml::{Document, Element};

/// The content type.
pub const CONTENT_TYPE: &str = "application/resource-lists+xml";

const NAMESPACE: &str = "urn:ietf:params:xml:ns:resource-lists";

/// The URIs of all entries, also of lists within lists, in the order in which they stand.
/// References to lists elsewhere are passed over: there are none here.
pub fn read<'t>(document: &'t Document<'t>) -> Result<Vec<&'t str>, Error> {
    let root = root(document, NAMESPACE, "resource-lists")?;
    let mut uris = Vec::new();
    let mut open = vec![root.children()];
    while let Some(children) = open.last_mut() {
        let Some(child) = children.next() else {
            open.pop();
            continue;
        };
        if is(child, "entry") {
            uris.push(required(child, "uri")?);
        } else if is(child, "list") {
            open.push(child.children());
        }
    }
    Ok(uris)
}

fn is(element: Element<'_>, name: &str) -> bool {
    element.is(NAMESPACE, name)
}
