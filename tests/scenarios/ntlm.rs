//! Lync clients that sign in by NTLM: the handshake, and what is refused in it. The signatures
//! that follow stand in `signatures`.

use mynah::base::limits::Limit;
use mynah::config::{AuthMethod, NtlmVersion};
use mynah::metrics::counters::AuthFailure;
use mynah::metrics::names::Series;
use mynah::shard::input::Transport;

use crate::harness::ntlm::{self, Account};
use crate::harness::text::quoted;
use crate::harness::{Client, Device, Net, PASSWORD, Request, Text};

const ALICE: Device<'_> = Device { user: "alice", ms: true, number: 0 };
const ACCOUNT: Account<'_> = Account { user: "alice", domain: "", password: PASSWORD };
const WRONG: &str = "52013;reason=\"The user name or the password is wrong\"";

/// Signs in on a connection of its own.
fn attempt(net: &mut Net, shard: u16, user: &str, login: &str, password: &str) -> Text {
    let mut client = Client::on(net, shard, Device { user, ..ALICE });
    let offer = net.ask(client.conn, &client.register());
    client.sign_in_by_ntlm(net, &offer, login, password)
}

/// Asks for a challenge.
fn challenged(net: &mut Net, client: &mut Client) -> Text {
    let offer = net.ask(client.conn, &client.register());
    let asking = client.register().header("Authorization", &ntlm::empty(&offer));
    net.ask(client.conn, &asking)
}

fn settings(net: &[AuthMethod], version: NtlmVersion) -> Net {
    Net::with(2, |settings| {
        settings.lync_auth = net.to_vec();
        settings.ntlm_version = version;
    })
}

#[test]
fn a_lync_client_signs_in_as_in_the_transcript() {
    for shards in 1..=4 {
        let mut net = Net::ntlm(shards);
        let mut alice = Client::on(&mut net, 0, ALICE);
        let offer = net.ask(alice.conn, &alice.register());
        assert_eq!(offer.start_line(), "SIP/2.0 401 Unauthorized");
        assert_eq!(
            offer.headers("WWW-Authenticate"),
            [
                "NTLM realm=\"SIP Communications Service\", targetname=\"fe01.example.test\", version=4"
            ]
        );
        assert!(!offer.has("Proxy-Authenticate"));
        let asking = alice.register().header("Authorization", &ntlm::empty(&offer));
        let challenge = net.ask(alice.conn, &asking);
        assert_eq!(challenge.status(), 401);
        let value = challenge.header("WWW-Authenticate");
        assert_eq!(quoted(value, "opaque").len(), 8);
        assert!(value.ends_with("version=4"), "{value}");

        let (answer, keys) = ntlm::answer(alice.register(), &challenge, ACCOUNT);
        net.keys.insert(alice.conn, keys);
        let accepted = net.ask(alice.conn, &answer);
        assert_eq!(accepted.status(), 200);
        assert_eq!(accepted.header("Expires"), "7200");
        assert_eq!(net.keys[&alice.conn].snum, 1, "the 200 was signed");
        assert_eq!((net.value(Series::SignIns), net.value(Series::Challenges)), (1, 2));
    }
}

#[test]
fn version_3_leaves_the_sign_in_itself_unsigned() {
    let mut net = settings(&[AuthMethod::Ntlm], NtlmVersion::V3);
    let mut alice = Client::lync(&mut net, 0, "alice");
    assert_eq!(net.keys[&alice.conn].cnum, 0);
    assert_eq!(net.ask(alice.conn, &alice.register()).status(), 200);
    assert_eq!(net.keys[&alice.conn].cnum, 1);
}

#[test]
fn two_challenges_differ() {
    let mut net = Net::ntlm(1);
    let mut alice = Client::on(&mut net, 0, ALICE);
    let mut part = |name| {
        let challenge = challenged(&mut net, &mut alice);
        quoted(challenge.header("WWW-Authenticate"), name).to_owned()
    };
    assert_ne!(part("opaque"), part("opaque"));
    assert_ne!(part("gssapi-data"), part("gssapi-data"));
}

