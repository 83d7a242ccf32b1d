//! Addresses as they stand in bodies: with and without scheme.

use crate::base::aor::Aor;
use crate::wire::sip::Uri;

/// The address that `text` names: a SIP URI, or what follows the scheme of one. `None` when it
/// names no user.
pub fn address(text: &str) -> Option<Aor> {
    let uri = match Uri::parse(text.as_bytes()) {
        Ok(uri) => uri.aor(),
        Err(_) => Uri::parse(format!("sip:{text}").as_bytes()).ok()?.aor(),
    };
    uri.map(|aor| Aor::new(&aor))
}

/// The URI of an address.
pub fn uri(aor: &str) -> String {
    format!("sip:{aor}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_is_optional() {
        let bob = Some(Aor::new("bob@example.test"));
        for text in ["sip:Bob@example.test", "bob@EXAMPLE.test", "sip:bob@example.test;gruu"] {
            assert_eq!(address(text), bob, "{text}");
        }
        for text in ["", "bob", "sip:", "sip:example.test", "@", "tel:+1234", "\u{e9}@x", "a b@c"] {
            assert_eq!(address(text), None, "{text}");
        }
    }
}
