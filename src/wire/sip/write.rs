//! Building messages onto a buffer.

use std::fmt::{self, Write as _};
use std::net::{IpAddr, SocketAddr};

use bytes::{BufMut, BytesMut};

use super::header::HeaderName;
use super::list::{self, List};
use super::message::Message;
use super::method::Method;
use super::octets;
use super::status;
use super::via::Via;

pub use super::status::reason_phrase;

/// An answer to a request: what differs from one answer to the next.
#[derive(Clone, Copy, Debug, Default)]
pub struct Response<'a> {
    /// The status code, 100 to 699.
    pub status: u16,
    /// The reason phrase; without one, the default of the status.
    pub reason: Option<&'a str>,
    /// The tag to add to To when it has none.
    pub to_tag: Option<&'a [u8]>,
    /// Where the request came from; with it the top Via gets `received` and `rport` as RFC 3261
    /// section 18.2.1 and RFC 3581 section 4 say.
    pub received: Option<SocketAddr>,
}

impl Response<'_> {
    /// Writes the status line and copies Via, From, To, Call-ID and CSeq of the request
    /// (RFC 3261 section 8.2.6). What a malformed request lacks is left out.
    pub fn begin<'o>(&self, out: &'o mut BytesMut, request: Message<'_>) -> Writer<'o> {
        out.reserve(request.head().len().saturating_add(256));
        let mut writer = status_line(out, self.status, self.reason);
        let mut received = self.received;
        for value in request.headers(HeaderName::Via) {
            writer.put(b"Via: ");
            match received.take() {
                Some(peer) => writer.via(value, peer),
                None => writer.clean(value),
            }
            writer.put(b"\r\n");
        }
        for name in [HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq] {
            let Some(value) = request.header(name) else { continue };
            writer.put(name.as_str().as_bytes());
            writer.put(b": ");
            writer.clean(value);
            if name == HeaderName::To
                && let Some(tag) = self.to_tag
                && request.to().is_ok_and(|to| to.tag().is_none())
            {
                writer.put(b";tag=");
                writer.clean(tag);
            }
            writer.put(b"\r\n");
        }
        writer
    }
}

/// Begins an answer; see [`Response`].
pub fn response<'o>(
    out: &'o mut BytesMut,
    request: Message<'_>,
    status: u16,
    to_tag: Option<&[u8]>,
    received: Option<SocketAddr>,
) -> Writer<'o> {
    Response { status, reason: None, to_tag, received }.begin(out, request)
}

/// Begins a request of our own with its start line.
pub fn request<'o>(out: &'o mut BytesMut, method: &str, uri: &[u8]) -> Writer<'o> {
    let mut writer = Writer { out };
    writer.clean(method.as_bytes());
    writer.put(b" ");
    writer.clean(uri);
    writer.put(b" SIP/2.0\r\n");
    writer
}

/// Begins a response from nothing but its status line.
pub fn status_line<'o>(out: &'o mut BytesMut, status: u16, reason: Option<&str>) -> Writer<'o> {
    let mut writer = Writer { out };
    writer.put(b"SIP/2.0 ");
    put_decimal(writer.out, u32::from(status));
    writer.put(b" ");
    writer.clean(reason.unwrap_or(status::reason_phrase(status)).as_bytes());
    writer.put(b"\r\n");
    writer
}

/// Begins header lines alone, to be put into a message later.
pub fn lines<'o>(out: &'o mut BytesMut) -> Writer<'o> {
    Writer { out }
}

/// A message in the making. Nobody can write a line of his own through a value: CR, LF, NUL and
/// the other control octets but HTAB become spaces.
#[must_use = "a message ends with `finish` or `body`"]
#[derive(Debug)]
pub struct Writer<'o> {
    out: &'o mut BytesMut,
}

