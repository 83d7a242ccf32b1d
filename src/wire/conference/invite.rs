//! An invitation to a conference, `application/ms-conf-invite+xml` (MS-CONFBAS section 2.2.6).

use std::borrow::Cow;

use super::{Error, boolean, root};
use crate::wire::xml::{Document, Writer};

/// The content type.
pub const CONTENT_TYPE: &str = "application/ms-conf-invite+xml";

/// What it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite<'t> {
    /// The focus, as a URI.
    pub focus: Cow<'t, str>,
    /// What the conference is about; may be empty.
    pub subject: Cow<'t, str>,
    /// It is one for messages.
    pub im: bool,
}

/// Reads an invitation.
pub fn read<'t>(document: &'t Document<'t>) -> Result<Invite<'t>, Error> {
    let root = root(document, "", "Conferencing")?;
    let focus = root.child("focus-uri").ok_or(Error::Missing)?.text();
    if focus.is_empty() {
        return Err(Error::Missing);
    }
    let im = root.child("im").and_then(|im| im.attribute("available")).map(boolean);
    Ok(Invite {
        focus,
        subject: root.child("subject").map(|subject| subject.text()).unwrap_or_default(),
        im: im.transpose()?.unwrap_or(false),
    })
}

impl Invite<'_> {
    /// The document. The client takes the invitation without asking its user when it is for
    /// messages alone.
    pub fn write(&self) -> String {
        let mut writer = Writer::new();
        writer
            .start("Conferencing")
            .attribute("version", "2.0")
            .leaf("focus-uri", &self.focus)
            .leaf("subject", &self.subject)
            .start("im")
            .attribute_of("available", self.im);
        if self.im {
            writer.start("first-im").end();
        }
        writer.finish()
    }
}
