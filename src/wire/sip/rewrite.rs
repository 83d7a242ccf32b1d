//! Copying a message with edits, in one pass: what a proxy does to it (RFC 3261 section 16.6).

use bytes::{BufMut, BytesMut};

use super::head::Field;
use super::header::{HeaderName, HeaderSet};
use super::list::List;
use super::message::Message;
use super::write;

/// The edits to one message. The default copies it as it is; header lines that are not named keep
/// their octets and their order, and runs of them are copied at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rewrite<'a> {
    /// A new Request-URI.
    pub uri: Option<&'a [u8]>,
    /// Whole header lines put right behind the start line: our Via, Record-Route.
    pub top: &'a [u8],
    /// Header lines left out. Content-Length always stays.
    pub drop: HeaderSet,
    /// Leaves out the first Via element, for a response on its way back.
    pub drop_first_via: bool,
    /// Number of leading Route elements left out.
    pub drop_routes: usize,
    /// Replaces Max-Forwards, or adds it.
    pub max_forwards: Option<u8>,
    /// Whole header lines put before the blank line.
    pub bottom: &'a [u8],
    /// A new body; Content-Length follows it.
    pub body: Option<&'a [u8]>,
}

impl Rewrite<'_> {
    /// Appends the edited message to `out`. `top` stands at [`Rewrite::start_line_len`] octets
    /// from where the message begins there.
    pub fn write(&self, message: Message<'_>, out: &mut BytesMut) {
        let bytes = message.bytes();
        let head = message.head();
        out.reserve(self.len_max(message));
        self.start_line(message, out);
        out.put_slice(self.top);

        let mut copy = Copy { bytes, run: head.start_line_len(), out };
        let mut routes = self.drop_routes;
        let mut vias = usize::from(self.drop_first_via);
        let mut max_forwards = self.max_forwards;
        let mut length_written = false;
        let blank_line = head.len().saturating_sub(2);
        let fields = head.fields();
        let ends = fields.iter().skip(1).map(|field| usize::from(field.name_span.start));
        for (field, end) in fields.iter().zip(ends.chain([blank_line])) {
            match field.name {
                HeaderName::ContentLength => {
                    length_written = true;
                    if let Some(body) = self.body {
                        write::put_content_length(copy.instead_of(field, end), body.len());
                    }
                }
                name if self.drop.contains(name) => drop(copy.instead_of(field, end)),
                HeaderName::Via if vias > 0 => copy.without_elements(field, end, &mut vias),
                HeaderName::Route if routes > 0 => copy.without_elements(field, end, &mut routes),
                HeaderName::MaxForwards if self.max_forwards.is_some() => {
                    let out = copy.instead_of(field, end);
                    put_max_forwards(out, max_forwards.take());
                }
                _ => {}
            }
        }
        copy.up_to(blank_line);
        put_max_forwards(out, max_forwards);
        out.put_slice(self.bottom);
        let body = self.body.unwrap_or(message.body());
        if !length_written {
            write::put_content_length(out, body.len());
        }
        out.put_slice(b"\r\n");
        out.put_slice(body);
    }

    /// Octets of the new start line with its CRLF.
    pub fn start_line_len(&self, message: Message<'_>) -> usize {
        let len = message.head().start_line_len();
        match self.uri {
            Some(uri) if message.is_request() => {
                len.saturating_sub(message.uri().len()).saturating_add(uri.len())
            }
            _ => len,
        }
    }

    /// A bound on what is written, so that the buffer grows once at most.
    fn len_max(&self, message: Message<'_>) -> usize {
        let added = [self.uri, Some(self.top), Some(self.bottom), self.body];
        let added = added.into_iter().flatten().map(<[u8]>::len);
        added.fold(message.bytes().len(), usize::saturating_add).saturating_add(64)
    }

    fn start_line(&self, message: Message<'_>, out: &mut BytesMut) {
        let line = message.bytes().get(..message.head().start_line_len()).unwrap_or(&[]);
        let target = message.head().uri();
        match self.uri {
            Some(uri) if message.is_request() => {
                out.put_slice(line.get(..usize::from(target.start)).unwrap_or(&[]));
                write::put_clean(out, uri);
                out.put_slice(line.get(usize::from(target.end)..).unwrap_or(&[]));
            }
            _ => out.put_slice(line),
        }
    }
}

fn put_max_forwards(out: &mut BytesMut, hops: Option<u8>) {
    if let Some(hops) = hops {
        out.put_slice(b"Max-Forwards: ");
        write::put_decimal(out, u32::from(hops));
        out.put_slice(b"\r\n");
    }
}

/// Copies runs of unchanged lines.
struct Copy<'m, 'o> {
    bytes: &'m [u8],
    /// Start of the lines not copied yet.
    run: usize,
    out: &'o mut BytesMut,
}

impl Copy<'_, '_> {
    fn up_to(&mut self, end: usize) {
        self.out.put_slice(self.bytes.get(self.run..end).unwrap_or(&[]));
        self.run = end;
    }

    /// Copies all lines before that of `field`, and goes on behind it, at `end`: where to write
    /// what stands in its place.
    fn instead_of(&mut self, field: &Field, end: usize) -> &mut BytesMut {
        self.up_to(usize::from(field.name_span.start));
        self.run = end;
        self.out
    }

    /// Leaves out up to `count` leading elements of a comma list, and the line with the last one;
    /// takes them off `count`.
    fn without_elements(&mut self, field: &Field, end: usize, count: &mut usize) {
        let mut elements = List::new(field.value.of(self.bytes));
        while *count > 0 && elements.next().is_some() {
            *count -= 1;
        }
        let rest = elements.rest();
        let out = self.instead_of(field, end);
        if List::new(rest).next().is_some() {
            out.put_slice(field.name.as_str().as_bytes());
            out.put_slice(b": ");
            write::put_clean(out, super::octets::trim(rest));
            out.put_slice(b"\r\n");
        }
    }
}

#[cfg(test)]
mod tests;
