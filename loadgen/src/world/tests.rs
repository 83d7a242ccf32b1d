use super::*;
use crate::link::WAITING_MAX;
use crate::settings::{Auth, Dialect};
use crate::stamp::Stamp;
use std::net::Ipv4Addr;
use std::time::Duration;

const SECOND: u64 = 1_000_000_000;

fn at(seconds: f64) -> Moment {
    Moment((seconds * SECOND as f64) as u64)
}

fn world(change: impl FnOnce(&mut Settings)) -> World {
    let mut settings = Settings::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 5060)));
    settings.dialect = Dialect::Simple;
    change(&mut settings);
    let mut world = World::new(Arc::new(settings), 7, 0, 2, &[Operation::Message]).unwrap();
    let window = Window { start: at(0.0), from: at(0.0), until: at(1e6) };
    world.set_window(window);
    world
}

fn written(world: &mut World, slot: Slot) -> String {
    while world.next_output().is_some() {}
    String::from_utf8(std::mem::take(world.waiting(slot))).unwrap()
}

/// Answers the last request in `text`.
fn answer(world: &mut World, slot: Slot, text: &str, status: &str, more: &str, now: Moment) {
    let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap();
    let answer = format!(
        "SIP/2.0 {status}\r\n{}\r\n{}\r\n{};tag=s\r\n{}\r\n{}\r\n{more}Content-Length: 0\r\n\r\n",
        line("Via"),
        line("From"),
        line("To"),
        line("Call-ID"),
        line("CSeq")
    );
    world.received(slot, answer.as_bytes(), now);
}

fn sign_in(world: &mut World, slot: Slot, more: &str) {
    world.open(slot, Purpose::SignIn, at(0.0), at(0.0));
    assert!(matches!(world.next_output(), Some(Output::Open { .. })));
    world.located(slot, SocketAddr::from(([127, 0, 0, 2], 5000)));
    world.up(slot, 1, at(0.1));
    let register = written(world, slot);
    assert!(register.starts_with("REGISTER sip:example.test SIP/2.0\r\n"), "{register}");
    answer(world, slot, &register, "200 OK", more, at(0.2));
    assert!(world.is_signed_in(slot));
}

fn failures(world: &World, operation: Operation) -> Vec<(Cause, u64)> {
    let tally = world.stats.tally(operation).unwrap();
    tally.failures.iter().map(|(&cause, &count)| (cause, count)).collect()
}

fn stamp(number: u32) -> Stamp {
    Stamp { run: 7, pair: 0, number, intended: at(1.0) }
}

#[test]
fn a_registration_is_renewed_before_it_ends_and_only_once() {
    let mut world = world(|_| {});
    sign_in(&mut world, 0, "Expires: 100\r\n");
    world.tick(at(89.0));
    assert_eq!(written(&mut world, 0).matches("REGISTER").count(), 0);
    world.tick(at(91.0));
    let renewal = written(&mut world, 0);
    assert!(renewal.contains("CSeq: 2 REGISTER\r\n"), "{renewal}");
    answer(&mut world, 0, &renewal, "200 OK", "Expires: 100\r\n", at(91.1));
    for second in 92..180 {
        world.tick(at(f64::from(second)));
    }
    assert!(!written(&mut world, 0).contains("REGISTER"));
    world.tick(at(182.0));
    assert_eq!(written(&mut world, 0).matches("CSeq: 3 REGISTER").count(), 1);
    assert_eq!(world.stats.tally(Operation::Refresh).unwrap().succeeded, 1);
}

#[test]
fn a_sign_of_life_is_sent_only_when_idle() {
    let mut world = world(|settings| settings.keep_alive = Duration::from_secs(60));
    sign_in(&mut world, 0, "ms-keep-alive: UAS; tcp=no; hop-hop=yes; end-end=no; timeout=30\r\n");
    world.tick(at(29.0));
    assert_eq!(written(&mut world, 0), "");
    world.message(0, 1, &stamp(1), 0, at(29.0));
    assert!(written(&mut world, 0).starts_with("MESSAGE"));
    world.tick(at(31.0));
    assert_eq!(written(&mut world, 0), "");
    world.tick(at(59.5));
    assert_eq!(written(&mut world, 0), "\r\n\r\n");
}

#[test]
fn a_connection_that_is_not_made_in_time_is_given_up_once() {
    let mut world = world(|_| {});
    world.open(0, Purpose::SignIn, at(0.0), at(0.0));
    world.tick(at(11.0));
    let outputs: Vec<_> = std::iter::from_fn(|| world.next_output()).collect();
    assert_eq!(outputs[1..], [Output::Close(0)]);
    assert_eq!(failures(&world, Operation::SignIn), [(Cause::Timeout, 1)]);
    world.up(0, 1, at(11.5));
    world.down(0, 1, Cause::Connect, String::new, at(12.0));
    assert_eq!(failures(&world, Operation::SignIn), [(Cause::Timeout, 1)]);
    assert_eq!(world.next_notice(), Some((0, Notice::Down)));
    assert_eq!((world.opening, world.outstanding), (0, 0));
}

#[test]
fn what_belongs_to_an_earlier_connection_is_ignored() {
    let mut world = world(|_| {});
    sign_in(&mut world, 0, "");
    world.close(0);
    world.down(0, 1, Cause::Disconnected, String::new, at(1.0));
    assert!(world.is_closed(0));
    world.open(0, Purpose::SignIn, at(2.0), at(2.0));
    world.down(0, 1, Cause::Disconnected, String::new, at(2.1));
    assert!(!world.is_closed(0));
    // The deadline of the first connection does not end the second.
    world.tick(at(11.0));
    assert_eq!(world.opening, 1);
}

