use super::*;
use md5::Digest as _;
use proptest::prelude::*;

const BOTH: &[Algorithm] = &[Algorithm::Sha256, Algorithm::Md5];

struct Password {
    md5: [u8; 16],
    sha256: [u8; 32],
}

impl Password {
    fn new(username: &str, realm: &str, password: &str) -> Self {
        let basis = format!("{username}:{realm}:{password}");
        Password {
            md5: Md5::digest(basis.as_bytes()).into(),
            sha256: Sha256::digest(basis.as_bytes()).into(),
        }
    }

    fn ha1(&self) -> Option<Ha1<'_>> {
        Some(Ha1 { md5: &self.md5, sha256: &self.sha256 })
    }
}

fn policy(realm: &str) -> DigestPolicy<'_> {
    DigestPolicy { realm, algorithms: BOTH, legacy: false }
}

fn read(
    response: &DigestResponse<'_>,
    method: &[u8],
    realm: &str,
) -> Result<DigestProof, AuthFailure> {
    DigestProof::read(response, method, &policy(realm))
}

/// RFC 7616 section 3.9.1.
fn mufasa() -> DigestResponse<'static> {
    DigestResponse {
        username: b"Mufasa",
        realm: b"http-auth@example.org",
        nonce: b"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        uri: b"/dir/index.html",
        qop: Some(b"auth"),
        nc: Some(b"00000001"),
        cnonce: Some(b"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"),
        algorithm: Some(b"MD5"),
        response: b"8ca523f5e9506fed4657c9700eebdbec",
        opaque: Some(b"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"),
    }
}

fn alice() -> DigestResponse<'static> {
    DigestResponse {
        username: b"alice",
        realm: b"example.test",
        nonce: b"04ddf43288b31386",
        uri: b"(null)",
        qop: Some(b"auth"),
        nc: Some(b"00000001"),
        cnonce: Some(b"7bd619ca"),
        algorithm: None,
        response: b"7008dd0626450fadca88d0ea358c9193",
        opaque: None,
    }
}

#[test]
fn the_examples_of_rfc_7616_verify() {
    let password = Password::new("Mufasa", "http-auth@example.org", "Circle of Life");
    let md5 = read(&mufasa(), b"GET", "http-auth@example.org").unwrap();
    assert_eq!(md5.verify(password.ha1()), Ok(()));
    let sha256 = DigestResponse {
        algorithm: Some(b"SHA-256"),
        response: b"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        ..mufasa()
    };
    let sha256 = read(&sha256, b"GET", "http-auth@example.org").unwrap();
    assert_eq!(sha256.algorithm(), Algorithm::Sha256);
    assert_eq!(sha256.verify(password.ha1()), Ok(()));
}

#[test]
fn the_example_of_rfc_2617_verifies() {
    let password = Password::new("Mufasa", "testrealm@host.com", "Circle Of Life");
    let response = DigestResponse {
        username: b"Mufasa",
        realm: b"testrealm@host.com",
        nonce: b"dcd98b7102dd2f0e8b11d0f600bfb0c093",
        uri: b"/dir/index.html",
        qop: Some(b"auth"),
        nc: Some(b"00000001"),
        cnonce: Some(b"0a4f113b"),
        algorithm: None,
        response: b"6629fae49393a05397450978507c4ef1",
        opaque: Some(b"5ccc069c403ebaf9f0171e9517f40e41"),
    };
    let proof = read(&response, b"GET", "testrealm@host.com").unwrap();
    assert_eq!(proof.verify(password.ha1()), Ok(()));
}

#[test]
fn the_form_of_rfc_2069_is_taken_only_by_a_policy_that_permits_it() {
    // The example of RFC 2069 section 2.4 with the response of its erratum 749.
    let password = Password::new("Mufasa", "testrealm@host.com", "CircleOfLife");
    let response = DigestResponse {
        username: b"Mufasa",
        realm: b"testrealm@host.com",
        nonce: b"dcd98b7102dd2f0e8b11d0f600bfb0c093",
        uri: b"/dir/index.html",
        response: b"1949323746fe6a43ef61f9606e7febea",
        ..DigestResponse::default()
    };
    let refused = read(&response, b"GET", "testrealm@host.com");
    assert_eq!(refused, Err(AuthFailure::Malformed));
    let legacy = DigestPolicy { legacy: true, ..policy("testrealm@host.com") };
    let proof = DigestProof::read(&response, b"GET", &legacy).unwrap();
    assert_eq!(proof.nc(), None);
    assert_eq!(proof.verify(password.ha1()), Ok(()));
}

