use super::*;
use crate::auth::digest::Algorithm;
use crate::auth::nonce::Nonce;
use crate::base::ids::{ShardId, Slot};
use crate::base::seed::Seed;
use proptest::prelude::*;
use std::collections::HashSet;
use std::time::Duration;

struct Bench {
    gate: Gate,
    key: NonceKey,
    seed: Seed,
    limits: Limits,
    now: Now,
}

fn conn(index: u32) -> ConnId {
    ConnId::new(ShardId(0), Slot { index, generation: 1 })
}

impl Bench {
    fn new() -> Self {
        Bench {
            gate: Gate::new(),
            key: NonceKey::new([3; 32]),
            seed: Seed::from_u64(3),
            limits: Limits::default(),
            now: Now { mono_ms: 0, unix_ms: 1_795_208_935_362 },
        }
    }

    fn mint(&mut self) -> Nonce {
        self.key.mint(self.now, &mut self.seed, conn(1), "example.test")
    }

    fn credentials<'a>(nonce: &'a str, nc: &'a str) -> DigestResponse<'a> {
        DigestResponse {
            username: b"alice",
            realm: b"example.test",
            nonce: nonce.as_bytes(),
            uri: b"(null)",
            qop: Some(b"auth"),
            nc: Some(nc.as_bytes()),
            cnonce: Some(b"7bd619ca"),
            algorithm: None,
            response: b"7008dd0626450fadca88d0ea358c9193",
            opaque: None,
        }
    }

    fn examine(&mut self, credentials: Option<&DigestResponse<'_>>) -> Result<(), Refusal> {
        let terms = Terms {
            key: &self.key,
            conn: conn(1),
            policy: DigestPolicy {
                realm: "example.test",
                algorithms: &[Algorithm::Md5],
                legacy: true,
            },
            limits: &self.limits,
        };
        self.gate.examine(self.now, b"REGISTER", credentials, &terms).map(drop)
    }

    fn present(&mut self, nonce: Nonce, nc: u32) -> Result<(), Refusal> {
        self.examine(Some(&Self::credentials(nonce.as_str(), &format!("{nc:08x}"))))
    }

    fn settle(&mut self, verdict: Result<(), AuthFailure>) -> Result<(), Refusal> {
        self.gate.settle(verdict, &self.limits)
    }
}

fn stale(cause: AuthFailure) -> Result<(), Refusal> {
    Err(Refusal::Challenge { stale: true, cause: Some(cause) })
}

fn again(cause: AuthFailure) -> Result<(), Refusal> {
    Err(Refusal::Challenge { stale: false, cause: Some(cause) })
}

fn forbidden(cause: AuthFailure) -> Result<(), Refusal> {
    Err(Refusal::Forbid(cause))
}

#[test]
fn a_challenge_a_proof_and_the_verdict() {
    let mut bench = Bench::new();
    assert_eq!(bench.examine(None), Err(Refusal::Challenge { stale: false, cause: None }));
    let nonce = bench.mint();
    assert_eq!(bench.present(nonce, 1), Ok(()));
    assert_eq!(bench.settle(Ok(())), Ok(()));
}

#[test]
fn asking_without_credentials_is_no_failure() {
    let mut bench = Bench::new();
    for _ in 0..1_000 {
        assert!(matches!(bench.examine(None), Err(Refusal::Challenge { cause: None, .. })));
    }
}

#[test]
fn the_second_failure_is_final() {
    let mut bench = Bench::new();
    for (nc, answer) in
        [(1, again(AuthFailure::WrongPassword)), (2, forbidden(AuthFailure::WrongPassword))]
    {
        let nonce = bench.mint();
        assert_eq!(bench.present(nonce, nc), Ok(()));
        assert_eq!(bench.settle(Err(AuthFailure::WrongPassword)), answer);
    }
    let nonce = bench.mint();
    assert_eq!(bench.present(nonce, 1), forbidden(AuthFailure::WrongPassword));
    let refusal = bench.examine(None).unwrap_err();
    assert_eq!(refusal, Refusal::Forbid(AuthFailure::WrongPassword));
    assert_eq!(refusal.limit(), Some(Limit::AuthFailuresPerConnection));
    assert_eq!(bench.gate.closed(), Some(AuthFailure::WrongPassword));
}

