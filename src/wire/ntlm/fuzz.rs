//! Bodies of the fuzz targets in `tests/fuzz`, driven by the property tests too.

use super::authenticate::{Authenticate, text};

/// Any octets can be read, and what is read is a part of them.
pub fn authenticate(data: &[u8]) {
    let Ok(read) = Authenticate::read(data) else { return };
    for part in [&read.proof[..], read.blob, read.domain, read.user, &read.session_key[..]] {
        let (range, at) = (data.as_ptr_range(), part.as_ptr_range());
        assert!(part.is_empty() || (range.start <= at.start && at.end <= range.end));
    }
    for name in [read.user, read.domain] {
        if let Some(text) = text(name) {
            let octets: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            assert_eq!(octets, name);
        }
    }
}
