//! Content-Type (RFC 2045 section 5.1): type, subtype and parameters.

/// A content type, borrowed from the header value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentType<'a> {
    /// `type/subtype`, as written.
    pub media: &'a [u8],
    params: &'a [u8],
}

impl<'a> ContentType<'a> {
    /// Splits a header value. Never fails: what is no content type matches none.
    pub fn parse(value: &'a [u8]) -> Self {
        let end = value.iter().position(|b| *b == b';').unwrap_or(value.len());
        let (media, params) = value.split_at_checked(end).unwrap_or((value, &[]));
        ContentType { media: media.trim_ascii(), params }
    }

    /// True if this is `media`, whatever the case and the parameters.
    pub fn is(&self, media: &str) -> bool {
        self.media.eq_ignore_ascii_case(media.as_bytes())
    }

    /// The value of a parameter, without quotes.
    pub fn param(&self, name: &str) -> Option<&'a [u8]> {
        self.params.split(|b| *b == b';').find_map(|param| {
            let at = param.iter().position(|b| *b == b'=')?;
            let (key, value) = param.split_at_checked(at)?;
            if !key.trim_ascii().eq_ignore_ascii_case(name.as_bytes()) {
                return None;
            }
            let value = value.strip_prefix(b"=")?.trim_ascii();
            Some(value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\"")).unwrap_or(value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_do_not_make_another_type() {
        let value = b"Text/Plain; charset=\"UTF-8\";msgr=WAAtAE0A";
        let content_type = ContentType::parse(value);
        assert!(content_type.is("text/plain"));
        assert_eq!(content_type.param("charset"), Some(&b"UTF-8"[..]));
        assert_eq!(content_type.param("MSGR"), Some(&b"WAAtAE0A"[..]));
        assert_eq!(content_type.param("none"), None);
    }

    #[test]
    fn nonsense_matches_nothing() {
        for value in [&b""[..], b";", b"=;=", b"text"] {
            assert!(!ContentType::parse(value).is("text/plain"));
            assert_eq!(ContentType::parse(value).param("charset"), None);
        }
    }
}
