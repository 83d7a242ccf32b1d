//! What the services of a conference answer: the focus in a SERVICE or INVITE, the roster in a
//! conference-info document (RFC 4575).

use crate::markup::{attribute, tags, texts};

/// Longest URI of a conference that is taken over, in octets.
const URI_MAX: usize = 1024;

/// Whether the answer says that the request was carried out; else the reason it gives.
pub fn accepted(answer: &[u8]) -> Result<(), String> {
    let Some((_, response)) = tags(answer).find(|(name, _)| *name == b"response") else {
        return Err("no response".to_owned());
    };
    match attribute(response, b"code") {
        Some(b"success") => Ok(()),
        code => {
            let reason = attribute(response, b"reason").or(code).unwrap_or_default();
            Err(String::from_utf8_lossy(reason).into_owned())
        }
    }
}

/// Address of the focus, without scheme, in the answer to addConference.
pub fn focus(answer: &[u8]) -> Option<String> {
    let mut infos = tags(answer).filter(|(name, _)| *name == b"conference-info");
    infos.find_map(|(_, tag)| address(attribute(tag, b"entity")?))
}

/// Address, without scheme, to which a conference-info document sends the instant messages.
pub fn chat(info: &[u8]) -> Option<String> {
    let (mut uri, mut purpose): (&[u8], &[u8]) = (&[], &[]);
    texts(info).find_map(|(name, text)| {
        match name {
            b"entry" => (uri, purpose) = (&[], &[]),
            b"uri" => uri = text,
            b"purpose" => purpose = text,
            _ => {}
        }
        if purpose == b"chat" { address(uri) } else { None }
    })
}

/// A URI without its scheme, when it can stand in a request and in a document as it is.
fn address(uri: &[u8]) -> Option<String> {
    let rest = std::str::from_utf8(uri).ok()?.strip_prefix("sip:")?;
    let plain = |byte: u8| byte.is_ascii_graphic() && !br#"<>"'&"#.contains(&byte);
    let fits = !rest.is_empty() && rest.len() <= URI_MAX && rest.bytes().all(plain);
    fits.then(|| rest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_focus_is_read_as_it_stands_on_the_wire() {
        let answer = br#"<?xml version="1.0"?><response xmlns="urn:ietf:params:xml:ns:cccp" xmlns:msacp="http://schemas.microsoft.com/rtc/2005/08/acpconfinfoextensions" requestId="1" C3PVersion="1" from="sip:focus@example.test;gruu;opaque=app:conf:focusfactory" to="sip:alice@example.test" code="success"><addConference><conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="sip:alice@example.test;gruu;opaque=app:conf:focus:id:C71C" version="1"/></addConference></response>"#;
        assert_eq!(accepted(answer), Ok(()));
        let expected = "alice@example.test;gruu;opaque=app:conf:focus:id:C71C";
        assert_eq!(focus(answer).as_deref(), Some(expected));
    }

    #[test]
    fn a_failure_says_why() {
        let answer = br#"<response code="failure" reason="conferenceExistsAlready"/>"#;
        assert_eq!(accepted(answer), Err("conferenceExistsAlready".to_owned()));
        assert_eq!(accepted(br#"<response code="failure"/>"#), Err("failure".to_owned()));
        assert_eq!(accepted(b"<response/>"), Err(String::new()));
        assert_eq!(accepted(b""), Err("no response".to_owned()));
    }

    #[test]
    fn the_chat_is_found_among_the_other_entries() {
        let info = b"<conference-info><conf-uris><entry><uri>sip:audio@x</uri>\
            <purpose>audio-video</purpose></entry><entry><uri> sip:chat@x;gruu </uri>\
            <display-text>chat</display-text><purpose>chat</purpose></entry></conf-uris><users>\
            <user><roles><entry>presenter</entry></roles></user></users></conference-info>";
        assert_eq!(chat(info).as_deref(), Some("chat@x;gruu"));
        let reverse = b"<entry><purpose>chat</purpose><uri>sip:c@x</uri></entry>";
        assert_eq!(chat(reverse).as_deref(), Some("c@x"));
        let none = b"<entry><uri>sip:audio@x</uri></entry><entry><purpose>chat</purpose></entry>";
        assert_eq!(chat(none), None);
    }

    #[test]
    fn an_address_that_would_break_a_request_is_none() {
        for uri in
            ["x@y", "sip:", "sip:a b", "sip:a\r\nX: y", "sip:a>", "sip:a&amp;b", "sip:\u{e4}"]
        {
            assert_eq!(address(uri.as_bytes()), None, "{uri}");
        }
        assert_eq!(address(format!("sip:{}", "a".repeat(URI_MAX + 1)).as_bytes()), None);
    }
}