#[test]
fn the_lync_client_signs_in_with_its_literal_null_uri() {
    let password = Password::new("alice", "example.test", "secret");
    let proof = read(&alice(), b"REGISTER", "example.test").unwrap();
    assert_eq!((proof.username(), proof.nc()), ("alice", Some(1)));
    assert_eq!(proof.verify(password.ha1()), Ok(()));
    let later = DigestResponse {
        nonce: b"f2d9542469be4e36",
        cnonce: Some(b"ceb9e0f7"),
        response: b"c46fb32ac70c095fd913bc2ce9b7e17d",
        ..alice()
    };
    let proof = read(&later, b"REGISTER", "example.test").unwrap();
    assert_eq!(proof.verify(password.ha1()), Ok(()));

    let password = Password::new("bob", "example.test", "secret");
    let bob = DigestResponse {
        username: b"bob",
        nonce: b"e41260d00e0419c7",
        cnonce: Some(b"d4cddc31"),
        response: b"1507c60eb2973738e5eb7cfbede9adf1",
        ..alice()
    };
    let proof = read(&bob, b"REGISTER", "example.test").unwrap();
    assert_eq!(proof.verify(password.ha1()), Ok(()));
}

#[test]
fn a_wrong_password_fails_and_so_does_nobody() {
    let proof = read(&alice(), b"REGISTER", "example.test").unwrap();
    let wrong = Password::new("alice", "example.test", "Secret");
    assert_eq!(proof.verify(wrong.ha1()), Err(AuthFailure::WrongPassword));
    assert_eq!(proof.verify(None), Err(AuthFailure::UnknownUser));
}

#[test]
fn nobody_can_sign_in_with_the_hash_that_stands_for_nobody() {
    let rest = "n:00000001:c:auth:";
    let ha2 = Hash::of(Algorithm::Md5, &[b"REGISTER:(null)"]).hex();
    let zero = "0".repeat(32);
    let guess = Hash::of(Algorithm::Md5, &[format!("{zero}:{rest}{ha2}").as_bytes()]).hex();
    let response =
        DigestResponse { nonce: b"n", cnonce: Some(b"c"), response: guess.as_bytes(), ..alice() };
    let proof = read(&response, b"REGISTER", "example.test").unwrap();
    assert_eq!(proof.verify(None), Err(AuthFailure::UnknownUser));
}

#[test]
fn the_method_is_part_of_the_proof() {
    let password = Password::new("alice", "example.test", "secret");
    let proof = read(&alice(), b"INVITE", "example.test").unwrap();
    assert_eq!(proof.verify(password.ha1()), Err(AuthFailure::WrongPassword));
}

