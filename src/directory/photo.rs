//! The picture of a user as it is kept: made anew of what was uploaded, so that it says nothing but
//! what is to be seen.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

/// Longest side of the picture, in pixels: what Lync clients ask Exchange for at most.
pub const LARGE_SIDE_MAX: u32 = 648;
/// Longest side of the small one, in pixels: that of a picture in Active Directory.
pub const SMALL_SIDE_MAX: u32 = 96;

/// A picture, in two sizes.
#[derive(Clone, PartialEq, Eq)]
pub struct Photo {
    /// JPEG of at most [`LARGE_SIDE_MAX`] pixels a side.
    pub large: Arc<[u8]>,
    /// The same of at most [`SMALL_SIDE_MAX`].
    pub small: Arc<[u8]>,
}

impl Photo {
    /// What it is known by.
    pub fn hash(&self) -> PhotoHash {
        PhotoHash(Sha256::digest(&self.large).into())
    }
}

impl fmt::Debug for Photo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Photo({})", self.hash())
    }
}

/// SHA-256 of the large picture. Nobody guesses it who has not seen the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PhotoHash(pub [u8; 32]);

impl PhotoHash {
    /// Reads what [`Display`](fmt::Display) writes; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut hash = [0; 32];
        let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() != 2 * hash.len() || !text.bytes().all(is_digit) {
            return None;
        }
        for (octet, at) in hash.iter_mut().zip((0..).step_by(2)) {
            *octet = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
        }
        Some(PhotoHash(hash))
    }
}

/// 64 hexadecimal digits.
impl fmt::Display for PhotoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// A user's picture is another one, or is taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhotoChange {
    /// Address-of-record of the user.
    pub aor: String,
    /// The new one; `None` takes it away.
    pub photo: Option<Photo>,
    /// Where the new one can be fetched, for his card; `None` where nobody can.
    pub url: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_as_it_is_written() {
        let photo = Photo { large: (*b"large").into(), small: (*b"small").into() };
        let text = photo.hash().to_string();
        assert_eq!(text.len(), 64);
        assert_eq!(PhotoHash::parse(&text), Some(photo.hash()));
        let odd = format!("{}\u{e9}", &text[..62]);
        for text in ["", "ab", &text[1..], &text.to_uppercase(), &format!("{text}0"), &odd] {
            assert_eq!(PhotoHash::parse(text), None, "{text}");
        }
    }
}
