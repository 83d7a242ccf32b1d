//! Body of the fuzz target `presence`, as an ordinary function that the property tests drive too.

use super::*;
use crate::base::limits::Limits;
use crate::wire::xml::Document;

/// Any octets are read or refused, as whatever they may be taken for; and what is written from
/// what was read is read again.
pub fn body(data: &[u8]) {
    let limits = Limits::default();
    let Ok(document) = Document::parse(data, &limits) else { return };
    let _ = publish::read(&document);
    let _ = roaming_self::read(&document);
    let _ = set_container_members::read(&document);
    let _ = set_subscribers::read(&document);
    let _ = batch_sub::read(&document);
    let _ = resource_lists::read(&document);
    if let Ok(list) = rlmi::List::read(&document) {
        let text = list.write();
        let again = Document::parse(text.as_bytes(), &limits).expect("what is written is XML");
        assert_eq!(rlmi::List::read(&again), Ok(list));
    }
    if let Ok(pidf) = pidf::Pidf::read(&document) {
        let text = pidf.write();
        let again = Document::parse(text.as_bytes(), &limits).expect("what is written is XML");
        let again = pidf::Pidf::read(&again).expect("what is written is read").write();
        assert_eq!(again, text);
    }
}
