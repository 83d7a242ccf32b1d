//! That somebody is typing, or has stopped to: `application/im-iscomposing+xml` (RFC 3994), and
//! `application/xml` as the Lync client sends it in INFO.

use super::{Error, required, root};
use crate::wire::xml::Document;

/// The content type of the standard notice.
pub const IS_COMPOSING: &str = "application/im-iscomposing+xml";

/// The content type of the Lync client's notice.
pub const KEYBOARD_ACTIVITY: &str = "application/xml";

const NAMESPACE: &str = "urn:ietf:params:xml:ns:im-iscomposing";

/// Reads the standard notice. States that are not known mean idle (RFC 3994 section 3.3).
pub fn read_is_composing(document: &Document<'_>) -> Result<bool, Error> {
    let state = root(document, NAMESPACE, "isComposing")?.child("state").ok_or(Error::Missing)?;
    Ok(state.text() == "active")
}

/// Reads the Lync client's notice.
pub fn read_keyboard_activity(document: &Document<'_>) -> Result<bool, Error> {
    let status = root(document, "", "KeyboardActivity")?.child("status").ok_or(Error::Missing)?;
    Ok(required(status, "status")? == "type")
}

/// The standard notice.
pub const fn is_composing(typing: bool) -> &'static str {
    match typing {
        true => concat!(
            r#"<?xml version="1.0" encoding="UTF-8"?>"#,
            r#"<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing">"#,
            "<state>active</state></isComposing>"
        ),
        false => concat!(
            r#"<?xml version="1.0" encoding="UTF-8"?>"#,
            r#"<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing">"#,
            "<state>idle</state></isComposing>"
        ),
    }
}

/// The Lync client's notice.
pub const fn keyboard_activity(typing: bool) -> &'static str {
    match typing {
        true => r#"<KeyboardActivity><status status="type"/></KeyboardActivity>"#,
        false => r#"<KeyboardActivity><status status="idle"/></KeyboardActivity>"#,
    }
}
