//! AUTHENTICATE_MESSAGE (MS-NLMP section 2.2.1.3), read.

use super::{SIGNATURE, flags};

/// Longest message read. Real ones are under 1 KiB; what repeats our own challenge is most of it.
pub const OCTETS_MAX: usize = 4096;

/// NTLMv2 proof and the least that follows it (MS-NLMP section 2.2.2.8).
const NT_RESPONSE_MIN: usize = 16 + 28;

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Shorter than its fixed fields, or longer than [`OCTETS_MAX`].
    Length,
    /// Not NTLM, or another message of it.
    Type,
    /// A field lies outside of the message.
    Field,
    /// The client did not take what is required.
    Flags,
    /// No NTLMv2 response: the older one is not accepted.
    Response,
    /// A name is not UTF-16, or there is none.
    Name,
    /// No session key of 16 octets.
    SessionKey,
}

/// The client's answer to a challenge. Its LM response and workstation are not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authenticate<'a> {
    /// The NTLMv2 proof.
    pub proof: &'a [u8; 16],
    /// What the proof covers besides the server's challenge: time, the client's challenge and the
    /// attributes of the server.
    pub blob: &'a [u8],
    /// The domain the user gave, in UTF-16LE; may be empty.
    pub domain: &'a [u8],
    /// The name the user gave, in UTF-16LE; not empty.
    pub user: &'a [u8],
    /// The session key of the client's choice, encrypted.
    pub session_key: &'a [u8; 16],
}

impl<'a> Authenticate<'a> {
    /// Reads a message.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn read(message: &'a [u8]) -> Result<Self, Error> {
        if message.len() > OCTETS_MAX {
            return Err(Error::Length);
        }
        let rest = message.strip_prefix(SIGNATURE).ok_or(Error::Type)?;
        if number(rest, 0).ok_or(Error::Length)? != 3 {
            return Err(Error::Type);
        }
        let chosen = number(message, 60).ok_or(Error::Length)?;
        if chosen & flags::REQUIRED != flags::REQUIRED {
            return Err(Error::Flags);
        }
        let response = field(message, 20).ok_or(Error::Field)?;
        let domain = field(message, 28).ok_or(Error::Field)?;
        let user = field(message, 36).ok_or(Error::Field)?;
        let session_key = field(message, 52).ok_or(Error::Field)?;
        if response.len() < NT_RESPONSE_MIN {
            return Err(Error::Response);
        }
        let (proof, blob) = response.split_first_chunk().ok_or(Error::Response)?;
        if user.is_empty() || user.len() % 2 == 1 || domain.len() % 2 == 1 {
            return Err(Error::Name);
        }
        let session_key = session_key.try_into().map_err(|_| Error::SessionKey)?;
        Ok(Authenticate { proof, blob, domain, user, session_key })
    }
}

/// The text of UTF-16LE octets; `None` when they are none.
pub fn text(utf16: &[u8]) -> Option<String> {
    let (units, rest) = utf16.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    char::decode_utf16(units.iter().map(|unit| u16::from_le_bytes(*unit)))
        .collect::<Result<String, _>>()
        .ok()
}

/// The part of the payload that the field at `at` names: length, room, offset.
fn field(message: &[u8], at: usize) -> Option<&[u8]> {
    let (len, _) = message.get(at..)?.split_first_chunk::<2>()?;
    let len = usize::from(u16::from_le_bytes(*len));
    let start = usize::try_from(number(message, at.checked_add(4)?)?).ok()?;
    message.get(start..start.checked_add(len)?)
}

/// The 32-bit number at `at`.
fn number(message: &[u8], at: usize) -> Option<u32> {
    message.get(at..)?.first_chunk::<4>().map(|octets| u32::from_le_bytes(*octets))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;

    /// Bob's answer in the transcript `ntlm-v4`.
    const TRANSCRIPT: &str = "TlRMTVNTUAADAAAAGAAYAFIAAACUAJQAagAAAAAAAABIAAAABgAGAEgAAAAEAAQA\
        TgAAABAAEAD+AAAAVYKYYgUBKAoAAAAPYgBvAGIAVgBNAEpilrzkVmeleUv6K4bFsAkR7O/LB8wJsKIJmCcDDvEtzzJK\
        Gq1vDdgBAQAAAAAAAACOvjk1ed0BEezvywfMCbAAAAAAAgAOAEUAWABBAE0AUABMAEUAAQAIAEYARQAwADEABAAYAGUA\
        eABhAG0AcABsAGUALgB0AGUAcwB0AAMAIgBmAGUAMAAxAC4AZQB4AGEAbQBwAGwAZQAuAHQAZQBzAHQAAAAAAAAAAADF\
        GzjHHHsZlOzHoDkKeGX0";

    fn transcript() -> Vec<u8> {
        STANDARD.decode(TRANSCRIPT).unwrap()
    }

    fn changed(change: impl FnOnce(&mut Vec<u8>)) -> Result<(), Error> {
        let mut octets = transcript();
        change(&mut octets);
        Authenticate::read(&octets).map(drop)
    }

    #[test]
    fn the_lync_clients_answer_is_read() {
        let octets = transcript();
        let read = Authenticate::read(&octets).unwrap();
        assert_eq!(text(read.user).as_deref(), Some("bob"));
        assert_eq!(read.domain, b"");
        assert_eq!(read.blob.len(), 0x94 - 16);
        assert_eq!(read.session_key[..4], [0xc5, 0x1b, 0x38, 0xc7]);
    }

    #[test]
    fn each_fault_has_its_error() {
        assert_eq!(Authenticate::read(b""), Err(Error::Type));
        assert_eq!(Authenticate::read(SIGNATURE), Err(Error::Length));
        assert_eq!(changed(|m| m.truncate(62)), Err(Error::Length));
        assert_eq!(changed(|m| m.resize(OCTETS_MAX + 1, 0)), Err(Error::Length));
        assert_eq!(changed(|m| m[8] = 1), Err(Error::Type));
        assert_eq!(changed(|m| m[0] = b'X'), Err(Error::Type));
        assert_eq!(changed(|m| m[60] &= !1), Err(Error::Flags));
        assert_eq!(changed(|m| m[27] = 0xff), Err(Error::Field));
        assert_eq!(changed(|m| m[20] = 43), Err(Error::Response));
        assert_eq!(changed(|m| m[36] = 0), Err(Error::Name));
        assert_eq!(changed(|m| m[36] = 5), Err(Error::Name));
        assert_eq!(changed(|m| m[52] = 15), Err(Error::SessionKey));
    }

    #[test]
    fn half_a_surrogate_is_no_text() {
        assert_eq!(text(&[0x00, 0xd8]), None);
        assert_eq!(text(&[0x61]), None);
        assert_eq!(text(&[0x3d, 0xd8, 0x26, 0xdc]).as_deref(), Some("\u{1f426}"));
    }

    proptest! {
        #[test]
        fn every_promise_holds_for_any_octets(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
            super::super::fuzz::authenticate(&octets);
        }

        #[test]
        fn every_promise_holds_for_nearly_a_message(
            changes in proptest::collection::vec((0usize..270, any::<u8>()), 0..6),
            len in 0usize..271,
        ) {
            let mut octets = transcript();
            for (at, octet) in changes {
                if let Some(place) = octets.get_mut(at) {
                    *place = octet;
                }
            }
            octets.truncate(len);
            super::super::fuzz::authenticate(&octets);
        }
    }
}