#[test]
fn a_user_signs_in_by_login_by_domain_and_login_or_by_address() {
    let mut net = Net::ntlm(2);
    net.put_user("bob", |bob| bob.login = "CORP\\bob".to_owned());
    for (user, login) in [
        ("alice", "alice"),
        ("alice", "ALICE"),
        ("alice", "ANY\\alice"),
        ("alice", "alice@example.test"),
        ("bob", "corp\\BOB"),
        ("bob", "bob@example.test"),
    ] {
        assert_eq!(attempt(&mut net, 1, user, login, PASSWORD).status(), 200, "{login}");
    }
    for (user, login) in [("alice", "bob"), ("bob", "bob"), ("bob", "OTHER\\bob")] {
        let refused = attempt(&mut net, 1, user, login, PASSWORD);
        assert_eq!(refused.status(), 403, "{login}");
        assert_eq!(refused.header("ms-diagnostics-public"), WRONG);
    }
}

#[test]
fn a_wrong_password_and_an_unknown_user_are_refused_alike() {
    let mut net = Net::ntlm(2);
    let mut lines = Vec::new();
    for (user, password) in [("alice", "wrong"), ("nobody", PASSWORD)] {
        let refused = attempt(&mut net, 0, user, user, password);
        assert_eq!(refused.start_line(), "SIP/2.0 403 Forbidden");
        assert_eq!(refused.header("ms-diagnostics-public"), WRONG);
        lines.push(refused.lines().map(|(name, _)| name.to_owned()).collect::<Vec<_>>());
    }
    assert_eq!(lines[0], lines[1]);
    assert_eq!(net.auth_failures(AuthFailure::WrongPassword), 1);
    assert_eq!(net.auth_failures(AuthFailure::UnknownUser), 1);
    assert_eq!(net.value(Series::EndpointsCurrent), 0);
}

#[test]
fn the_second_wrong_password_on_a_connection_is_the_last() {
    let mut net = Net::ntlm(2);
    let mut alice = Client::on(&mut net, 0, ALICE);
    for _ in 0..2 {
        let challenge = challenged(&mut net, &mut alice);
        let guess = Account { password: "wrong", ..ACCOUNT };
        let (answer, _) = ntlm::answer(alice.register(), &challenge, guess);
        assert_eq!(net.ask(alice.conn, &answer).status(), 403);
    }
    let late = net.ask(alice.conn, &alice.register());
    assert_eq!(late.status(), 403);
    assert_eq!(late.header("ms-diagnostics-public"), WRONG);
    assert_eq!(net.hits(Limit::AuthFailuresPerConnection), 1);
}

#[test]
fn failures_lock_the_user_and_the_address_out() {
    let mut net = Net::with(2, |settings| {
        settings.lync_auth = vec![AuthMethod::Ntlm];
        settings.limits.auth_failures_per_user_max = 2;
        settings.limits.auth_failures_per_address_max = 4;
    });
    for _ in 0..2 {
        assert_eq!(attempt(&mut net, 0, "alice", "alice", "wrong").status(), 403);
    }
    let locked = attempt(&mut net, 1, "alice", "alice", PASSWORD);
    assert!(locked.header("ms-diagnostics-public").contains("Too many failed sign-ins"));
    assert_eq!(net.auth_failures(AuthFailure::UserLocked), 1);
    for _ in 0..2 {
        attempt(&mut net, 0, "nobody", "nobody", "wrong");
    }
    let mut bob = Client::on(&mut net, 1, Device { user: "bob", ..ALICE });
    assert_eq!(net.ask(bob.conn, &bob.register()).status(), 403);
    let conn = net.open_from(1, "10.0.0.9:5061", Transport::Tls);
    let mut bob = Client::of(conn, Device { user: "bob", ..ALICE });
    assert_eq!(bob.sign_in(&mut net).status(), 200);
}

