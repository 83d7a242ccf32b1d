use super::*;
use crate::settings::{Dialect, Links, Settings};
use crate::world::Window;
use std::sync::Arc;

const SECOND: u64 = 1_000_000_000;
/// Two users on one link, which has the slot behind theirs.
const LINK: Slot = 2;

fn at(seconds: f64) -> Moment {
    Moment((seconds * SECOND as f64) as u64)
}

fn world() -> World {
    let target = SocketAddr::from((Ipv4Addr::LOCALHOST, 5060));
    let (cert, key) = ("link.pem".into(), "link-key.pem".into());
    let links = Some(Links { cert, count: 1, key, target, users_per_link: 2 });
    let dialect = Dialect::Simple;
    let settings = Settings { dialect, links, ..Settings::new(target) };
    let mut world = World::new(Arc::new(settings), 7, 0, 2, &[Operation::Message]).unwrap();
    world.set_window(Window { start: at(0.0), from: at(0.0), until: at(1e6) });
    world
}

fn outputs(world: &mut World) -> Vec<Output> {
    std::iter::from_fn(|| world.next_output()).collect()
}

/// The messages that wait to be written on the link.
fn written(world: &mut World) -> Vec<String> {
    let text = String::from_utf8(std::mem::take(world.waiting(LINK))).unwrap();
    text.split_inclusive("\r\n\r\n").map(str::to_owned).collect()
}

fn answer(world: &mut World, request: &str, status: &str, now: Moment) {
    let line = |name: &str| request.lines().find(|line| line.starts_with(name)).unwrap();
    let answer = format!(
        "SIP/2.0 {status}\r\n{}\r\n{}\r\n{};tag=s\r\n{}\r\n{}\r\nExpires: 100\r\n\
         Content-Length: 0\r\n\r\n",
        line("Via"),
        line("From"),
        line("To"),
        line("Call-ID"),
        line("CSeq")
    );
    world.received(LINK, answer.as_bytes(), now);
}

