//! The parameters of authentication headers: `name=value` pairs between commas (RFC 3261 section
//! 25.1, `auth-param`).

/// What stands behind the scheme of a header's value; `None` for another scheme.
pub fn after_scheme<'a>(value: &'a [u8], scheme: &str) -> Option<&'a [u8]> {
    let (name, rest) = value.trim_ascii().split_at_checked(scheme.len())?;
    let blank = rest.first().is_some_and(u8::is_ascii_whitespace);
    (name.eq_ignore_ascii_case(scheme.as_bytes()) && blank).then_some(rest)
}

/// The pairs, in order; a quoted value comes without its quotes. Ends at what is no pair.
#[derive(Clone, Copy, Debug)]
pub struct Params<'a>(
    /// What has not been read yet.
    pub &'a [u8],
);

impl<'a> Iterator for Params<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let equals = memchr::memchr(b'=', self.0)?;
        let (name, rest) = self.0.split_at_checked(equals)?;
        let rest = rest.get(1..)?.trim_ascii_start();
        let (value, after) = match rest.strip_prefix(b"\"") {
            Some(inner) => {
                let end = closing_quote(inner)?;
                (inner.get(..end)?, inner.get(end + 1..)?)
            }
            None => rest.split_at(memchr::memchr(b',', rest).unwrap_or(rest.len())),
        };
        self.0 = memchr::memchr(b',', after).and_then(|at| after.get(at + 1..)).unwrap_or(&[]);
        Some((name.trim_ascii(), value.trim_ascii()))
    }
}

/// Appends `before`, which opens a quote, the value and the quote that closes it.
pub fn push_quoted(out: &mut Vec<u8>, before: &[u8], value: &[u8]) {
    out.extend_from_slice(before);
    out.extend_from_slice(value);
    out.push(b'"');
}

fn closing_quote(inner: &[u8]) -> Option<usize> {
    let mut escaped = false;
    inner.iter().position(|&byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}
