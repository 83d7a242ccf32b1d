//! Identifiers. Those that travel carry the shard that owns the thing they name, so the next
//! message finds its owner by reading, not by a shared table.

use std::fmt;

use super::aor;

/// A shard: the state owned by one core. Numbered from 0, dense.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u16);

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A slot of a [`Slab`](super::slab::Slab) and the generation that tells its tenants apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// Position in the slab.
    pub index: u32,
    /// Rises with each tenant of the slot, so a stale key finds nothing.
    pub generation: u32,
}

/// Declares a key that names a slot on a shard.
macro_rules! owned_key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            /// The owner, which is the only writer.
            pub shard: ShardId,
            /// Where the owner keeps it.
            pub slot: Slot,
        }

        impl $name {
            /// Length of the text form, fixed so that a token can be patched in place.
            pub const TOKEN_LEN: usize = 20;

            /// Names slot `slot` of `shard`.
            pub fn new(shard: ShardId, slot: Slot) -> Self {
                Self { shard, slot }
            }

            /// Text form: 20 lower-case hexadecimal digits.
            pub fn token(self) -> [u8; 20] {
                token(self.shard, self.slot)
            }

            /// Reads [`token`](Self::token) back; `None` for anything else. That the token is
            /// well formed says nothing about who wrote it: the owner checks it.
            pub fn from_token(text: &[u8]) -> Option<Self> {
                from_token(text).map(|(shard, slot)| Self { shard, slot })
            }
        }
    };
}

owned_key! {
    /// A connection: one TCP or TLS stream, owned by the shard that accepted it.
    ConnId
}
owned_key! {
    /// A two-party IM session, owned by the shard of the caller's connection.
    SessionId
}
owned_key! {
    /// A request in flight that we forwarded or sent: our client transaction. Its token is the
    /// branch of our Via, so a response names its owner.
    RelayId
}
owned_key! {
    /// A subscription, with its dialog; the shard is that of its connection.
    SubscriptionId
}

owned_key! {
    /// A member's dialog with a conference; the shard is that of its connection.
    LegId
}

/// Names a conference: 128 bits that nobody guesses. As text 32 hexadecimal digits, upper case, as
/// clients write them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConferenceId(pub u128);

impl ConferenceId {
    /// Octets of the text form.
    pub const TEXT_LEN: usize = 32;

    /// Reads the text form, in either case; `None` for anything else: a shorter name could be
    /// guessed.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() != Self::TEXT_LEN {
            return None;
        }
        text.iter()
            .try_fold(0u128, |value, octet| {
                let digit = char::from(*octet).to_digit(16)?;
                Some((value << 4) | u128::from(digit))
            })
            .map(ConferenceId)
    }

    /// The shard that owns the conference, of `shards`.
    pub fn home(self, shards: u16) -> ShardId {
        aor::home(self, shards)
    }
}

impl fmt::Display for ConferenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032X}", self.0)
    }
}

/// The dialect an endpoint speaks: decides which of two renderings of one thing it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// MS-SIP, as the Lync client speaks it: IM in INVITE sessions.
    Ms,
    /// Standard SIP with SIMPLE (RFC 3428): IM in single MESSAGE requests.
    Simple,
}

const HEX: &[u8; 16] = b"0123456789abcdef";

fn token(shard: ShardId, slot: Slot) -> [u8; 20] {
    let mut out = [0u8; 20];
    let value =
        (u128::from(shard.0) << 64) | (u128::from(slot.index) << 32) | u128::from(slot.generation);
    for (i, byte) in out.iter_mut().enumerate() {
        *byte = HEX[((value >> (76 - 4 * i)) & 0xf) as usize];
    }
    out
}

fn from_token(text: &[u8]) -> Option<(ShardId, Slot)> {
    if text.len() != 20 {
        return None;
    }
    let mut value = 0u128;
    for byte in text {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        value = (value << 4) | u128::from(digit);
    }
    let slot = Slot { index: (value >> 32) as u32, generation: value as u32 };
    Some((ShardId((value >> 64) as u16), slot))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_its_owner() {
        let id = ConnId::new(ShardId(0xfffe), Slot { index: 0x1234_5678, generation: 0x9abc_def0 });
        assert_eq!(&id.token(), b"fffe123456789abcdef0");
        assert_eq!(ConnId::from_token(&id.token()), Some(id));
    }

    #[test]
    fn a_conference_survives_its_text_in_either_case() {
        let text = "C71C6BB0267883E2248C1EA7F80725B8";
        let id = ConferenceId::parse(text.as_bytes()).unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(ConferenceId::parse(text.to_ascii_lowercase().as_bytes()), Some(id));
        for bad in ["", "1", &text[1..], "C71C6BB0267883E2248C1EA7F80725BG"] {
            assert_eq!(ConferenceId::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn anything_else_is_no_token() {
        for bad in
            [&b""[..], b"fffe123456789abcdef", b"FFFE123456789abcdef0", b"zffe123456789abcdef0"]
        {
            assert_eq!(ConnId::from_token(bad), None);
        }
    }
}