#[test]
fn an_answer_after_its_time_does_not_make_a_success_of_a_timeout() {
    let mut world = world(|_| {});
    sign_in(&mut world, 0, "");
    world.message(0, 1, &stamp(1), 0, at(1.0));
    let message = written(&mut world, 0);
    world.tick(at(11.5));
    assert_eq!(failures(&world, Operation::Message), [(Cause::Timeout, 1)]);
    answer(&mut world, 0, &message, "200 OK", "", at(12.0));
    assert_eq!(world.stats.tally(Operation::Message).unwrap().succeeded, 0);
    assert_eq!(world.stats.seen.stray_answers, 1);
}

#[test]
fn a_provisional_answer_leaves_the_request_waiting() {
    let mut world = world(|_| {});
    sign_in(&mut world, 0, "");
    world.message(0, 1, &stamp(1), 0, at(1.0));
    let message = written(&mut world, 0);
    answer(&mut world, 0, &message, "100 Trying", "", at(1.1));
    assert_eq!((world.outstanding, world.stats.seen.stray_answers), (1, 0));
    answer(&mut world, 0, &message, "202 Accepted", "", at(1.2));
    assert_eq!(world.stats.tally(Operation::Message).unwrap().succeeded, 1);
}

#[test]
fn what_waits_to_be_written_is_bounded() {
    let mut world = world(|_| {});
    sign_in(&mut world, 0, "");
    let length = WAITING_MAX / 8;
    for number in 1..=20 {
        world.message(0, 1, &stamp(number), length, at(1.0));
    }
    let failed = failures(&world, Operation::Message);
    assert_eq!(failed, [(Cause::Overrun, 12)]);
    assert!(world.waiting(0).len() < WAITING_MAX + length + 2000);
}

#[test]
fn octets_that_are_not_sip_end_the_connection_and_everything_on_it() {
    let mut world = world(|_| {});
    sign_in(&mut world, 0, "");
    world.message(0, 1, &stamp(1), 0, at(1.0));
    world.received(0, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", at(1.1));
    assert_eq!(failures(&world, Operation::Message), [(Cause::Protocol, 1)]);
    assert_eq!(failures(&world, Operation::Hold), [(Cause::Protocol, 1)]);
    assert_eq!(std::iter::from_fn(|| world.next_output()).last(), Some(Output::Close(0)));
    world.down(0, 1, Cause::Disconnected, String::new, at(1.2));
    assert_eq!((world.signed_in, world.outstanding), (0, 0));
}

#[test]
fn only_what_was_meant_for_the_window_counts() {
    let mut world = world(|_| {});
    world.set_window(Window { start: at(0.0), from: at(5.0), until: at(6.0) });
    for (intended, now) in [(4.9, 5.1), (5.0, 5.2), (5.9, 7.0), (6.0, 6.1)] {
        world.succeed(Operation::Message, at(intended), at(now));
    }
    let tally = world.stats.tally(Operation::Message).unwrap();
    assert_eq!((tally.succeeded, tally.completed_in_window), (2, 2));
    assert!((1_099_000..1_101_000).contains(&tally.latency.max()));
}

/// A real server's challenge, as it came after the offer.
const NTLM: &str = "WWW-Authenticate: NTLM opaque=\"F288E6FC\", gssapi-data=\"TlRMTVNTUAACAAAADgAOADgA\
    AABVgpjiUEkizQ6wBH8AAAAAAAAAAGQAZABGAAAABgGxHQAAAA9FAFgAQQBNAFAATABFAAIADgBFAFgAQQBNAFAATABF\
    AAEACABGAEUAMAAxAAQAGABlAHgAYQBtAHAAbABlAC4AdABlAHMAdAADACIAZgBlADAAMQAuAGUAeABhAG0AcABsAGUA\
    LgB0AGUAcwB0AAAAAAA=\", targetname=\"fe01.example.test\", realm=\"SIP Communications Service\", \
    version=4\r\n";

#[test]
fn a_wrong_or_missing_signature_ends_the_connection_as_a_breach_of_the_protocol() {
    let wrong = "Authentication-Info: NTLM rspauth=\"01000000000000000000000064000000\", \
        srand=\"1\", snum=\"1\", opaque=\"F288E6FC\"\r\n";
    for (line, example) in [
        ("", "a message of the server is not signed"),
        (wrong, "a signature of the server does not fit its message"),
    ] {
        let mut world = world(|settings| {
            settings.dialect = Dialect::Ms;
            settings.auth = Auth::Ntlm;
        });
        world.open(0, Purpose::SignIn, at(0.0), at(0.0));
        world.located(0, SocketAddr::from(([127, 0, 0, 2], 5000)));
        world.up(0, 1, at(0.1));
        let first = written(&mut world, 0);
        answer(&mut world, 0, &first, "401 Unauthorized", NTLM, at(0.2));
        let proof = written(&mut world, 0);
        assert!(proof.contains(", crand=\""), "{proof}");
        answer(&mut world, 0, &proof, "200 OK", line, at(0.3));
        assert_eq!(failures(&world, Operation::SignIn), [(Cause::Protocol, 1)]);
        assert_eq!(world.stats.examples[&Cause::Protocol], example);
        assert!(!world.is_signed_in(0));
        assert!(std::iter::from_fn(|| world.next_output()).any(|out| out == Output::Close(0)));
    }
}