impl Writer<'_> {
    /// Adds a header line.
    pub fn line(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.name(name);
        self.clean(value.as_ref());
        self.put(b"\r\n");
        self
    }

    /// Adds a header line with a formatted value.
    pub fn line_fmt(mut self, name: &str, value: fmt::Arguments<'_>) -> Self {
        self.name(name);
        // Writing to a growing buffer does not fail.
        let _ = Clean(&mut self).write_fmt(value);
        self.put(b"\r\n");
        self
    }

    /// Adds a header line with a number in it, between texts that the server made. Costs a tenth
    /// of formatting: each notification has two.
    pub fn line_number(mut self, name: &str, before: &str, number: u32, after: &str) -> Self {
        self.name(name);
        self.put(before.as_bytes());
        put_decimal(self.out, number);
        self.put(after.as_bytes());
        self.put(b"\r\n");
        self
    }

    /// Adds the CSeq line.
    pub fn cseq(mut self, number: u32, method: Method) -> Self {
        self.name("CSeq");
        put_decimal(self.out, number);
        self.put(b" ");
        self.put(method.as_str().as_bytes());
        self.put(b"\r\n");
        self
    }

    /// Adds whole header lines, each with its CRLF, as they are: for text the server made.
    pub fn raw(mut self, lines: &[u8]) -> Self {
        debug_assert!(lines.is_empty() || lines.ends_with(b"\r\n"));
        self.put(lines);
        self
    }

    /// Ends lines that are not a whole message.
    pub fn end(self) {}

    /// Ends a message without a body.
    pub fn finish(mut self) {
        self.put(b"Content-Length: 0\r\n\r\n");
    }

    /// Ends a message with a body.
    pub fn body(self, content_type: &str, body: &[u8]) {
        self.content(content_type.as_bytes(), body);
    }

    /// Ends a message with a body whose type somebody else wrote.
    pub fn content(mut self, content_type: &[u8], body: &[u8]) {
        self.name("Content-Type");
        self.clean(content_type);
        self.put(b"\r\n");
        put_content_length(self.out, body.len());
        self.put(b"\r\n");
        self.put(body);
    }

    fn name(&mut self, name: &str) {
        debug_assert!(octets::is_token(name.as_bytes()), "{name} is no header name");
        self.put(name.as_bytes());
        self.put(b": ");
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.out.put_slice(bytes);
    }

    #[inline]
    fn clean(&mut self, value: &[u8]) {
        put_clean(self.out, value);
    }

    /// A Via value whose first element came from `peer`.
    fn via(&mut self, value: &[u8], peer: SocketAddr) {
        let mut elements = List::new(value);
        let Some(top) = elements.next() else { return self.clean(value) };
        let Ok(via) = Via::parse(top) else { return self.clean(value) };
        let params = via.params.as_bytes();
        let sent_by = top.len().saturating_sub(params.len());
        self.clean(octets::trim_end(top.get(..sent_by).unwrap_or(&[])));
        let mut asked = false;
        for param in list::split(params, b';') {
            let name = param.split(|&o| o == b'=').next().map_or(&[][..], octets::trim);
            if name.eq_ignore_ascii_case(b"received") {
                continue;
            }
            self.put(b";");
            if name.eq_ignore_ascii_case(b"rport") {
                asked = true;
                self.put(b"rport=");
                put_decimal(self.out, u32::from(peer.port()));
            } else {
                self.clean(param);
            }
        }
        if asked || !is_address(via.host, peer.ip()) {
            self.put(b";received=");
            let _ = write!(self.out, "{}", peer.ip());
        }
        let rest = elements.rest();
        if !octets::trim(rest).is_empty() {
            self.put(b", ");
            self.clean(octets::trim_start(rest));
        }
    }
}

/// Formatting into a header value.
struct Clean<'w, 'o>(&'w mut Writer<'o>);

impl fmt::Write for Clean<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.clean(text.as_bytes());
        Ok(())
    }
}

/// Whether the host of a Via is this address.
fn is_address(host: &[u8], address: IpAddr) -> bool {
    let bare = host.strip_prefix(b"[").and_then(|h| h.strip_suffix(b"]")).unwrap_or(host);
    let text = std::str::from_utf8(bare).unwrap_or_default();
    text.parse::<IpAddr>() == Ok(address)
}

/// Appends a value, control octets but HTAB as spaces.
pub(super) fn put_clean(out: &mut BytesMut, value: &[u8]) {
    let mut from = 0usize;
    let mut searched = 0usize;
    loop {
        let at = octets::next_control(value, searched);
        searched = at.saturating_add(1);
        match value.get(at) {
            Some(b'\t') => continue,
            found => {
                out.put_slice(value.get(from..at).unwrap_or(&[]));
                if found.is_none() {
                    return;
                }
                out.put_u8(b' ');
                from = searched;
            }
        }
    }
}

/// Appends `Content-Length: len` and CRLF.
pub(super) fn put_content_length(out: &mut BytesMut, len: usize) {
    out.put_slice(b"Content-Length: ");
    put_decimal(out, u32::try_from(len).unwrap_or(u32::MAX));
    out.put_slice(b"\r\n");
}

/// Appends a number in decimal.
pub(super) fn put_decimal(out: &mut BytesMut, number: u32) {
    // Ten digits hold any 32-bit number; they are made from the last to the first.
    let mut digits = [b'0'; 10];
    let mut rest = number;
    let mut len = 0usize;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        len += 1;
        if rest == 0 {
            break;
        }
    }
    out.put_slice(digits.get(digits.len() - len..).unwrap_or(&[]));
}

#[cfg(test)]
mod tests;