fn request(method: &str, uri: &str) -> String {
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/TLS s;branch=z9hG4bKs;lane=7\r\n\
         From: <sip:a@example.test>;tag=a\r\nTo: <{uri}>\r\nCall-ID: x\r\nCSeq: 1 {method}\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

/// Both users signed in.
fn signed_in() -> World {
    let mut world = world();
    world.open(0, Purpose::SignIn, at(0.0), at(0.0));
    world.open(1, Purpose::SignIn, at(0.0), at(0.0));
    let opened = outputs(&mut world);
    assert!(matches!(opened[..], [Output::Open { slot: LINK, generation: 1, .. }]), "{opened:?}");
    world.up(LINK, 1, at(0.1));
    let registers = written(&mut world);
    assert_eq!(registers.len(), 2);
    for (number, register) in registers.iter().enumerate() {
        assert!(register.contains(&format!("From: <sip:user000000{number}@")), "{register}");
        assert!(
            register.contains(&format!("Via: SIP/2.0/TCP 10.0.0.{number}:5061;")),
            "{register}"
        );
        answer(&mut world, register, "200 OK", at(0.2));
    }
    assert!(world.is_signed_in(0) && world.is_signed_in(1));
    assert_eq!(world.stats.tally(Operation::Connect).unwrap().succeeded, 1, "of the link");
    outputs(&mut world);
    world
}

fn failures(world: &World, operation: Operation) -> Vec<(Cause, u64)> {
    let tally = world.stats.tally(operation).unwrap();
    tally.failures.iter().map(|(&cause, &count)| (cause, count)).collect()
}

#[test]
fn what_comes_goes_to_the_user_it_names_and_is_answered_on_the_link() {
    let mut world = signed_in();
    let both = [
        request("OPTIONS", "sip:user0000001@example.test;opaque=user:epid:x;gruu"),
        request("OPTIONS", "sip:user0000000@10.0.0.0:5061;transport=tls"),
    ]
    .concat();
    // Cut anywhere: what is begun waits for its rest.
    let (front, rest) = both.as_bytes().split_at(both.len() / 2 + 7);
    world.received(LINK, front, at(1.0));
    world.received(LINK, rest, at(1.0));
    let answers = written(&mut world);
    assert_eq!(answers.len(), 2);
    for answer in answers {
        assert!(answer.starts_with("SIP/2.0 200 OK\r\n"), "{answer}");
        assert!(answer.contains(";lane=7\r\n"), "the Via comes back whole: {answer}");
    }
    assert_eq!(world.stats.seen.requests_answered, 2);
}

#[test]
fn what_is_for_nobody_is_refused_and_an_answer_to_nobody_is_stray() {
    let mut world = signed_in();
    for uri in ["sip:user0000002@example.test", "sip:example.test", "sip:bob@example.test"] {
        world.received(LINK, request("OPTIONS", uri).as_bytes(), at(1.0));
        let answers = written(&mut world);
        assert!(answers[0].starts_with("SIP/2.0 404 "), "{answers:?}");
        world.received(LINK, request("BENOTIFY", uri).as_bytes(), at(1.0));
        assert!(written(&mut world).is_empty(), "it is not to be answered");
    }
    assert_eq!(world.stats.seen.requests_refused, 6);
    answer(&mut world, &request("MESSAGE", "sip:x@y"), "200 OK", at(1.0));
    assert_eq!(world.stats.seen.stray_answers, 1);
}

#[test]
fn a_link_gives_one_sign_of_life_for_all_and_each_user_renews() {
    let mut world = signed_in();
    for second in 1..80 {
        world.tick(at(f64::from(second)));
    }
    let text = written(&mut world).concat();
    assert_eq!(text, "\r\n\r\n", "after 60 s");
    world.tick(at(91.0));
    let renewals = written(&mut world);
    assert_eq!(renewals.iter().filter(|text| text.starts_with("REGISTER")).count(), 2);
}

#[test]
fn a_lost_link_fails_all_its_users_and_is_opened_again_for_the_next() {
    let mut world = signed_in();
    world.down(LINK, 1, Cause::Disconnected, || "gone".to_owned(), at(1.0));
    assert_eq!(failures(&world, Operation::Hold), [(Cause::Disconnected, 2)]);
    assert_eq!(world.stats.examples[&Cause::Disconnected], "gone");
    assert_eq!((world.signed_in, world.outstanding), (0, 0));
    assert!((0..3).all(|slot| world.is_closed(slot)));
    world.open(1, Purpose::SignIn, at(2.0), at(2.0));
    assert!(outputs(&mut world).contains(&Output::Open {
        slot: LINK,
        generation: 2,
        source: None
    }));
    // What belongs to the first connection is ignored.
    world.down(LINK, 1, Cause::Disconnected, String::new, at(2.1));
    world.up(LINK, 2, at(2.2));
    assert_eq!(written(&mut world).len(), 1);
}

#[test]
fn a_link_that_is_not_made_fails_who_waits_for_it_once() {
    let mut world = world();
    world.open(0, Purpose::SignIn, at(0.0), at(0.0));
    world.open(1, Purpose::SignIn, at(0.0), at(0.0));
    world.down(LINK, 1, Cause::Tls, || "bad certificate".to_owned(), at(0.5));
    assert_eq!(failures(&world, Operation::SignIn), [(Cause::Tls, 2)]);
    assert_eq!(failures(&world, Operation::Connect), [(Cause::Tls, 1)]);
    world.tick(at(20.0));
    assert_eq!(failures(&world, Operation::SignIn), [(Cause::Tls, 2)]);
    assert_eq!((world.opening, world.sign_ins_failed), (0, 2));
}

#[test]
fn a_link_that_takes_too_long_is_given_up() {
    let mut world = world();
    world.open(0, Purpose::SignIn, at(0.0), at(0.0));
    outputs(&mut world);
    world.tick(at(11.0));
    assert!(outputs(&mut world).contains(&Output::Close(LINK)));
    assert_eq!(failures(&world, Operation::SignIn), [(Cause::Timeout, 1)]);
    assert_eq!(world.opening, 0);
    world.up(LINK, 1, at(11.1));
    assert!(!world.is_signed_in(0));
}

#[test]
fn octets_that_are_not_sip_end_the_link_and_one_user_leaves_it_alone() {
    let mut world = signed_in();
    world.close(0);
    assert_eq!(outputs(&mut world), [Output::Close(0)]);
    world.down(0, 1, Cause::Disconnected, String::new, at(1.0));
    assert!(world.is_closed(0) && world.is_signed_in(1));
    world.received(LINK, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", at(1.1));
    assert_eq!(failures(&world, Operation::Hold), [(Cause::Protocol, 1)]);
    assert!(outputs(&mut world).contains(&Output::Close(LINK)));
    world.down(LINK, 1, Cause::Disconnected, String::new, at(1.2));
    assert!((0..3).all(|slot| world.is_closed(slot)));
}

#[test]
fn what_waits_to_be_written_on_a_link_is_bounded() {
    let mut world = signed_in();
    let stamp = |number| crate::stamp::Stamp { run: 7, pair: 0, number, intended: at(1.0) };
    let length = WAITING_MAX / 2;
    for number in 1..=40 {
        world.message(0, 1, &stamp(number), length, at(1.0));
    }
    // Each is half of what may wait on another connection, and its head comes on top.
    let sent = 2 * LINK_WAITING_FACTOR as u64;
    assert_eq!(failures(&world, Operation::Message), [(Cause::Overrun, 40 - sent)]);
}
