//! The category `note` (MS-PRES section 2.2.2.9).

use crate::presence::state::{Note, NoteKind};
use crate::wire::presence::Error;
use crate::wire::xml::{Element, Writer};

const NAMESPACE: &str = "http://schemas.microsoft.com/2006/09/sip/note";

/// Reads a note; one without body is a cleared one.
pub(super) fn read(element: Element<'_>) -> Result<Note, Error> {
    if !element.is(NAMESPACE, "note") {
        return Err(Error::Value);
    }
    let Some(body) = element.child("body") else {
        return Ok(Note { kind: NoteKind::Personal, text: "".into() });
    };
    let kind = match body.attribute("type") {
        Some("OOF") => NoteKind::OutOfOffice,
        _ => NoteKind::Personal,
    };
    Ok(Note { kind, text: (&*body.text()).into() })
}

/// Writes a note that did not come in this form.
pub(super) fn write(writer: &mut Writer, note: &Note) {
    let kind = match note.kind {
        NoteKind::Personal => "personal",
        NoteKind::OutOfOffice => "OOF",
    };
    writer.start("note").attribute("xmlns", NAMESPACE).start("body").attribute("type", kind);
    writer.attribute("uri", "").text(&note.text).end().end();
}
