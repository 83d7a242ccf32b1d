//! Body of the fuzz target `multipart`, as an ordinary function that the property tests drive too.

use super::content_type::ContentType;
use super::multipart::{parts, related};
use super::sdp;
use crate::base::limits::Limits;

/// Any octets are read or refused, and what was read can be written and read again, if its names
/// are such as we give. They may be a content type or a session description as well.
pub fn multipart(data: &[u8]) {
    content_type(data);
    if sdp::offers_message(data) {
        assert!(data.windows(9).any(|part| part == b"m=message"));
    }
    assert!(sdp::accepts(data, "text/plain") || data.windows(7).any(|part| part == b"a=accep"));
    let limits = Limits { mime_parts_max: 8, ..Limits::default() };
    let content_type = ContentType::parse(b"multipart/related; boundary=b");
    let Ok(read) = parts(content_type, data, &limits) else { return };
    let is_foreign = |octet: &u8| octet.is_ascii_control() || matches!(octet, b';' | b'"');
    let is_ours = |name: &[u8]| !name.iter().any(is_foreign);
    if read.is_empty() || !read.iter().all(|part| is_ours(part.content_id)) {
        return;
    }
    let written = related(&read);
    let content_type = ContentType::parse(written.content_type.as_bytes());
    let again = parts(content_type, &written.body, &limits).expect("what is written is read");
    assert_eq!(again.len(), read.len());
    for (again, read) in again.iter().zip(&read) {
        let cut = again.body.strip_suffix(b"\r\n").unwrap_or(again.body);
        assert_eq!(cut, read.body);
        assert_eq!(again.content_type, read.content_type);
        assert_eq!(again.content_id, read.content_id);
    }
}

/// What is said of a content type is a part of it.
fn content_type(data: &[u8]) {
    let read = ContentType::parse(data);
    let inside = |part: &[u8]| {
        let (range, at) = (data.as_ptr_range(), part.as_ptr_range());
        part.is_empty() || (range.start <= at.start && at.end <= range.end)
    };
    assert!(inside(read.media));
    assert!(["boundary", "charset", "start"].iter().filter_map(|n| read.param(n)).all(inside));
}
