use super::*;

/// Bob's handshake of a real client, as it was on the wire.
const OFFER: &[u8] =
    b"NTLM realm=\"SIP Communications Service\", targetname=\"fe01.example.test\", version=4";
const CHALLENGE: &str = "TlRMTVNTUAACAAAADgAOADgAAABVgpjiUEkizQ6wBH8AAAAAAAAAAGQAZABGAAAABgGxHQAAAA9F\
     AFgAQQBNAFAATABFAAIADgBFAFgAQQBNAFAATABFAAEACABGAEUAMAAxAAQAGABlAHgAYQBtAHAAbABlAC4AdABlAHMA\
     dAADACIAZgBlADAAMQAuAGUAeABhAG0AcABsAGUALgB0AGUAcwB0AAAAAAA=";
/// Its answer, but for the name of the workstation.
const ANSWER: &str = "TlRMTVNTUAADAAAAGAAYAFIAAACUAJQAagAAAAAAAABIAAAABgAGAEgAAAAEAAQATgAAABAAEAD+\
     AAAAVYKYYgUBKAoAAAAPYgBvAGIAVgBNAEpilrzkVmeleUv6K4bFsAkR7O/LB8wJsKIJmCcDDvEtzzJKGq1vDdgBAQAA\
     AAAAAACOvjk1ed0BEezvywfMCbAAAAAAAgAOAEUAWABBAE0AUABMAEUAAQAIAEYARQAwADEABAAYAGUAeABhAG0AcABs\
     AGUALgB0AGUAcwB0AAMAIgBmAGUAMAAxAC4AZQB4AGEAbQBwAGwAZQAuAHQAZQBzAHQAAAAAAAAAAADFGzjHHHsZlOzH\
     oDkKeGX0";
/// What his client chose.
const CHANCE: Chance = Chance {
    client_challenge: [0x11, 0xec, 0xef, 0xcb, 0x07, 0xcc, 0x09, 0xb0],
    session_key: [
        0xb5, 0x18, 0x6e, 0xa3, 0x52, 0xf6, 0x73, 0x3f, 0x1b, 0xbe, 0x6d, 0x1f, 0x15, 0xf0, 0xe3,
        0xb1,
    ],
    time: u64::from_le_bytes([0x00, 0x8e, 0xbe, 0x39, 0x35, 0x79, 0xdd, 0x01]),
};

fn challenge(token: &[u8]) -> Option<Challenge> {
    let value = format!(
        "NTLM opaque=\"F288E6FC\", gssapi-data=\"{}\", targetname=\"fe01.example.test\", \
         realm=\"SIP Communications Service\", version=4",
        STANDARD.encode(token)
    );
    Offer::parse(value.as_bytes())?.challenge
}

/// The parts that AUTHENTICATE names: old proof, proof, domain, user, workstation, key.
fn parts(answer: &str) -> [Vec<u8>; 6] {
    let octets = STANDARD.decode(answer).unwrap();
    [0, 1, 2, 3, 4, 5].map(|part| {
        let at = 12 + 8 * part;
        let length = u16::from_le_bytes(array(&octets, at).unwrap());
        let start = u32::from_le_bytes(array(&octets, at + 4).unwrap()) as usize;
        octets[start..start + usize::from(length)].to_vec()
    })
}

#[test]
fn a_challenge_is_answered_as_the_lync_client_did() {
    let token = STANDARD.decode(CHALLENGE).unwrap();
    let ours = challenge(&token).unwrap().answer("bob", "secret", &CHANCE);
    let (mut ours_parts, theirs) = (parts(&ours), parts(ANSWER));
    assert_eq!(ours_parts[4], utf16("loadgen"));
    ours_parts[4] = utf16("VM");
    assert_eq!(ours_parts, theirs);
    let (ours, theirs) = (STANDARD.decode(ours).unwrap(), STANDARD.decode(ANSWER).unwrap());
    assert_eq!((&ours[..12], &ours[60..72]), (&theirs[..12], &theirs[60..72]), "flags and version");
}

#[test]
fn an_offer_is_asked_for_its_challenge() {
    let offer = Offer::parse(OFFER).unwrap();
    assert_eq!(offer.challenge, None);
    let mut out = Vec::new();
    offer.ask(&mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "NTLM qop=\"auth\", realm=\"SIP Communications Service\", \
         targetname=\"fe01.example.test\", gssapi-data=\"\", version=4"
    );
}

#[test]
fn a_server_that_tells_its_time_is_told_that() {
    let mut token = STANDARD.decode(CHALLENGE).unwrap();
    let time = [1, 2, 3, 4, 5, 6, 7, 8];
    let end = token.len() - 4;
    token.splice(end..end, [&[7, 0, 8, 0][..], &time].concat());
    token[40] += 12;
    let parts = parts(&challenge(&token).unwrap().answer("bob", "secret", &CHANCE));
    assert_eq!(parts[0], [0; 24]);
    assert_eq!(parts[1][24..32], time);
}

#[test]
fn what_the_lync_client_would_not_answer_is_refused() {
    let token = STANDARD.decode(CHALLENGE).unwrap();
    for length in 0..token.len() {
        assert_eq!(challenge(&token[..length]), None, "{length}");
    }
    let mut weak = token.clone();
    weak[20] &= !0x10;
    assert_eq!(challenge(&weak), None, "without signatures");
    let mut other = token;
    other[8] = 1;
    assert_eq!(challenge(&other), None, "another message");
    for value in [
        "Digest realm=\"r\", targetname=\"t\", version=4",
        "NTLM realm=\"r\", targetname=\"t\"",
        "NTLM realm=\"r\", targetname=\"t\", version=2",
        "NTLM realm=\"r\", version=4",
        "NTLM realm=\"r\", targetname=\"t\", version=4, opaque=\"1\", gssapi-data=\"!\"",
        "NTLM realm=\"r\", targetname=\"t\", version=4, gssapi-data=\"TlRM\"",
        "NTLM",
    ] {
        assert_eq!(Offer::parse(value.as_bytes()), None, "{value}");
    }
}

#[test]
fn windows_counts_from_1601() {
    assert_eq!(windows_time(0), 116_444_736_000_000_000);
    assert_eq!(windows_time(i64::MIN), 0);
}
