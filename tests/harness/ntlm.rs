//! The client's half of NTLM and of the signatures that follow it, written from the text alone
//! (MS-NLMP, MS-SIPAE): nothing of the server's half is used here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use md4::Md4;
use md5::{Digest as _, Md5};

use super::text::{Request, Text, bracketed, parameter, quoted};

/// The realm of every challenge.
pub const REALM: &str = "SIP Communications Service";

/// Who a client says he is.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    pub user: &'a str,
    pub domain: &'a str,
    pub password: &'a str,
}

/// The keys of a client and its counts: it signs what it sends and checks what it gets.
#[derive(Clone, Debug)]
pub struct Keys {
    session_key: [u8; 16],
    pub opaque: String,
    pub target: String,
    pub cnum: u32,
    pub snum: u64,
}

/// The header that asks for a challenge.
pub fn empty(challenge: &Text) -> String {
    let value = challenge.header("WWW-Authenticate");
    assert!(value.starts_with("NTLM "), "{challenge:?}");
    let (realm, target) = (quoted(value, "realm"), quoted(value, "targetname"));
    let version = version(value);
    format!(
        "NTLM qop=\"auth\", realm=\"{realm}\", targetname=\"{target}\", gssapi-data=\"\", \
         version={version}"
    )
}

/// The version a challenge asks for.
pub fn version(value: &str) -> u32 {
    let (_, rest) = value.split_once("version=").expect("a version");
    rest.split(',').next().and_then(|digits| digits.parse().ok()).expect("a number")
}

/// Answers a challenge: the request with its token, signed itself from version 4 on, and the keys.
pub fn answer(request: Request, challenge: &Text, account: Account<'_>) -> (Request, Keys) {
    let value = challenge.header("WWW-Authenticate");
    let (target, opaque) = (quoted(value, "targetname"), quoted(value, "opaque"));
    let (token, session_key) = authenticate(quoted(value, "gssapi-data"), account);
    let mut keys = Keys {
        session_key,
        opaque: opaque.to_owned(),
        target: target.to_owned(),
        cnum: 0,
        snum: 0,
    };
    let version = version(value);
    let mut credentials = format!(
        "NTLM qop=\"auth\", opaque=\"{opaque}\", realm=\"{REALM}\", targetname=\"{target}\", \
         gssapi-data=\"{token}\", version={version}"
    );
    if version >= 4 {
        let (crand, cnum, response) = keys.signature(&request);
        credentials += &format!(", crand=\"{crand}\", cnum=\"{cnum}\", response=\"{response}\"");
    }
    (request.header("Authorization", &credentials), keys)
}

impl Keys {
    /// A message with the next signature of this client.
    pub fn sign(&mut self, message: Request) -> Request {
        let (crand, cnum, response) = self.signature(&message);
        let value = self.value(&crand, &cnum, &response);
        message.header("Authorization", &value)
    }

    /// The header that says so.
    pub fn value(&self, crand: &str, cnum: &str, response: &str) -> String {
        let Keys { opaque, target, .. } = self;
        format!(
            "NTLM qop=\"auth\", opaque=\"{opaque}\", realm=\"{REALM}\", targetname=\"{target}\", \
             crand=\"{crand}\", cnum=\"{cnum}\", response=\"{response}\""
        )
    }

    /// `crand`, `cnum` and `response` of the next message.
    pub fn signature(&mut self, message: &Request) -> (String, String, String) {
        self.cnum += 1;
        let (crand, cnum) = (format!("{:08x}", 0x5175_6651 ^ self.cnum), self.cnum.to_string());
        let response = self.response(&Text::new(&message.octets()), &crand, &cnum);
        (crand, cnum, response)
    }

    /// The `response` of a message with this `crand` and `cnum`.
    pub fn response(&self, message: &Text, crand: &str, cnum: &str) -> String {
        let covered = self.covered(message, crand, cnum);
        hex(&self.mac("client-to-server", &covered)).to_uppercase()
    }

    /// Checks the signature of a message that came; what must be signed and is not, or has another
    /// number than the next, is a fault. Gives the message back without its signature.
    #[track_caller]
    pub fn check(&mut self, message: &Text) -> Text {
        let lines = message.headers("Authentication-Info");
        let free = match message.status() {
            0 => false,
            401 | 407 => true,
            status => status >= 300 && message.method() == "REGISTER",
        };
        let [value] = lines[..] else {
            assert!(free && lines.is_empty(), "a message without a signature: {message:?}");
            return message.clone();
        };
        assert!(value.starts_with("NTLM "), "{value}");
        assert_eq!(quoted(value, "opaque"), self.opaque, "the keys in force: {message:?}");
        assert_eq!((quoted(value, "realm"), quoted(value, "targetname")), (REALM, &*self.target));
        assert_eq!(quoted(value, "qop"), "auth");
        self.snum += 1;
        assert_eq!(quoted(value, "snum"), self.snum.to_string());
        let covered = self.covered(message, quoted(value, "srand"), quoted(value, "snum"));
        let mac = self.mac("server-to-client", &covered);
        assert_eq!(quoted(value, "rspauth").to_lowercase(), hex(&mac), "{covered}\n{message:?}");
        let line = format!("Authentication-Info: {value}\r\n");
        Text::new(message.as_str().replacen(&line, "", 1).as_bytes())
    }

