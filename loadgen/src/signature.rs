//! The signatures that follow NTLM (MS-SIPAE section 3.1.5): what the client signs, how it signs
//! it, and how it checks what the server signed. Versions 3 and 4 cover the same text.
//!
//! The sequence number in each MAC is the constant 100, and RC4 begins anew for each message, as
//! datagrams want it; so the eight octets of key stream never change and are made once.

use crate::auth_params::{Params, after_scheme, push_quoted};
use crate::ntlm::{keyed, rc4};
use crate::number::{push_number, read_number};
use crate::population::mix;
use crate::scan::{Message, Name};
use hmac::{Hmac, Mac as _};
use md5::{Digest as _, Md5};
use std::fmt;

/// The sequence number of every MAC, in both directions.
const SEQUENCE: [u8; 4] = 100u32.to_le_bytes();
/// Version of a MAC.
const MAC_VERSION: [u8; 4] = 1u32.to_le_bytes();

/// What is wrong with the signature of a message that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureError {
    /// There is none, or it is not made with the keys in force.
    Missing,
    /// Its number does not rise: the message came before.
    Repeated,
    /// It does not fit the message.
    Wrong,
}

impl fmt::Display for SignatureError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            SignatureError::Missing => "a message of the server is not signed",
            SignatureError::Repeated => "a signature of the server has a number that was used",
            SignatureError::Wrong => "a signature of the server does not fit its message",
        })
    }
}

/// The keys that a handshake left, and how many messages they have signed.
#[derive(Clone, Debug)]
pub struct Association {
    /// The credentials of every message, in front of what is its own.
    credentials: Vec<u8>,
    opaque: Vec<u8>,
    /// Realm and target as the covered text has them.
    place: Vec<u8>,
    outgoing: MacKey,
    incoming: MacKey,
    /// What `crand` is made of.
    chance: u64,
    cnum: u32,
    snum: u64,
}

impl Association {
    /// The association named `opaque` with this server, with keys made of `session_key`.
    pub fn new(
        session_key: &[u8; 16],
        opaque: &[u8],
        realm: &[u8],
        target: &[u8],
        chance: u64,
    ) -> Association {
        let mut credentials = Vec::new();
        push_quoted(&mut credentials, b"NTLM qop=\"auth\", opaque=\"", opaque);
        push_quoted(&mut credentials, b", realm=\"", realm);
        push_quoted(&mut credentials, b", targetname=\"", target);
        Association {
            credentials,
            opaque: opaque.to_vec(),
            place: [b"<", realm, b"><", target, b">"].concat(),
            outgoing: MacKey::new(session_key, "client-to-server"),
            incoming: MacKey::new(session_key, "server-to-client"),
            chance,
            cnum: 0,
            snum: 0,
        }
    }

    /// The other end of the same association.
    #[cfg(test)]
    pub(crate) fn mirrored(self) -> Association {
        let Association { outgoing, incoming, .. } = self;
        Association { outgoing: incoming, incoming: outgoing, ..self }
    }

    /// The credentials of every message, in front of what is its own.
    pub fn credentials(&self) -> &[u8] {
        &self.credentials
    }

    /// Appends the parameters that sign a message of ours. `covered` is a buffer for its text.
    pub fn sign(&mut self, message: Message<'_>, covered: &mut Vec<u8>, out: &mut Vec<u8>) {
        self.cnum = self.cnum.wrapping_add(1);
        let chance = mix(self.chance ^ u64::from(self.cnum)).to_le_bytes();
        out.extend_from_slice(b", crand=\"");
        let crand_at = out.len();
        push_hex(out, chance.get(..4).unwrap_or_default(), b"0123456789abcdef");
        let crand = out.get(crand_at..).unwrap_or_default();
        covered.clear();
        cover(message, crand, |out| push_number(out, self.cnum.into()), &self.place, covered);
        let mac = self.outgoing.mac(covered);
        out.extend_from_slice(b"\", cnum=\"");
        push_number(out, self.cnum.into());
        out.extend_from_slice(b"\", response=\"");
        push_hex(out, &mac, b"0123456789ABCDEF");
        out.push(b'"');
    }

    /// Checks the signature of a message that came. Unsigned may be what the Lync client takes
    /// without: a provisional answer, a challenge, a REGISTER that was refused.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn verify(
        &mut self,
        message: Message<'_>,
        covered: &mut Vec<u8>,
    ) -> Result<(), SignatureError> {
        let ours = message.values(Name::AuthenticationInfo).find_map(|value| self.read(value));
        let Some(signature) = ours else {
            return if is_free(message) { Ok(()) } else { Err(SignatureError::Missing) };
        };
        let snum = read_number(signature.snum).ok_or(SignatureError::Wrong)?;
        covered.clear();
        let number = |out: &mut Vec<u8>| out.extend_from_slice(signature.snum);
        cover(message, signature.srand, number, &self.place, covered);
        let mac = self.incoming.mac(covered);
        if read_hex(signature.rspauth) != Some(mac) {
            return Err(SignatureError::Wrong);
        }
        // On one stream they come in the order in which they were signed.
        if snum <= self.snum {
            return Err(SignatureError::Repeated);
        }
        self.snum = snum;
        Ok(())
    }

    /// The signature in a value of Authentication-Info, when it is one of these keys.
    fn read<'a>(&self, value: &'a [u8]) -> Option<Signature<'a>> {
        let mut signature = Signature::default();
        let mut opaque: &[u8] = &[];
        for (name, value) in Params(after_scheme(value, "NTLM")?) {
            match () {
                () if name.eq_ignore_ascii_case(b"rspauth") => signature.rspauth = value,
                () if name.eq_ignore_ascii_case(b"srand") => signature.srand = value,
                () if name.eq_ignore_ascii_case(b"snum") => signature.snum = value,
                () if name.eq_ignore_ascii_case(b"opaque") => opaque = value,
                () => {}
            }
        }
        opaque.eq_ignore_ascii_case(&self.opaque).then_some(signature)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Signature<'a> {
    rspauth: &'a [u8],
    srand: &'a [u8],
    snum: &'a [u8],
}