#[test]
fn success_forgives_earlier_failures() {
    let mut bench = Bench::new();
    for _ in 0..5 {
        bench.now = bench.now.plus(Duration::from_millis(1));
        let nonce = bench.mint();
        assert_eq!(bench.present(nonce, 1), Ok(()));
        assert_eq!(bench.settle(Err(AuthFailure::UnknownUser)), again(AuthFailure::UnknownUser));
        assert_eq!(bench.present(nonce, 2), Ok(()));
        assert_eq!(bench.settle(Ok(())), Ok(()));
    }
}

#[test]
fn a_locked_or_disabled_user_is_refused_at_once() {
    for cause in [AuthFailure::UserLocked, AuthFailure::Disabled, AuthFailure::IdentityMismatch] {
        let mut bench = Bench::new();
        let nonce = bench.mint();
        assert_eq!(bench.present(nonce, 1), Ok(()));
        assert_eq!(bench.settle(Err(cause)), forbidden(cause));
        assert_eq!(bench.gate.closed(), Some(cause));
    }
}

#[test]
fn a_pipeline_of_guesses_gets_no_more_tries() {
    let mut bench = Bench::new();
    let nonce = bench.mint();
    assert_eq!(bench.present(nonce, 1), Ok(()));
    assert_eq!(bench.present(nonce, 2), Ok(()));
    let held = Err(Refusal::Challenge { stale: true, cause: None });
    assert_eq!(bench.present(nonce, 3), held);
    assert_eq!(bench.settle(Err(AuthFailure::WrongPassword)), again(AuthFailure::WrongPassword));
    assert_eq!(bench.present(nonce, 3), held, "one failed, one under way");
    bench.gate.abandon();
    assert_eq!(bench.present(nonce, 3), Ok(()));
}

#[test]
fn a_count_is_used_once() {
    let mut bench = Bench::new();
    let nonce = bench.mint();
    assert_eq!(bench.present(nonce, 2), Ok(()));
    assert_eq!(bench.settle(Ok(())), Ok(()));
    assert_eq!(bench.present(nonce, 2), stale(AuthFailure::Replay));
    assert_eq!(bench.present(nonce, 1), Ok(()));
}

#[test]
fn credentials_without_a_count_use_the_nonce_up() {
    let mut bench = Bench::new();
    let nonce = bench.mint();
    let legacy = DigestResponse { qop: None, nc: None, cnonce: None, ..Bench::credentials("", "") };
    let legacy = DigestResponse { nonce: nonce.as_str().as_bytes(), ..legacy };
    assert_eq!(bench.examine(Some(&legacy)), Ok(()));
    assert_eq!(bench.settle(Ok(())), Ok(()));
    assert_eq!(bench.examine(Some(&legacy)), stale(AuthFailure::Replay));
    assert_eq!(bench.present(nonce, 1), stale(AuthFailure::Replay));
}

#[test]
fn a_nonce_whose_counts_were_forgotten_is_not_taken_again() {
    let mut bench = Bench::new();
    let mut nonces = Vec::new();
    for _ in 0..4 {
        bench.now = bench.now.plus(Duration::from_millis(1));
        nonces.push(bench.mint());
    }
    for nonce in &nonces {
        assert_eq!(bench.present(*nonce, 1), Ok(()));
        assert_eq!(bench.settle(Ok(())), Ok(()));
    }
    for nonce in &nonces {
        assert_eq!(bench.present(*nonce, 1), stale(AuthFailure::Replay));
    }
    // The two newest are still known, so their next count is told from a used one.
    assert_eq!(bench.present(nonces[0], 2), stale(AuthFailure::Replay));
    assert_eq!(bench.present(nonces[1], 2), stale(AuthFailure::Replay));
    assert_eq!(bench.present(nonces[2], 2), Ok(()));
    assert_eq!(bench.present(nonces[3], 2), Ok(()));
}

#[test]
fn a_stale_or_foreign_nonce_gets_a_new_one_without_a_failure() {
    let mut bench = Bench::new();
    let old = bench.mint();
    bench.now = bench.now.plus(bench.limits.nonce_lifetime);
    assert_eq!(bench.present(old, 1), stale(AuthFailure::StaleNonce));
    let elsewhere = bench.key.mint(bench.now, &mut bench.seed, conn(2), "example.test");
    assert_eq!(bench.present(elsewhere, 1), stale(AuthFailure::ForeignNonce));
    let made_up = Bench::credentials("04ddf43288b31386", "00000001");
    assert_eq!(bench.examine(Some(&made_up)), stale(AuthFailure::ForeignNonce));
    let nonce = bench.mint();
    assert_eq!(bench.present(nonce, 1), Ok(()));
}