    /// The text that is signed.
    pub fn covered(&self, message: &Text, rand: &str, num: &str) -> String {
        let cseq = message.header("CSeq");
        let (number, _) = cseq.split_once(' ').unwrap_or((cseq, ""));
        let asserted = match message.header("P-Asserted-Identity") {
            "" => message.header("P-Preferred-Identity"),
            asserted => asserted,
        };
        let identity = |scheme: &str| {
            let uris = asserted.split(',').map(bracketed);
            uris.filter(|uri| uri.starts_with(scheme)).map(str::to_owned).next().unwrap_or_default()
        };
        let (from, to) = (message.header("From"), message.header("To"));
        let parts = [
            "NTLM",
            rand,
            num,
            REALM,
            &self.target,
            message.header("Call-ID"),
            number,
            message.method(),
            bracketed(from),
            parameter(from, "tag"),
            bracketed(to),
            parameter(to, "tag"),
            &identity("sip:"),
            &identity("tel:"),
            message.header("Expires"),
        ];
        let mut text: String = parts.iter().map(|part| format!("<{part}>")).collect();
        if message.is_response() {
            text += &format!("<{}>", message.status());
        }
        text
    }

    fn mac(&self, direction: &str, text: &str) -> Vec<u8> {
        let key = |purpose: &str| {
            let magic = format!("session key to {direction} {purpose} key magic constant\0");
            Md5::digest([&self.session_key[..], magic.as_bytes()].concat())
        };
        let sequence = 100u32.to_le_bytes();
        let mac = hmac_md5(&key("signing"), &[&sequence[..], text.as_bytes()].concat());
        let sealing = Md5::digest([&key("sealing")[..], &sequence].concat());
        [&1u32.to_le_bytes()[..], &rc4(&sealing, &mac[..8]), &sequence].concat()
    }
}

/// AUTHENTICATE in base64 for a CHALLENGE in base64, and the session key in it.
pub fn authenticate(challenge: &str, account: Account<'_>) -> (String, [u8; 16]) {
    let challenge = STANDARD.decode(challenge).expect("base64");
    assert!(challenge.starts_with(b"NTLMSSP\0\x02\0\0\0"));
    let flags = u32::from_le_bytes(challenge[20..24].try_into().expect("flags"));
    // What the Lync client insists on.
    for bit in [0x1, 0x10, 0x40, 0x200, 0x8000, 0x8_0000, 0x10_0000, 0x80_0000, 0x4000_0000] {
        assert_ne!(flags & bit, 0, "{bit:#x} of {flags:#x}");
    }
    let info_len = usize::from(u16::from_le_bytes([challenge[40], challenge[41]]));
    let info_at = u32::from_le_bytes(challenge[44..48].try_into().expect("an offset")) as usize;
    let info = &challenge[info_at..info_at + info_len];

    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let (user, domain) = (utf16(account.user), utf16(account.domain));
    let nt_hash = Md4::digest(utf16(account.password));
    let name = utf16(&(account.user.to_uppercase() + account.domain));
    let key = hmac_md5(&nt_hash, &name);
    let client_challenge = *b"\x11\xec\xef\xcb\x07\xcc\x09\xb0";
    let blob =
        [&[1, 1, 0, 0, 0, 0, 0, 0][..], &[0x8e; 8], &client_challenge, &[0; 4], info, &[0; 4]]
            .concat();
    let proof = hmac_md5(&key, &[&challenge[24..32], &blob].concat());
    let session_key: [u8; 16] = *b"sixteen octets k";
    let encrypted = rc4(&hmac_md5(&key, &proof), &session_key);

    let response = [&proof[..], &blob].concat();
    let parts = [&[0; 24][..], &response, &domain, &user, &utf16("VM"), &encrypted];
    let mut head = b"NTLMSSP\0\x03\0\0\0".to_vec();
    let mut payload = Vec::new();
    for part in parts {
        let len = (part.len() as u16).to_le_bytes();
        head.extend_from_slice(&len);
        head.extend_from_slice(&len);
        head.extend_from_slice(&(72 + payload.len() as u32).to_le_bytes());
        payload.extend_from_slice(part);
    }
    head.extend_from_slice(&(flags & 0x7fff_ffff).to_le_bytes());
    head.extend_from_slice(&[5, 1, 0x28, 0x0a, 0, 0, 0, 15]);
    (STANDARD.encode([head, payload].concat()), session_key)
}

fn hmac_md5(key: &[u8], text: &[u8]) -> [u8; 16] {
    let mac = Hmac::<Md5>::new_from_slice(key).expect("a key of any length");
    mac.chain_update(text).finalize().into_bytes().into()
}

fn rc4(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut state: Vec<u8> = (0..=255).collect();
    let mut j = 0usize;
    for i in 0..256 {
        j = (j + usize::from(state[i]) + usize::from(key[i % key.len()])) % 256;
        state.swap(i, j);
    }
    let (mut i, mut j) = (0usize, 0usize);
    let mut next = || {
        i = (i + 1) % 256;
        j = (j + usize::from(state[i])) % 256;
        state.swap(i, j);
        state[(usize::from(state[i]) + usize::from(state[j])) % 256]
    };
    data.iter().map(|octet| octet ^ next()).collect()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
