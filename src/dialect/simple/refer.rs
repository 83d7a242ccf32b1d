//! Asking a focus to bring somebody in, or to remove him: REFER (RFC 3515, RFC 4579 section 5).

use crate::base::aor::Aor;
use crate::wire::sip::status::reason_phrase;
use crate::wire::sip::{NameAddr, Uri};

/// The content type of what the sender of a REFER is told of its progress (RFC 3420).
pub const CONTENT_TYPE: &str = "message/sipfrag;version=2.0";

/// What a REFER asks of the focus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refer {
    /// Ask him in (RFC 4579 section 5.5).
    Invite(Aor),
    /// Remove him (RFC 4579 section 5.11).
    Bye(Aor),
}

/// Reads the value of Refer-To; `None` when it names no user, or asks for anything else.
pub fn read(refer_to: &[u8]) -> Option<Refer> {
    let uri = Uri::parse(NameAddr::parse(refer_to).ok()?.uri).ok()?;
    if !uri.is_sip() {
        return None;
    }
    let who = Aor::new(&uri.aor()?);
    match uri.params.get("method") {
        None => Some(Refer::Invite(who)),
        Some(method) if method.eq_ignore_ascii_case(b"INVITE") => Some(Refer::Invite(who)),
        Some(method) if method.eq_ignore_ascii_case(b"BYE") => Some(Refer::Bye(who)),
        Some(_) => None,
    }
}

/// The answer that what was referred to gave so far.
pub fn sipfrag(status: u16) -> String {
    format!("SIP/2.0 {status} {}\r\n", reason_phrase(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_to_be_invited_or_removed_is_named() {
        let bob = Aor::new("bob@example.test");
        for value in [
            "<sip:Bob@example.test>",
            "sip:bob@example.test",
            "Bob <sips:bob@example.test;method=INVITE>;x=y",
        ] {
            assert_eq!(read(value.as_bytes()), Some(Refer::Invite(bob.clone())), "{value}");
        }
        assert_eq!(read(b"<sip:bob@example.test;method=BYE>"), Some(Refer::Bye(bob)));
        for value in ["", "<sip:example.test>", "<tel:+1>", "<sip:b@c;method=MESSAGE>", "<sip:b@c"]
        {
            assert_eq!(read(value.as_bytes()), None, "{value}");
        }
    }

    #[test]
    fn progress_is_told_as_a_start_line() {
        assert_eq!(sipfrag(100), "SIP/2.0 100 Trying\r\n");
        assert_eq!(sipfrag(486), "SIP/2.0 486 Busy Here\r\n");
    }
}
