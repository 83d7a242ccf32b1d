//! Body of the fuzz target `conference`, as an ordinary function that the property tests drive
//! too.

use super::*;
use crate::base::limits::Limits;
use crate::wire::xml::Document;

/// Any octets are read or refused, as whatever they may be taken for; and what is written from
/// what was read is read again.
pub fn body(data: &[u8]) {
    let limits = Limits::default();
    let Ok(document) = Document::parse(data, &limits) else { return };
    let _ = typing::read_is_composing(&document);
    let _ = typing::read_keyboard_activity(&document);
    if let Ok(request) = cccp::read(&document) {
        answered(&request, &limits);
    }
    if let Ok(invite) = invite::read(&document) {
        let text = invite.write();
        let again = Document::parse(text.as_bytes(), &limits).expect("what is written is XML");
        assert_eq!(invite::read(&again), Ok(invite));
    }
}

/// Answers to a request are XML, whatever the client has put into what they repeat.
fn answered(request: &cccp::Request<'_>, limits: &Limits) {
    let operation = match request.operation {
        cccp::Operation::Unknown(name) => name,
        _ => "getConference",
    };
    let head = answer::Head { id: request.id, from: request.to, to: request.from, operation };
    let content = answer::Content::Entity(request.to, Some(1));
    for text in [answer::success(head, content), answer::failure(head, "otherFailure")] {
        let roomy = Limits { sip_body_bytes_max: usize::MAX, ..limits.clone() };
        let document = Document::parse(text.as_bytes(), &roomy).expect("what is written is XML");
        let root = document.root();
        assert_eq!(root.attribute("requestId"), Some(request.id));
        assert_eq!(root.children().map(|child| child.name()).collect::<Vec<_>>(), [operation]);
    }
}
