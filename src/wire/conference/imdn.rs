//! A report that a message did not reach somebody (MS-CONFIM section 2.2.2),
//! `application/ms-imdn+xml`.

use crate::wire::xml::Writer;

/// The content type.
pub const CONTENT_TYPE: &str = "application/ms-imdn+xml";

const NAMESPACE: &str = "http://schemas.microsoft.com/rtc/2005/08/imdn";

/// The report that the message `id` did not reach `recipient`, a URI, for the reason that the SIP
/// status tells.
pub fn write(id: &str, recipient: &str, status: u16) -> String {
    let mut writer = Writer::after(r#"<?xml version="1.0"?>"#.to_owned());
    writer
        .start("imdn")
        .attribute("xmlns", NAMESPACE)
        .leaf("message-id", id)
        .start("recipient")
        .attribute("uri", &format!("<{recipient}>"))
        .leaf_of("status", status);
    writer.finish()
}