#[test]
fn bad_nonces_do_not_go_round_for_ever() {
    let mut bench = Bench::new();
    let made_up = Bench::credentials("04ddf43288b31386", "00000001");
    for _ in 0..bench.limits.auth_rechallenges_per_connection_max {
        assert_eq!(bench.examine(Some(&made_up)), stale(AuthFailure::ForeignNonce));
    }
    let refusal = bench.examine(Some(&made_up)).unwrap_err();
    assert_eq!(refusal, Refusal::Forbid(AuthFailure::ForeignNonce));
    assert_eq!(refusal.limit(), Some(Limit::AuthRechallenges));
}

#[test]
fn malformed_credentials_are_failures() {
    let mut bench = Bench::new();
    let nonce = bench.mint();
    let malformed = Bench::credentials(nonce.as_str(), "1");
    assert_eq!(bench.examine(Some(&malformed)), again(AuthFailure::Malformed));
    assert_eq!(bench.examine(Some(&malformed)), forbidden(AuthFailure::Malformed));
}

#[test]
fn a_bound_of_zero_failures_still_lets_a_good_client_in() {
    let mut bench = Bench::new();
    bench.limits.auth_failures_per_connection_max = 0;
    let nonce = bench.mint();
    assert_eq!(bench.present(nonce, 1), Ok(()));
    assert_eq!(bench.settle(Ok(())), Ok(()));
}

/// One step: what is done, with which of the latest nonces, and its count.
pub type Step = (u8, usize, u32);

/// Any step.
pub fn any_step() -> impl Strategy<Value = Step> {
    (0u8..8, 0usize..6, 1u32..5)
}

/// Whatever a client sends in whatever order: no use of a nonce passes twice, and no more guesses
/// pass than the bound permits between two good sign-ins.
pub fn run(failures_max: u32, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut bench = Bench::new();
    bench.limits.auth_failures_per_connection_max = failures_max;
    let (mut nonces, mut used) = (Vec::new(), HashSet::new());
    let (mut under_way, mut failed) = (0u32, 0u32);
    for (step, which, count) in steps {
        match step {
            0 => {
                bench.now = bench.now.plus(Duration::from_secs(which as u64 * 20));
                nonces.push(bench.mint());
            }
            1 if under_way > 0 => {
                under_way -= 1;
                let closed = bench.gate.closed().is_some();
                prop_assert_eq!(bench.settle(Ok(())), Ok(()));
                prop_assert_eq!(bench.gate.closed().is_some(), closed);
                failed = 0;
            }
            2 if under_way > 0 => {
                under_way -= 1;
                failed += 1;
                let answer = bench.settle(Err(AuthFailure::WrongPassword));
                if failed >= failures_max {
                    prop_assert_eq!(answer, forbidden(AuthFailure::WrongPassword));
                }
            }
            _ => {
                let Some(nonce) = nonces.iter().rev().nth(which).copied() else { continue };
                if bench.present(nonce, count).is_ok() {
                    under_way += 1;
                    prop_assert!(used.insert((nonce, count)), "passed twice");
                    prop_assert!(failed + under_way <= failures_max, "a guess too many");
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn nothing_passes_twice_and_guesses_are_bounded(
        failures_max in 1u32..4,
        steps in prop::collection::vec(any_step(), 0..80),
    ) {
        run(failures_max, steps)?;
    }
}

#[test]
fn an_ntlm_answer_needs_its_own_challenge_and_counts_as_a_try_when_it_cannot_be_read() {
    let mut bench = Bench::new();
    let handshake = Handshake::new(&mut bench.seed);
    let value = handshake.challenge("example.test", "fe01.example.test", 4);
    let credentials = crate::wire::sip::Credentials::parse(value.as_bytes()).unwrap();
    let credentials = NtlmCredentials::read(&credentials).unwrap();
    let mut examine = |handshake| bench.gate.examine_ntlm(handshake, &credentials, &bench.limits);
    let foreign = Refusal::Challenge { stale: true, cause: Some(AuthFailure::ForeignNonce) };
    assert_eq!(examine(None), Err(foreign));
    assert_eq!(examine(Some(Handshake::new(&mut Seed::from_u64(9)))), Err(foreign));
    // Our challenge sent back is no answer to it.
    let malformed = Refusal::Challenge { stale: false, cause: Some(AuthFailure::Malformed) };
    assert_eq!(examine(Some(handshake.clone())), Err(malformed));
    assert_eq!(examine(Some(handshake)), Err(Refusal::Forbid(AuthFailure::Malformed)));
    assert_eq!(bench.gate.closed(), Some(AuthFailure::Malformed));
}
