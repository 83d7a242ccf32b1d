//! The security association that NTLM leaves behind (MS-SIPAE section 3.1.5): the keys of both
//! directions, which messages of the client were seen, and how many we have signed.
//!
//! A signature is the MAC of MS-NLMP section 3.4.4.2 over a text made of the message's parts. The
//! sequence number is the constant 100 and RC4 begins anew for each message, as datagrams want
//! it; so the eight octets of key stream never change, and are made once.

use std::fmt;

use bytes::{BufMut, BytesMut};
use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};
use rc4::{Rc4, StreamCipher as _};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

use super::nonce_count::NonceCounts;
use crate::base::seed::Seed;
use crate::wire::sip::SignedParts;

/// The realm of every NTLM challenge, which clients repeat.
pub const REALM: &str = "SIP Communications Service";

/// The sequence number in every MAC, in both directions.
const SEQUENCE: [u8; 4] = 100u32.to_le_bytes();
/// Version of a MAC.
const MAC_VERSION: [u8; 4] = 1u32.to_le_bytes();
/// Octets of a MAC.
const MAC_LEN: usize = 16;

/// The key that client and server have in common after a handshake: all others are made of it.
/// Wiped when dropped.
pub struct SessionKey([u8; 16]);

impl SessionKey {
    /// Guards `octets`.
    pub const fn new(octets: [u8; 16]) -> Self {
        SessionKey(octets)
    }

    /// A key for one direction and purpose (MS-NLMP sections 3.4.5.2 and 3.4.5.3, for session keys
    /// of 128 bits).
    fn derive(&self, direction: &str, purpose: &str) -> Zeroizing<[u8; 16]> {
        let mut hash = Md5::new();
        hash.update(self.0);
        for part in ["session key to ", direction, purpose, "key magic constant\0"] {
            hash.update(part);
        }
        Zeroizing::new(hash.finalize().into())
    }
}

impl Drop for SessionKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey([hidden])")
    }
}

/// The name of a security association: eight hexadecimal digits, as clients repeat it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Opaque([u8; 8]);

impl Opaque {
    /// A new name.
    pub fn mint(seed: &mut Seed) -> Self {
        Opaque(hex_digits(seed))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Whether a client means this one.
    pub fn is(&self, text: &[u8]) -> bool {
        text.eq_ignore_ascii_case(&self.0)
    }
}

impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a client says to a message it signed, as it stands in its Authorization header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signature<'a> {
    /// Which security association.
    pub opaque: &'a [u8],
    /// Chance, as text.
    pub crand: &'a [u8],
    /// The number of the message, as text; rises by one.
    pub cnum: &'a [u8],
    /// The MAC in hexadecimal.
    pub response: &'a [u8],
}

/// One end's keys and counts.
#[derive(Clone)]
pub struct SecurityAssociation {
    opaque: Opaque,
    /// Of what the client sends.
    incoming: MacKey,
    /// Of what we send.
    outgoing: MacKey,
    /// The client's numbers that were used.
    counts: NonceCounts,
    /// The number of our last message.
    snum: u64,
}

impl fmt::Debug for SecurityAssociation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecurityAssociation({:?})", self.opaque)
    }
}

impl SecurityAssociation {
    /// The association named `opaque`, with keys made of `key`.
    pub fn new(key: &SessionKey, opaque: Opaque) -> Self {
        SecurityAssociation {
            opaque,
            incoming: MacKey::new(key, "client-to-server "),
            outgoing: MacKey::new(key, "server-to-client "),
            counts: NonceCounts::default(),
            snum: 0,
        }
    }

    /// Its name.
    pub fn opaque(&self) -> Opaque {
        self.opaque
    }

    /// Whether the client signed a message of these parts, with a number it has not used before.
    /// A number is used only by a signature that holds, and each once; one that is 64 or more
    /// below the highest counts as used. `target` is the name of this server.
    pub fn verify(
        &mut self,
        signature: &Signature<'_>,
        parts: &SignedParts<'_>,
        target: &str,
    ) -> bool {
        let Some(presented) = read_mac(signature.response) else { return false };
        let cnum = std::str::from_utf8(signature.cnum).ok().and_then(|text| text.parse().ok());
        let Some(cnum) = cnum else { return false };
        let mac = self.incoming.mac(signature.crand, signature.cnum, target, parts);
        self.opaque.is(signature.opaque)
            && bool::from(mac.ct_eq(&presented))
            && self.counts.take(cnum)
    }