#[test]
fn a_disabled_user_is_told_so_if_he_knows_his_password() {
    let mut net = Net::ntlm(2);
    net.put_user("alice", |alice| alice.disabled = true);
    let refused = attempt(&mut net, 0, "alice", "alice", PASSWORD);
    assert!(refused.header("ms-diagnostics-public").contains("The account is disabled"));
    let refused = attempt(&mut net, 0, "alice", "alice", "wrong");
    assert_eq!(refused.header("ms-diagnostics-public"), WRONG);
}

#[test]
fn an_answer_without_its_challenge_is_asked_to_begin_anew() {
    let mut net = Net::ntlm(2);
    let mut alice = Client::on(&mut net, 0, ALICE);
    let mut other = Client::on(&mut net, 1, ALICE);
    let foreign = challenged(&mut net, &mut other);
    let (answer, _) = ntlm::answer(alice.register(), &foreign, ACCOUNT);
    // Never asked, asked on another connection, asked for something else, and answered twice.
    assert_eq!(net.ask(alice.conn, &answer).status(), 401);
    let own = challenged(&mut net, &mut alice);
    assert_eq!(net.ask(alice.conn, &answer).status(), 401);
    let (answer, _) = ntlm::answer(alice.register(), &own, Account { password: "x", ..ACCOUNT });
    assert_eq!(net.ask(alice.conn, &answer).status(), 401, "the challenge was used up");
    let own = challenged(&mut net, &mut alice);
    let (answer, _) = ntlm::answer(alice.register(), &own, Account { password: "x", ..ACCOUNT });
    assert_eq!(net.ask(alice.conn, &answer).status(), 403);
    assert_eq!(net.ask(alice.conn, &answer).status(), 401);
    assert_eq!(net.auth_failures(AuthFailure::ForeignNonce), 4);
    assert_eq!(alice.sign_in(&mut net).status(), 200);
}

#[test]
fn a_flood_of_answers_without_a_challenge_ends() {
    let mut net = Net::with(1, |settings| {
        settings.lync_auth = vec![AuthMethod::Ntlm];
        settings.limits.auth_rechallenges_per_connection_max = 3;
    });
    let mut alice = Client::on(&mut net, 0, ALICE);
    let value = "NTLM opaque=\"00000000\", gssapi-data=\"TlRMTVNTUAAD\"";
    let answers: Vec<u16> = (0..5)
        .map(|_| net.ask(alice.conn, &alice.register().header("Authorization", value)).status())
        .collect();
    assert_eq!(answers, [401, 401, 401, 403, 403]);
    assert_eq!(net.hits(Limit::AuthRechallenges), 1);
}

#[test]
fn a_token_that_cannot_be_read_is_a_failed_sign_in() {
    let long = "A".repeat(7_000);
    for token in ["!", "AAAA", "TlRMTVNTUAABAAAA", &long] {
        let mut net = Net::ntlm(1);
        let mut alice = Client::on(&mut net, 0, ALICE);
        let statuses: Vec<u16> = (0..2)
            .map(|_| {
                let challenge = challenged(&mut net, &mut alice);
                let opaque = quoted(challenge.header("WWW-Authenticate"), "opaque");
                let value = format!("NTLM opaque=\"{opaque}\", gssapi-data=\"{token}\"");
                net.ask(alice.conn, &alice.register().header("Authorization", &value)).status()
            })
            .collect();
        assert_eq!(statuses, [401, 400], "{token}");
        assert_eq!(net.auth_failures(AuthFailure::Malformed), 2);
    }
}

#[test]
fn a_sign_in_whose_own_signature_is_wrong_is_refused_and_registers_nothing() {
    for (from, to) in [("response=\"0100", "response=\"0200"), ("cnum=\"1\"", "cnum=\"2\"")] {
        let mut net = Net::ntlm(2);
        let mut alice = Client::on(&mut net, 0, ALICE);
        let challenge = challenged(&mut net, &mut alice);
        let (answer, _) = ntlm::answer(alice.register(), &challenge, ACCOUNT);
        let forged = answer.value("Authorization").replace(from, to);
        let refused = net.ask(alice.conn, &answer.with("Authorization", &forged));
        assert_eq!(refused.status(), 403);
        assert_eq!(net.auth_failures(AuthFailure::BadSignature), 1);
        assert_eq!(net.value(Series::EndpointsCurrent), 0);
    }
}

