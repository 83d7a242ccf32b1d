//! The client's half of NTLMv2 without a connection (MS-NLMP section 3.3.2, MS-SIPAE): reads what
//! a server offers and answers its challenge.

use crate::auth_params::{Params, after_scheme, push_quoted};
use crate::number::{push_number, read_number};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use md4::Md4;
use md5::{Digest as _, Md5};
use rc4::{Rc4, StreamCipher as _};

/// The version of the signatures from which the last REGISTER of a handshake is signed itself.
pub const SIGNS_REGISTER: u64 = 4;
/// Octets in front of the payload of AUTHENTICATE, which carries no MIC.
const AUTHENTICATE_HEAD: usize = 72;
/// Number of the pair in a challenge that tells the server's time (MsvAvTimestamp).
const TIMESTAMP: u16 = 7;
/// Version of the client, as the Lync client says it.
const VERSION: [u8; 8] = [5, 1, 0x28, 0x0a, 0, 0, 0, 15];
/// What the Lync client asks a challenge for: Unicode, signatures, datagrams, NTLM, signatures
/// always, extended session security, identification, target information, exchange of keys.
const FLAGS_WANTED: [u32; 9] =
    [0x1, 0x10, 0x40, 0x200, 0x8000, 0x8_0000, 0x10_0000, 0x80_0000, 0x4000_0000];
/// The flag for keys of 56 bits, which the Lync client takes back.
const FLAG_56: u32 = 0x8000_0000;
/// Seconds from 1601, where the time of Windows begins, to 1970.
const UNIX_EPOCH_S: i64 = 11_644_473_600;
/// Units of the time of Windows in a second.
const TICKS_PER_S: i64 = 10_000_000;

/// One NTLM challenge of a 401: the offer alone, or with the challenge proper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Protection space, as received.
    pub realm: Vec<u8>,
    /// Name of the server, as received.
    pub target: Vec<u8>,
    /// Version of the signatures.
    pub version: u64,
    /// The challenge; `None` when the server waits to be asked for it.
    pub challenge: Option<Challenge>,
}

/// What a proof is made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Name of the handshake and of the keys it will leave, as received.
    pub opaque: Vec<u8>,
    flags: u32,
    server_challenge: [u8; 8],
    target_info: Vec<u8>,
}

/// What must differ from one answer to the next.
#[derive(Clone, Copy, Debug)]
pub struct Chance {
    /// Our own challenge.
    pub client_challenge: [u8; 8],
    /// The key that all others are made of.
    pub session_key: [u8; 16],
    /// The time, in units of 100 ns since 1601; a server that tells its own is told that.
    pub time: u64,
}

impl Offer {
    /// Reads the value of a WWW-Authenticate header. `None` when it is not an NTLM challenge that
    /// the Lync client would answer.
    pub fn parse(value: &[u8]) -> Option<Offer> {
        let (mut realm, mut target, mut version) = (None, None, None);
        let (mut opaque, mut token) = (None, None);
        for (name, value) in Params(after_scheme(value, "NTLM")?) {
            match () {
                () if name.eq_ignore_ascii_case(b"realm") => realm = Some(value),
                () if name.eq_ignore_ascii_case(b"targetname") => target = Some(value),
                () if name.eq_ignore_ascii_case(b"version") => version = Some(read_number(value)?),
                () if name.eq_ignore_ascii_case(b"opaque") => opaque = Some(value),
                () if name.eq_ignore_ascii_case(b"gssapi-data") => token = Some(value),
                () => {}
            }
        }
        let challenge = match token {
            Some(token) => Some(Challenge::read(opaque?, &STANDARD.decode(token).ok()?)?),
            None => None,
        };
        let version = version.filter(|version| [3, 4].contains(version))?;
        Some(Offer { realm: realm?.to_vec(), target: target?.to_vec(), version, challenge })
    }

    /// Appends the credentials that ask for the challenge.
    pub fn ask(&self, out: &mut Vec<u8>) {
        push_quoted(out, b"NTLM qop=\"auth\", realm=\"", &self.realm);
        push_quoted(out, b", targetname=\"", &self.target);
        push_quoted(out, b", gssapi-data=\"", b"");
        self.push_version(out);
    }

    /// Appends the version parameter.
    pub fn push_version(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b", version=");
        push_number(out, self.version);
    }
}

impl Challenge {
    fn read(opaque: &[u8], octets: &[u8]) -> Option<Challenge> {
        octets.strip_prefix(b"NTLMSSP\0\x02\0\0\0")?;
        let flags = u32::from_le_bytes(array(octets, 20)?);
        let length = u16::from_le_bytes(array(octets, 40)?);
        let start = usize::try_from(u32::from_le_bytes(array(octets, 44)?)).ok()?;
        let target_info = octets.get(start..)?.get(..usize::from(length))?.to_vec();
        let wanted = FLAGS_WANTED.iter().all(|flag| flags & flag != 0);
        wanted.then_some(Challenge {
            opaque: opaque.to_vec(),
            flags,
            server_challenge: array(octets, 24)?,
            target_info,
        })
    }

