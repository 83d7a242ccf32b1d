//! Session descriptions (RFC 8866), as far as instant messaging needs them.

/// True if the description offers an instant-messaging session: an `m=message` line whose port
/// is not 0 (RFC 3264 section 5.1: port 0 refuses the stream).
pub fn offers_message(body: &[u8]) -> bool {
    lines(body).any(|line| {
        let Some(media) = line.strip_prefix(b"m=message") else { return false };
        let mut fields = media.split(|b| *b == b' ').filter(|field| !field.is_empty());
        media.starts_with(b" ") && fields.next().is_some_and(|port| port != b"0")
    })
}

/// True if the description's `a=accept-types` names `media_type` or everything, or there is no
/// such line.
pub fn accepts(body: &[u8], media_type: &str) -> bool {
    let mut named = false;
    for line in lines(body) {
        let Some(types) = line.strip_prefix(b"a=accept-types:") else { continue };
        named = true;
        let listed = types
            .split(|b| *b == b' ')
            .any(|t| t == b"*" || t.eq_ignore_ascii_case(media_type.as_bytes()));
        if listed {
            return true;
        }
    }
    !named
}

/// The description of an IM session in which we are one end: no media of its own, the messages
/// come in the dialog; only plain text is accepted.
pub fn message_session(host: &str) -> String {
    described(host, "text/plain")
}

/// The description of a member's session with the IMMCU: what it takes, it carries in the form each
/// of the others accepts.
pub fn conference(host: &str) -> String {
    described(host, "text/plain text/html multipart/alternative application/im-iscomposing+xml")
}

fn described(host: &str, types: &str) -> String {
    format!(
        "v=0\r\no=- 0 0 IN IP4 {host}\r\ns=session\r\nc=IN IP4 {host}\r\nt=0 0\r\n\
         m=message 5061 sip null\r\na=accept-types:{types}\r\n"
    )
}

fn lines(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    body.split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LYNC: &[u8] = b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=session\r\nc=IN IP4 127.0.0.1\r\n\
        t=0 0\r\nm=message 5061 sip null\r\n\
        a=accept-types:text/plain text/html image/gif application/im-iscomposing+xml\r\n";

    #[test]
    fn the_lync_client_offers_messages() {
        assert!(offers_message(LYNC));
        assert!(accepts(LYNC, "text/HTML"));
        assert!(!accepts(LYNC, "text/rtf"));
    }

    #[test]
    fn a_call_offers_none() {
        assert!(!offers_message(b"v=0\r\nm=audio 4000 RTP/AVP 0\r\n"));
        assert!(!offers_message(b"v=0\r\nm=message 0 sip null\r\n"));
        assert!(!offers_message(b"v=0\r\nm=messages 1 sip null\r\n"));
        assert!(!offers_message(b""));
        assert!(accepts(b"v=0\r\n", "text/plain"), "no line accepts everything");
    }

    #[test]
    fn our_own_description_reads_back() {
        let own = message_session("fe01.example.test");
        assert!(offers_message(own.as_bytes()));
        assert!(accepts(own.as_bytes(), "text/plain"));
        assert!(!accepts(own.as_bytes(), "text/html"));
    }
}