/// Threat case 39: each way to talk the check down.
#[test]
fn credentials_that_were_not_asked_for_are_malformed() {
    let cases: &[(&str, DigestResponse<'_>)] = &[
        ("no user", DigestResponse { username: b"", ..alice() }),
        ("another realm", DigestResponse { realm: b"example.com", ..alice() }),
        ("unknown algorithm", DigestResponse { algorithm: Some(b"SHA-512-256"), ..alice() }),
        ("session algorithm", DigestResponse { algorithm: Some(b"MD5-sess"), ..alice() }),
        ("empty algorithm", DigestResponse { algorithm: Some(b""), ..alice() }),
        ("hash of the other algorithm", {
            DigestResponse { algorithm: Some(b"SHA-256"), ..alice() }
        }),
        ("no qop", DigestResponse { qop: None, ..alice() }),
        ("no qop at all", DigestResponse { qop: None, nc: None, cnonce: None, ..alice() }),
        ("auth-int", DigestResponse { qop: Some(b"auth-int"), ..alice() }),
        ("several qops", DigestResponse { qop: Some(b"auth,auth-int"), ..alice() }),
        ("no count", DigestResponse { nc: None, ..alice() }),
        ("no cnonce", DigestResponse { cnonce: None, ..alice() }),
        ("seven digits", DigestResponse { nc: Some(b"0000001"), ..alice() }),
        ("nine digits", DigestResponse { nc: Some(b"000000001"), ..alice() }),
        ("a sign", DigestResponse { nc: Some(b"+0000001"), ..alice() }),
        ("no digits", DigestResponse { nc: Some(b"0000000g"), ..alice() }),
        ("count of zero", DigestResponse { nc: Some(b"00000000"), ..alice() }),
        ("no hash", DigestResponse { response: b"", ..alice() }),
        ("short hash", DigestResponse { response: b"7008dd06", ..alice() }),
        ("no hexadecimal", {
            DigestResponse { response: b"7008dd0626450fadca88d0ea358c919z", ..alice() }
        }),
        ("user of no text", DigestResponse { username: b"\xff", ..alice() }),
        ("uri of no text", DigestResponse { uri: b"\xff", ..alice() }),
    ];
    for (what, response) in cases {
        let result = read(response, b"REGISTER", "example.test");
        assert_eq!(result, Err(AuthFailure::Malformed), "{what}");
    }
}

#[test]
fn an_algorithm_that_was_not_offered_is_refused() {
    let sha_only = DigestPolicy { algorithms: &[Algorithm::Sha256], ..policy("example.test") };
    for algorithm in [None, Some(&b"MD5"[..]), Some(b"md5")] {
        let response = DigestResponse { algorithm, ..alice() };
        let result = DigestProof::read(&response, b"REGISTER", &sha_only);
        assert_eq!(result, Err(AuthFailure::Malformed));
    }
}

#[test]
fn a_challenge_is_written_as_clients_read_it() {
    assert_eq!(
        challenge("example.test", "04ddf43288b31386", Algorithm::Md5, false),
        r#"Digest realm="example.test", nonce="04ddf43288b31386", qop="auth", algorithm=MD5"#
    );
    assert_eq!(
        challenge("a\"b\\c\r\n", "n", Algorithm::Sha256, true),
        r#"Digest realm="a\"b\\c", nonce="n", qop="auth", algorithm=SHA-256, stale=true"#
    );
}

#[test]
fn algorithm_tokens_are_read_in_any_case() {
    assert_eq!(Algorithm::parse(b"md5"), Some(Algorithm::Md5));
    assert_eq!(Algorithm::parse(b"sha-256"), Some(Algorithm::Sha256));
    assert_eq!(Algorithm::parse(b"SHA256"), None);
}

proptest! {
    /// A client written from the text of RFC 7616 section 3.4.1 and we agree, and any other
    /// password does not.
    #[test]
    fn an_honest_client_verifies(
        username in "[a-z]{1,12}",
        realm in "[a-z.]{1,12}",
        password in ".{0,12}",
        other in ".{0,12}",
        nonce in "[A-Za-z0-9_-]{1,40}",
        cnonce in "[a-f0-9]{1,16}",
        uri in "[!-~]{0,30}",
        nc in 1u32..,
        sha in any::<bool>(),
    ) {
        let algorithm = if sha { Algorithm::Sha256 } else { Algorithm::Md5 };
        let hex = |text: String| -> String {
            let octets = match algorithm {
                Algorithm::Md5 => Md5::digest(text.as_bytes()).to_vec(),
                Algorithm::Sha256 => Sha256::digest(text.as_bytes()).to_vec(),
            };
            octets.iter().map(|octet| format!("{octet:02x}")).collect()
        };
        let a1 = hex(format!("{username}:{realm}:{password}"));
        let a2 = hex(format!("REGISTER:{uri}"));
        let nc = format!("{nc:08x}");
        let answer = hex(format!("{a1}:{nonce}:{nc}:{cnonce}:auth:{a2}"));
        let response = DigestResponse {
            username: username.as_bytes(),
            realm: realm.as_bytes(),
            nonce: nonce.as_bytes(),
            uri: uri.as_bytes(),
            qop: Some(b"auth"),
            nc: Some(nc.as_bytes()),
            cnonce: Some(cnonce.as_bytes()),
            algorithm: Some(algorithm.name().as_bytes()),
            response: answer.as_bytes(),
            opaque: None,
        };
        let proof = read(&response, b"REGISTER", &realm).unwrap();
        let right = Password::new(&username, &realm, &password);
        prop_assert_eq!(proof.verify(right.ha1()), Ok(()));
        if other != password {
            let wrong = Password::new(&username, &realm, &other);
            prop_assert_eq!(proof.verify(wrong.ha1()), Err(AuthFailure::WrongPassword));
        }
    }

    #[test]
    fn no_octets_panic(parts in proptest::collection::vec(any::<Vec<u8>>(), 9)) {
        let response = DigestResponse {
            username: &parts[0],
            realm: b"example.test",
            nonce: &parts[1],
            uri: &parts[2],
            qop: Some(&parts[3]),
            nc: Some(&parts[4]),
            cnonce: Some(&parts[5]),
            algorithm: Some(&parts[6]),
            response: &parts[7],
            opaque: Some(&parts[8]),
        };
        let _ = read(&response, b"REGISTER", "example.test");
    }
}
