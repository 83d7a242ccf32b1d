//! Globally routable user agent URIs: a URI that means one endpoint of a user, in the form of
//! MS-SIPRE and in that of RFC 5627. Both are made of the endpoint's instance UUID, so nothing
//! is stored and either form finds the endpoint.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What the `opaque` parameter of the MS form begins with.
const OPAQUE: &[u8] = b"user:epid:";
/// The MS form encodes 16 octets and two zero octets more, less the last character.
const TAIL: &str = "AAA";
/// Length of 16 octets in base64 without padding.
const UUID_BASE64_LEN: usize = 22;
const URN: &str = "urn:uuid:";

/// The UUID of an endpoint: its `+sip.instance` (RFC 5626 section 4.1) if that is a UUID URN, as
/// it is for every client known.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct InstanceId([u8; 16]);

impl InstanceId {
    /// Reads `urn:uuid:` and a UUID with its hyphens, in any case; `None` for any other URN.
    pub fn from_urn(urn: &str) -> Option<Self> {
        let (scheme, uuid) = urn.split_at_checked(URN.len())?;
        if !scheme.eq_ignore_ascii_case(URN) {
            return None;
        }
        let lengths = uuid.split('-').map(str::len);
        if !lengths.eq([8, 4, 4, 4, 12]) {
            return None;
        }
        let mut value = 0u128;
        for digit in uuid.chars().filter(|c| *c != '-') {
            value = (value << 4) | u128::from(digit.to_digit(16)?);
        }
        Some(InstanceId(value.to_be_bytes()))
    }

    /// The endpoint a URI with the parameters `opaque` and `gr` means, if it is a GRUU of either
    /// form. Whose endpoint it is, the rest of the URI says.
    pub fn from_params(opaque: Option<&[u8]>, gr: Option<&[u8]>) -> Option<Self> {
        match (opaque, gr) {
            (Some(opaque), _) => Self::from_opaque(opaque),
            (None, Some(gr)) => Self::from_urn(std::str::from_utf8(gr).ok()?),
            (None, None) => None,
        }
    }

    /// Reads the `opaque` parameter of the MS form, `user:epid:` and 25 characters.
    fn from_opaque(opaque: &[u8]) -> Option<Self> {
        let text = opaque.strip_prefix(OPAQUE)?.strip_suffix(TAIL.as_bytes())?;
        let mut uuid = [0; 16];
        if text.len() != UUID_BASE64_LEN || URL_SAFE_NO_PAD.decode_slice(text, &mut uuid) != Ok(16)
        {
            return None;
        }
        Some(InstanceId(uuid))
    }

    /// The GRUU in the form of MS-SIPRE, of the user `aor` (`user@domain`):
    /// `sip:alice@example.test;opaque=user:epid:CF4L2AMcWg2NmvFJquaVSgAAA;gruu`.
    pub fn ms_gruu(self, aor: &str) -> String {
        let epid = URL_SAFE_NO_PAD.encode(self.0);
        format!("sip:{aor};opaque=user:epid:{epid}{TAIL};gruu")
    }

    /// The public GRUU of RFC 5627, of the user `aor` (`user@domain`):
    /// `sip:alice@example.test;gr=urn:uuid:085e0bd8-031c-5a0d-8d9a-f149aae6954a`.
    pub fn public_gruu(self, aor: &str) -> String {
        format!("sip:{aor};gr={self}")
    }
}

/// The URN, in lower case.
impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(URN)?;
        for (i, octet) in self.0.iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{octet:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The instances and GRUUs of the transcript `im-digest`.
    const SEEN: [(&str, &str, &str); 2] = [
        (
            "urn:uuid:085e0bd8-031c-5a0d-8d9a-f149aae6954a",
            "alice@example.test",
            "sip:alice@example.test;opaque=user:epid:CF4L2AMcWg2NmvFJquaVSgAAA;gruu",
        ),
        (
            "urn:uuid:0c9363da-62b2-593f-81e7-7ea6482ce2c1",
            "bob@example.test",
            "sip:bob@example.test;opaque=user:epid:DJNj2mKyWT-B536mSCziwQAAA;gruu",
        ),
    ];

    #[test]
    fn the_ms_form_is_that_of_the_transcripts() {
        for (urn, aor, gruu) in SEEN {
            let id = InstanceId::from_urn(urn).unwrap();
            assert_eq!(id.ms_gruu(aor), gruu);
            let opaque = gruu.split(';').nth(1).unwrap().strip_prefix("opaque=").unwrap();
            assert_eq!(InstanceId::from_params(Some(opaque.as_bytes()), None), Some(id));
        }
    }

    #[test]
    fn the_public_form_is_that_of_rfc_5627() {
        let id = InstanceId::from_urn("URN:UUID:085E0BD8-031C-5A0D-8D9A-F149AAE6954A").unwrap();
        assert_eq!(
            id.public_gruu("alice@example.test"),
            "sip:alice@example.test;gr=urn:uuid:085e0bd8-031c-5a0d-8d9a-f149aae6954a"
        );
    }

    #[test]
    fn any_other_urn_is_no_instance_id() {
        for urn in [
            "",
            "urn:uuid:",
            "urn:imei:35685605-122010-0",
            "urn:uuid:085e0bd8031c5a0d8d9af149aae6954a",
            "urn:uuid:085e0bd8-031c-5a0d-8d9a-f149aae6954",
            "urn:uuid:085e0bd8-031c-5a0d-8d9a-f149aae6954aa",
            "urn:uuid:085e0bd8-031c-5a0d-8d9a-f149aae6954g",
            "urn:uuid:+85e0bd8-031c-5a0d-8d9a-f149aae6954a",
            "<urn:uuid:085e0bd8-031c-5a0d-8d9a-f149aae6954a>",
            "urn:uuié085e0bd8-031c-5a0d-8d9a-f149aae6954a",
        ] {
            assert_eq!(InstanceId::from_urn(urn), None, "{urn}");
        }
    }

    #[test]
    fn any_other_opaque_is_no_instance_id() {
        for opaque in [
            "",
            "user:epid:",
            "user:epid:AAA",
            "app:conf:focusfactory",
            "user:epid:CF4L2AMcWg2NmvFJquaVSg",
            "user:epid:CF4L2AMcWg2NmvFJquaVSgAAAAAA",
            "user:epid:CF4L2AMcWg2NmvFJquaVShAAA",
            "user:epid:CF4L2AMcWg2NmvFJqua/SgAAA",
        ] {
            assert_eq!(InstanceId::from_params(Some(opaque.as_bytes()), None), None, "{opaque}");
        }
        assert_eq!(InstanceId::from_params(None, None), None);
        assert_eq!(InstanceId::from_params(None, Some(b"\xff")), None);
        assert_eq!(InstanceId::from_params(None, Some(b"")), None);
    }

    proptest! {
        #[test]
        fn both_forms_read_back(uuid in any::<[u8; 16]>()) {
            let id = InstanceId(uuid);
            prop_assert_eq!(InstanceId::from_params(None, Some(id.to_string().as_bytes())), Some(id));
            let gruu = id.ms_gruu("a@b");
            let opaque = gruu.strip_prefix("sip:a@b;opaque=").unwrap().strip_suffix(";gruu").unwrap();
            prop_assert_eq!(InstanceId::from_params(Some(opaque.as_bytes()), None), Some(id));
        }

        #[test]
        fn no_octets_panic(octets in any::<Vec<u8>>()) {
            let _ = InstanceId::from_params(Some(&octets), None);
            let _ = InstanceId::from_params(None, Some(&octets));
        }
    }
}