    /// Signs a message of these parts: appends a whole Authentication-Info line to `out`.
    pub fn sign(
        &mut self,
        parts: &SignedParts<'_>,
        seed: &mut Seed,
        target: &str,
        out: &mut BytesMut,
    ) {
        self.snum += 1;
        let srand = hex_digits(seed);
        let mut digits = [0; 20];
        let snum = decimal(self.snum, &mut digits);
        let mac = self.outgoing.mac(&srand, snum, target, parts);
        out.put_slice(b"Authentication-Info: NTLM rspauth=\"");
        for octet in mac {
            out.put_slice(&[hex_digit(octet >> 4), hex_digit(octet)]);
        }
        for (name, value) in [
            (&b"\", srand=\""[..], &srand[..]),
            (b"\", snum=\"", snum),
            (b"\", opaque=\"", &self.opaque.0),
            (b"\", qop=\"auth\", targetname=\"", target.as_bytes()),
            (b"\", realm=\"", REALM.as_bytes()),
        ] {
            out.put_slice(name);
            out.put_slice(value);
        }
        out.put_slice(b"\"\r\n");
    }

    /// Most octets that [`sign`](Self::sign) appends for this server.
    pub fn line_len_max(target: &str) -> usize {
        192 + target.len() + REALM.len()
    }
}

/// The keys of one direction, made ready: the MAC of one message costs its hashing alone.
#[derive(Clone)]
struct MacKey {
    /// Has taken in what every text begins with.
    hmac: Hmac<Md5>,
    key_stream: [u8; 8],
}

impl MacKey {
    fn new(key: &SessionKey, direction: &str) -> Self {
        let signing = key.derive(direction, "signing ");
        let sealing = key.derive(direction, "sealing ");
        // HMAC takes a block of 64 octets; a shorter key is filled with zeros (RFC 2104).
        let mut block = Zeroizing::new([0; 64]);
        for (to, from) in block.iter_mut().zip(signing.iter()) {
            *to = *from;
        }
        let mut hmac = Hmac::<Md5>::new(&(*block).into());
        hmac.update(&SEQUENCE);
        hmac.update(b"<NTLM><");
        let mut hash = Md5::new();
        hash.update(*sealing);
        hash.update(SEQUENCE);
        let rc4_key: Zeroizing<[u8; 16]> = Zeroizing::new(hash.finalize().into());
        MacKey { hmac, key_stream: rc4(&rc4_key, [0; 8]) }
    }

    fn mac(&self, rand: &[u8], num: &[u8], target: &str, parts: &SignedParts<'_>) -> [u8; MAC_LEN] {
        let mut hmac = self.hmac.clone();
        hmac.update(rand);
        for part in [num, REALM.as_bytes(), target.as_bytes()] {
            hmac.update(b"><");
            hmac.update(part);
        }
        hmac.update(b">");
        parts.write(|piece| hmac.update(piece));
        let whole: [u8; 16] = hmac.finalize().into_bytes().into();
        let mut mac = [0; MAC_LEN];
        let sealed = whole.iter().zip(self.key_stream).map(|(octet, key)| octet ^ key);
        let octets = MAC_VERSION.into_iter().chain(sealed).chain(SEQUENCE);
        for (place, octet) in mac.iter_mut().zip(octets) {
            *place = octet;
        }
        mac
    }
}

/// RC4 of `data` under a key of 16 octets.
pub(super) fn rc4<const N: usize>(key: &[u8; 16], mut data: [u8; N]) -> [u8; N] {
    // RC4 takes a key of any length from 1 to 256.
    if let Ok(mut cipher) = <Rc4 as rc4::KeyInit>::new_from_slice(key) {
        cipher.apply_keystream(&mut data);
    }
    data
}

/// 32 hexadecimal digits of either case.
fn read_mac(text: &[u8]) -> Option<[u8; MAC_LEN]> {
    let (pairs, rest) = text.as_chunks::<2>();
    if pairs.len() != MAC_LEN || !rest.is_empty() {
        return None;
    }
    let mut mac = [0; MAC_LEN];
    for (octet, [high, low]) in mac.iter_mut().zip(pairs) {
        let value = |digit: &u8| char::from(*digit).to_digit(16);
        *octet = (value(high)? << 4 | value(low)?) as u8;
    }
    Some(mac)
}

/// The lower-case digit of the low half of `octet`.
fn hex_digit(octet: u8) -> u8 {
    match octet & 0xf {
        digit @ 0..=9 => b'0' + digit,
        digit => b'a' + digit - 10,
    }
}

/// Eight digits of chance, upper case as the product writes them.
fn hex_digits(seed: &mut Seed) -> [u8; 8] {
    let chance = seed.next_u64().to_le_bytes();
    chance.map(|octet| hex_digit(octet).to_ascii_uppercase())
}

/// The decimal digits of a number, at the end of `digits`.
fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut len = 0;
    for place in digits.iter_mut().rev() {
        *place = b'0' + (number % 10) as u8;
        number /= 10;
        len += 1;
        if number == 0 {
            break;
        }
    }
    digits.get(digits.len() - len..).unwrap_or_default()
}

#[cfg(test)]
mod tests;
