//! Body of the fuzz target `multipart`, as an ordinary function that the property tests drive too.

use super::content_type::ContentType;
use super::multipart::{parts, related};
use crate::base::limits::Limits;

/// Any octets are read or refused, and what was read can be written and read again, if its names
/// are such as we give.
pub fn multipart(data: &[u8]) {
    let limits = Limits { mime_parts_max: 8, ..Limits::default() };
    let content_type = ContentType::parse(b"multipart/related; boundary=b");
    let Ok(read) = parts(content_type, data, &limits) else { return };
    let is_ours = |name: &[u8]| !name.iter().any(|octet| matches!(octet, b';' | b'"'));
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
        assert_eq!(again.content_id, read.content_id.trim_ascii());
    }
}
