//! What two dialects have in common in a message: plain text.

use crate::wire::mime::content_type::ContentType;

/// The content type under which the bridge carries text.
pub const PLAIN: &str = "text/plain; charset=UTF-8";

/// The text of a message as the bridge carries it; `None` if the body is anything but plain text
/// in UTF-8. The Lync client's formatting (`msgr`) stays behind.
pub fn plain<'a>(content_type: Option<&[u8]>, body: &'a [u8]) -> Option<&'a [u8]> {
    let content_type = ContentType::parse(content_type?);
    let charset = content_type.param("charset").unwrap_or(b"UTF-8");
    let known = charset.eq_ignore_ascii_case(b"utf-8") || charset.eq_ignore_ascii_case(b"us-ascii");
    (content_type.is("text/plain") && known && std::str::from_utf8(body).is_ok()).then_some(body)
}

/// True for typing notices and other signals that a pager-mode client has no use for.
pub fn is_signal(content_type: Option<&[u8]>) -> bool {
    content_type.map(ContentType::parse).is_some_and(|content_type| {
        ["application/im-iscomposing+xml", "application/xml", "application/ms-imdn+xml"]
            .iter()
            .any(|signal| content_type.is(signal))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_passes_without_its_formatting() {
        let lync = b"text/plain; charset=UTF-8;msgr=WAAtAE0ATQBTAC0";
        assert_eq!(plain(Some(lync), b"hello bob"), Some(&b"hello bob"[..]));
        assert_eq!(
            plain(Some(b"text/plain"), "gr\u{fc}n".as_bytes()),
            Some("gr\u{fc}n".as_bytes())
        );
    }

    #[test]
    fn anything_else_does_not() {
        assert_eq!(plain(Some(b"text/html"), b"<b>x</b>"), None);
        assert_eq!(plain(Some(b"text/plain; charset=utf-16"), b"x"), None);
        assert_eq!(plain(Some(b"text/plain"), b"\xff\xfe"), None);
        assert_eq!(plain(None, b"x"), None);
    }

    #[test]
    fn typing_is_a_signal() {
        assert!(is_signal(Some(b"application/im-iscomposing+xml")));
        assert!(!is_signal(Some(b"text/plain")));
        assert!(!is_signal(None));
    }
}