#[test]
fn a_request_that_is_no_register_cannot_sign_in_by_ntlm() {
    let mut net = Net::ntlm(2);
    let mut alice = Client::on(&mut net, 0, ALICE);
    let challenge = challenged(&mut net, &mut alice);
    let page = alice.page("bob", "hi");
    // It waits: the client could not read it before its keys are settled.
    net.send(alice.conn, &page);
    let answer = net.recv(alice.conn);
    assert_eq!(answer.status(), 401);
    assert!(answer.header("WWW-Authenticate").starts_with("NTLM realm="));
    let (page, _) = ntlm::answer(alice.page("bob", "hi"), &challenge, ACCOUNT);
    assert_eq!(net.ask(alice.conn, &page).status(), 401);
    assert_eq!(net.value(Series::PagerMessages), 0);
}

#[test]
fn each_kind_of_client_is_offered_what_is_switched_on_for_it() {
    let offers = |methods: &[AuthMethod]| {
        let mut net = settings(methods, NtlmVersion::V4);
        let mut alice = Client::on(&mut net, 0, ALICE);
        let answer = net.ask(alice.conn, &alice.register());
        let scheme = |value: &&str| value.split(' ').next().unwrap_or_default().to_owned();
        let asked: Vec<String> = answer.headers("WWW-Authenticate").iter().map(scheme).collect();
        let by_proxy: Vec<String> =
            answer.headers("Proxy-Authenticate").iter().map(scheme).collect();
        (answer.status(), asked.join(" "), by_proxy.join(" "))
    };
    let text = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    let expect = |status, (asked, by_proxy)| (status, asked, by_proxy);
    assert_eq!(offers(&[AuthMethod::Ntlm]), expect(401, text("NTLM", "")));
    assert_eq!(offers(&[AuthMethod::Digest]), expect(407, text("", "Digest")));
    let both = [AuthMethod::Digest, AuthMethod::Ntlm];
    assert_eq!(offers(&both), expect(401, text("NTLM Digest", "")));
    assert_eq!(offers(&[]), expect(403, text("", "")));
}

#[test]
fn where_both_are_on_a_lync_client_may_use_digest_and_signs_nothing() {
    let mut net = settings(&[AuthMethod::Ntlm, AuthMethod::Digest], NtlmVersion::V4);
    let mut alice = Client::on(&mut net, 0, ALICE);
    let request = alice.register();
    let challenge = net.ask(alice.conn, &request);
    let digest = challenge.headers("WWW-Authenticate")[1].to_owned();
    let digest = Text::new(
        format!("SIP/2.0 401 Unauthorized\r\nWWW-Authenticate: {digest}\r\n\r\n").as_bytes(),
    );
    let accepted = net.ask(alice.conn, &alice.prove(request, &digest, PASSWORD));
    assert_eq!(accepted.status(), 200);
    assert!(!accepted.has("Authentication-Info"));
    assert_eq!(net.ask(alice.conn, &alice.register()).status(), 200);
}

#[test]
fn a_standard_client_cannot_sign_in_where_that_is_switched_off() {
    let mut net = Net::with(1, |settings| settings.standard_auth = Vec::new());
    let mut bob = Client::on(&mut net, 0, Device { user: "bob", ms: false, number: 0 });
    let refused = net.ask(bob.conn, &bob.register());
    assert_eq!(refused.status(), 403);
    assert!(refused.header("Warning").contains("cannot sign in here"), "{refused:?}");
    let page: Request = bob.page("alice", "hi");
    assert_eq!(net.ask(bob.conn, &page).status(), 403);
}

#[test]
fn ntlm_is_nothing_to_who_is_asked_for_digest() {
    let mut net = Net::new(1);
    let mut alice = Client::on(&mut net, 0, ALICE);
    let value = "NTLM qop=\"auth\", gssapi-data=\"\", version=4";
    let answer = net.ask(alice.conn, &alice.register().header("Authorization", value));
    assert_eq!(answer.status(), 407);
    assert!(!answer.has("WWW-Authenticate"));
}