/// Whether a message may come without a signature.
fn is_free(message: Message<'_>) -> bool {
    match message.status() {
        None => false,
        Some(100..200 | 401 | 407) => true,
        Some(status) => status >= 300 && message.method() == b"REGISTER",
    }
}

/// The keys of one direction, made ready: the MAC of one message costs its hashing alone.
#[derive(Clone, Debug)]
struct MacKey {
    /// Has taken in what every text begins with.
    hmac: Hmac<Md5>,
    key_stream: [u8; 8],
}

impl MacKey {
    /// MS-NLMP sections 3.4.5.2 and 3.4.5.3, for session keys of 128 bits.
    fn new(session_key: &[u8; 16], direction: &str) -> MacKey {
        let derive = |purpose: &str| -> [u8; 16] {
            let magic = format!("session key to {direction} {purpose} key magic constant\0");
            Md5::digest([session_key, magic.as_bytes()].concat()).into()
        };
        let mut hmac = keyed(&derive("signing"));
        hmac.update(&SEQUENCE);
        let sealing = Md5::digest([derive("sealing").as_slice(), &SEQUENCE].concat());
        MacKey { hmac, key_stream: rc4(&sealing.into(), [0; 8]) }
    }

    /// MS-NLMP section 3.4.4.2.
    fn mac(&self, covered: &[u8]) -> [u8; 16] {
        let hmac = self.hmac.clone().chain_update(covered);
        let whole: [u8; 16] = hmac.finalize().into_bytes().into();
        let sealed = whole.iter().zip(self.key_stream).map(|(octet, key)| octet ^ key);
        let octets = MAC_VERSION.into_iter().chain(sealed).chain(SEQUENCE);
        let mut mac = [0; 16];
        for (place, octet) in mac.iter_mut().zip(octets) {
            *place = octet;
        }
        mac
    }
}

/// Appends the text that a signature covers; `place` is realm and target, each in brackets. The
/// parts are cut as the Lync client cuts them: the first `<`, the first `;tag=`, no quotes.
fn cover(
    message: Message<'_>,
    rand: &[u8],
    number: impl Fn(&mut Vec<u8>),
    place: &[u8],
    out: &mut Vec<u8>,
) {
    let (from, to) = (message.value(Name::From), message.value(Name::To));
    let cseq = message.value(Name::CSeq);
    let cseq_number = cseq.split(|octet| *octet == b' ').next().unwrap_or_default();
    let (sip_identity, tel_identity) = identities(message);
    out.extend_from_slice(b"<NTLM><");
    out.extend_from_slice(rand);
    out.extend_from_slice(b"><");
    number(out);
    out.push(b'>');
    out.extend_from_slice(place);
    for part in [
        message.value(Name::CallId),
        cseq_number,
        message.method(),
        between(from, b"<", b'>').unwrap_or_default(),
        between(from, b";tag=", b';').unwrap_or_default(),
        between(to, b"<", b'>').unwrap_or_default(),
        between(to, b";tag=", b';').unwrap_or_default(),
        sip_identity,
        tel_identity,
        message.value(Name::Expires),
    ] {
        out.push(b'<');
        out.extend_from_slice(part);
        out.push(b'>');
    }
    if let Some(status) = message.status() {
        out.push(b'<');
        push_number(out, status.into());
        out.push(b'>');
    }
}

/// The first SIP URI and the first telephone URI of the identity that the message asserts, or
/// else prefers.
fn identities(message: Message<'_>) -> (&[u8], &[u8]) {
    let text = match message.value(Name::PAssertedIdentity) {
        b"" => message.value(Name::PPreferredIdentity),
        asserted => asserted,
    };
    let is = |uri: &[u8], scheme: &[u8]| {
        uri.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    if is(text, b"tel:") {
        return (&[], text);
    }
    let uris = || text.split(|octet| *octet == b',').filter_map(|part| between(part, b"<", b'>'));
    let first = |scheme: &[u8]| uris().find(|uri| is(uri, scheme)).unwrap_or_default();
    (first(b"sip:"), first(b"tel:"))
}

/// What stands behind the first `before` and in front of the next `after`, or of the end.
fn between<'a>(text: &'a [u8], before: &[u8], after: u8) -> Option<&'a [u8]> {
    let start = memchr::memmem::find(text, before)?.checked_add(before.len())?;
    let rest = text.get(start..)?;
    rest.get(..memchr::memchr(after, rest).unwrap_or(rest.len()))
}

fn push_hex(out: &mut Vec<u8>, octets: &[u8], digits: &[u8; 16]) {
    for octet in octets {
        let digit = |half: u8| digits.get(usize::from(half)).copied().unwrap_or_default();
        out.extend_from_slice(&[digit(octet >> 4), digit(octet & 0xf)]);
    }
}

/// 32 hexadecimal digits of either case.
fn read_hex(text: &[u8]) -> Option<[u8; 16]> {
    let (pairs, rest) = text.as_chunks::<2>();
    let mut octets = [0; 16];
    if pairs.len() != octets.len() || !rest.is_empty() {
        return None;
    }
    for (octet, [high, low]) in octets.iter_mut().zip(pairs) {
        let value = |digit: &u8| char::from(*digit).to_digit(16);
        *octet = (value(high)? << 4 | value(low)?) as u8;
    }
    Some(octets)
}

#[cfg(test)]
mod tests;
