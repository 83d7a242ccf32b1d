//! Answers of a focus and of its factory (MS-CONFBAS section 2.2, MS-CONFPRO section 2.2.3),
//! `application/cccp+xml`.

use super::{CCCP, INFO};
use crate::wire::xml::Writer;

const ACCESS: &str = "http://schemas.microsoft.com/rtc/2005/08/acpconfinfoextensions";

/// Whose answer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// The number of the request.
    pub id: &'a str,
    /// Whom the request was sent to.
    pub from: &'a str,
    /// Who sent it.
    pub to: &'a str,
    /// What it wanted: a name of XML without prefix.
    pub operation: &'a str,
}

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// Nothing more than that it is done.
    Done,
    /// What conferences can do: kinds of conferencing.
    Capabilities(&'a [&'a str]),
    /// The URI of a conference, and its version when it has one.
    Entity(&'a str, Option<u32>),
    /// The URI of the conference that was joined.
    Keys(&'a str),
    /// What is told of conferences: XML which is complete in itself.
    Conferences(&'a [String]),
}

/// The answer to what was done.
pub fn success(head: Head<'_>, content: Content<'_>) -> String {
    let mut inner = Writer::new();
    match content {
        Content::Done => {}
        Content::Capabilities(kinds) => {
            inner.start("mcu-types");
            for kind in kinds {
                inner.leaf("mcuType", kind);
            }
        }
        Content::Entity(entity, version) => {
            inner.start("conference-info").attribute("xmlns", INFO).attribute("entity", entity);
            if let Some(version) = version {
                inner.attribute_of("version", version);
            }
        }
        Content::Keys(entity) => {
            inner.start("conferenceKeys").attribute("confEntity", entity);
        }
        Content::Conferences(conferences) => {
            for conference in conferences {
                inner.raw(conference);
            }
        }
    }
    let operation = operation(head.operation, "", &inner.finish());
    response(head, "success", &operation)
}

/// The answer to what was not done. The reason stands at the operation (MS-CONFPRO section
/// 3.1.5.3).
pub fn failure(head: Head<'_>, reason: &str) -> String {
    response(head, "failure", &operation(head.operation, reason, ""))
}

fn response(head: Head<'_>, code: &str, operation: &str) -> String {
    let mut writer = Writer::after(r#"<?xml version="1.0"?>"#.to_owned());
    writer
        .start("response")
        .attribute("xmlns", CCCP)
        .attribute("xmlns:msacp", ACCESS)
        .attribute("requestId", head.id)
        .attribute("C3PVersion", "1")
        .attribute("from", head.from)
        .attribute("to", head.to)
        .attribute("code", code)
        .raw(operation);
    writer.finish()
}

/// The element of the operation, whose name may come from a request.
fn operation(name: &str, reason: &str, inner: &str) -> String {
    let reason = if reason.is_empty() { String::new() } else { format!(" reason=\"{reason}\"") };
    match inner {
        "" => format!("<{name}{reason}/>"),
        _ => format!("<{name}{reason}>{inner}</{name}>"),
    }
}
