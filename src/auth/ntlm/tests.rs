use md4::{Digest as _, Md4};
use proptest::prelude::*;

use super::*;

/// Bob's handshake of the transcript `ntlm-v4`: he gave the login `bob` and no domain.
const CHALLENGE: [u8; 8] = [0x50, 0x49, 0x22, 0xcd, 0x0e, 0xb0, 0x04, 0x7f];
const ANSWER: &str = "TlRMTVNTUAADAAAAGAAYAFIAAACUAJQAagAAAAAAAABIAAAABgAGAEgAAAAEAAQATgAAABAAEAD+\
    AAAAVYKYYgUBKAoAAAAPYgBvAGIAVgBNAEpilrzkVmeleUv6K4bFsAkR7O/LB8wJsKIJmCcDDvEtzzJKGq1vDdgBAQAA\
    AAAAAACOvjk1ed0BEezvywfMCbAAAAAAAgAOAEUAWABBAE0AUABMAEUAAQAIAEYARQAwADEABAAYAGUAeABhAG0AcABs\
    AGUALgB0AGUAcwB0AAMAIgBmAGUAMAAxAC4AZQB4AGEAbQBwAGwAZQAuAHQAZQBzAHQAAAAAAAAAAADFGzjHHHsZlOzH\
    oDkKeGX0";

fn handshake() -> Handshake {
    let mut seed = Seed::from_u64(1);
    Handshake { server_challenge: CHALLENGE, ..Handshake::new(&mut seed) }
}

fn proof() -> NtlmProof {
    handshake().answer(ANSWER.as_bytes()).unwrap()
}

fn nt_hash(password: &str) -> [u8; 16] {
    let utf16: Vec<u8> = password.encode_utf16().flat_map(u16::to_le_bytes).collect();
    Md4::digest(&utf16).into()
}

#[test]
fn the_lync_clients_proof_holds_for_its_password_alone() {
    assert!(proof().verify(Some(&nt_hash("secret"))).is_ok());
    let wrong = proof().verify(Some(&nt_hash("Secret"))).map(drop);
    assert_eq!(wrong, Err(AuthFailure::WrongPassword));
    assert_eq!(proof().verify(None).map(drop), Err(AuthFailure::UnknownUser));
}

#[test]
fn a_proof_holds_for_its_own_challenge_alone() {
    let other = Handshake::new(&mut Seed::from_u64(1)).answer(ANSWER.as_bytes()).unwrap();
    let wrong = other.verify(Some(&nt_hash("secret"))).map(drop);
    assert_eq!(wrong, Err(AuthFailure::WrongPassword));
}

#[test]
fn what_cannot_be_read_is_malformed() {
    let long = "A".repeat(OCTETS_MAX * 2);
    for token in ["", "TlRM", "!!!!", "TlRMTVNTUAADAAAA", &long] {
        let read = handshake().answer(token.as_bytes());
        assert_eq!(read, Err(AuthFailure::Malformed), "{token}");
    }
}

#[test]
fn a_user_is_named_by_login_by_domain_and_login_or_by_address() {
    let named = |user: &str, domain: &str, login: &str| {
        let proof = NtlmProof { user: user.into(), domain: domain.into(), ..proof() };
        proof.names(login, "alice@example.test")
    };
    assert!(named("alice", "", "alice"));
    assert!(named("ALICE", "CORP", "alice"));
    assert!(named("Alice@Example.test", "", "somebody"));
    assert!(named("alice", "corp", "CORP\\alice"));
    assert!(named("CORP\\alice", "", "CORP\\alice"));
    assert!(!named("alice", "", "CORP\\alice"));
    assert!(!named("alice", "other", "CORP\\alice"));
    assert!(!named("bob", "", "alice"));
    assert!(!named("alice@example.test", "CORP", "bob"));
}

#[test]
fn an_offer_and_a_challenge_say_what_the_client_repeats() {
    assert_eq!(
        offer("fe01.example.test", 4),
        "NTLM realm=\"SIP Communications Service\", targetname=\"fe01.example.test\", version=4"
    );
    let handshake = handshake();
    let value = handshake.challenge("example.test", "fe01.example.test", 3);
    let credentials = Credentials::parse(value.as_bytes()).unwrap();
    let read = NtlmCredentials::read(&credentials).unwrap();
    assert!(handshake.is(read.opaque) && read.is_handshake() && read.signature.is_none());
    let token = STANDARD.decode(read.gssapi_data.unwrap()).unwrap();
    assert_eq!(token[24..32], CHALLENGE);
    assert_eq!(credentials.get("version"), Some(&b"3"[..]));
}

#[test]
fn netbios_names_are_short_and_upper_case() {
    assert_eq!(netbios("fe01.example.test"), "FE01");
    assert_eq!(netbios("averyveryverylongname.test"), "AVERYVERYVERYLO");
    assert_eq!(netbios(""), "");
}

proptest! {
    #[test]
    fn any_changed_octet_of_the_proof_breaks_it(at in 0usize..0x94, bit in 0u8..8) {
        let mut proof = proof();
        match at.checked_sub(16) {
            None => proof.proof[at] ^= 1 << bit,
            Some(at) => proof.covered[at] ^= 1 << bit,
        }
        let verdict = proof.verify(Some(&nt_hash("secret"))).map(drop);
        prop_assert_eq!(verdict, Err(AuthFailure::WrongPassword));
    }
}