    /// The proof that the user knows his password, in base64: AUTHENTICATE of MS-NLMP section
    /// 2.2.1.3. The user is named without a domain.
    pub fn answer(&self, user: &str, password: &str, chance: &Chance) -> String {
        let key = hmac_md5(&Md4::digest(utf16(password)).into(), &[&utf16(&user.to_uppercase())]);
        let client_challenge = &chance.client_challenge;
        let server_time = self.time();
        let time = server_time.unwrap_or_else(|| chance.time.to_le_bytes());
        let parts =
            [&[1, 1, 0, 0, 0, 0, 0, 0], &time[..], client_challenge, &[0; 4], &self.target_info];
        let blob = [parts.concat().as_slice(), &[0; 4]].concat();
        let proof = hmac_md5(&key, &[&self.server_challenge, &blob]);
        let encrypted = rc4(&hmac_md5(&key, &[&proof]), chance.session_key);
        let old_proof = match server_time {
            Some(_) => vec![0; 24],
            None => {
                let proof = hmac_md5(&key, &[&self.server_challenge, client_challenge]);
                [proof.as_slice(), client_challenge].concat()
            }
        };
        let parts: [&[u8]; 6] = [
            &old_proof,
            &[&proof, blob.as_slice()].concat(),
            &[],
            &utf16(user),
            &utf16("loadgen"),
            &encrypted,
        ];
        STANDARD.encode(authenticate(self.flags & !FLAG_56, parts))
    }

    /// The server's time, where it tells it.
    fn time(&self) -> Option<[u8; 8]> {
        let mut rest = self.target_info.as_slice();
        loop {
            let (number, length) = (array(rest, 0)?, u16::from_le_bytes(array(rest, 2)?));
            let value = rest.get(4..)?.get(..usize::from(length))?;
            match u16::from_le_bytes(number) {
                0 => return None,
                TIMESTAMP => return value.try_into().ok(),
                _ => rest = rest.get(4 + value.len()..)?,
            }
        }
    }
}

/// AUTHENTICATE: the table of its parts, in the order in which it names them, and the parts, in
/// the order in which the Lync client writes them.
fn authenticate(flags: u32, parts: [&[u8]; 6]) -> Vec<u8> {
    /// Domain, user, workstation, both proofs, key.
    const ORDER: [usize; 6] = [2, 3, 4, 0, 1, 5];
    let mut offsets = [0; 6];
    let mut payload = Vec::new();
    for at in ORDER {
        if let (Some(offset), Some(part)) = (offsets.get_mut(at), parts.get(at)) {
            *offset = AUTHENTICATE_HEAD + payload.len();
            payload.extend_from_slice(part);
        }
    }
    let mut out = b"NTLMSSP\0\x03\0\0\0".to_vec();
    for (part, offset) in parts.iter().zip(offsets) {
        let length = u16::try_from(part.len()).unwrap_or(u16::MAX).to_le_bytes();
        out.extend_from_slice(&length);
        out.extend_from_slice(&length);
        out.extend_from_slice(&u32::try_from(offset).unwrap_or(u32::MAX).to_le_bytes());
    }
    out.extend_from_slice(&flags.to_le_bytes());
    out.extend_from_slice(&VERSION);
    out.extend_from_slice(&payload);
    out
}

/// The time of Windows, in units of 100 ns since 1601, for seconds since 1970.
pub fn windows_time(unix_s: i64) -> u64 {
    let ticks = unix_s.saturating_add(UNIX_EPOCH_S).saturating_mul(TICKS_PER_S);
    u64::try_from(ticks).unwrap_or(0)
}

/// HMAC-MD5 of the parts, one after the other.
fn hmac_md5(key: &[u8; 16], parts: &[&[u8]]) -> [u8; 16] {
    let mut mac = keyed(key);
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// HMAC-MD5 that has taken its key in.
pub(crate) fn keyed(key: &[u8; 16]) -> Hmac<Md5> {
    // HMAC takes a block of 64 octets; a shorter key is filled with zeros (RFC 2104 section 2).
    let mut block = [0; 64];
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    Hmac::<Md5>::new(&block.into())
}

/// RC4 of `data` under a key of 16 octets.
pub(crate) fn rc4<const N: usize>(key: &[u8; 16], mut data: [u8; N]) -> [u8; N] {
    // RC4 takes a key of any length from 1 to 256.
    if let Ok(mut cipher) = <Rc4 as rc4::KeyInit>::new_from_slice(key) {
        cipher.apply_keystream(&mut data);
    }
    data
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// The octets from `at` on.
fn array<const N: usize>(octets: &[u8], at: usize) -> Option<[u8; N]> {
    octets.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests;
