//! Other settings, users and certificates while the server runs.

use std::fs;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use rustix::process::Signal;

use crate::outside::endpoint::Endpoint;
use crate::outside::metrics::{closed, post};
use crate::outside::server::{PASSWORD, Server, renew_certificate};
use crate::outside::session::Session;
use crate::outside::stream::Stream;

/// Reloads under traffic.
const RELOADS: usize = 1_000;
/// Memory that reloads may take at first, and between these and the last of them, in octets. What
/// each kept would be a certificate and its key at least, some 4 KiB.
const GROWTH_MAX: f64 = 2.0 * 1024.0 * 1024.0;

/// A pair that talks until told to stop; how much it said.
struct Pair(JoinHandle<usize>);

impl Pair {
    fn talk(mut caller: Endpoint, mut callee: Endpoint, stop: Arc<AtomicBool>) -> Self {
        let mut session = Session::open(&mut caller, &mut callee);
        Pair(thread::spawn(move || {
            let mut said = 0;
            while !stop.load(Ordering::SeqCst) {
                session.say(&mut caller, &mut callee, &format!("number {said}"));
                said += 1;
            }
            session.close(&mut caller, &mut callee);
            said
        }))
    }
}

fn reload(server: &Server) {
    let (status, body) = post(server.ready.http, "/reload");
    assert_eq!(status, 200, "{body}");
}

/// What `mynah reload` prints and how it ends.
fn command(server: &Server, line: &[&str]) -> (Option<i32>, String, String) {
    let http = server.ready.http.to_string();
    let Output { status, stdout, stderr } =
        server.command(&[&["reload", "--http", &http][..], line].concat());
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn a_thousand_certificates_drop_nobody_and_leave_no_memory_behind() {
    let server = Server::serve("");
    server.add_user("dave", PASSWORD);
    server.wait_metric("mynah_users_current", |users| users == 4.0);
    let stop = Arc::<AtomicBool>::default();
    let pairs = [["alice", "bob"], ["carol", "dave"]].map(|names| {
        let [caller, callee] = names.map(|name| Endpoint::tls(&server, name));
        Pair::talk(caller, callee, stop.clone())
    });
    let before = server.data().join("before.pem");
    fs::copy(server.trusted(), &before).unwrap();
    let resident = || server.metrics().value("process_resident_memory_bytes");
    let mut after_some = 0.0;
    for number in 0..RELOADS {
        renew_certificate(&server.data());
        reload(&server);
        if number % 100 == 0 {
            assert!(Stream::trusts(&server, &server.trusted()));
        }
        if number == RELOADS / 10 {
            after_some = resident();
        }
    }
    let after_all = resident();
    assert!(Stream::trusts(&server, &server.trusted()), "the new certificate is shown");
    assert!(!Stream::trusts(&server, &before), "the old is not");
    stop.store(true, Ordering::SeqCst);
    for pair in pairs {
        assert!(pair.0.join().unwrap() > 0);
    }
    let metrics = server.metrics();
    for reason in ["drain", "policy", "panic", "idle_timeout", "slow_reader"] {
        assert_eq!(metrics.value(&closed(reason)), 0.0, "{reason}");
    }
    assert!(after_all < after_some + GROWTH_MAX, "{after_some} octets became {after_all}");
    println!("resident after {}: {after_some}, after {RELOADS}: {after_all}", RELOADS / 10);
}

#[test]
fn a_certificate_that_cannot_be_used_changes_nothing_and_is_named() {
    let mut server = Server::serve("[limits]\nlockout_time = '15m'\n");
    let mut alice = Endpoint::tls(&server, "alice");
    let before = server.data().join("before.pem");
    fs::copy(server.trusted(), &before).unwrap();
    fs::write(server.trusted(), "no certificate").unwrap();
    let config = fs::read_to_string(server.config()).unwrap();
    fs::write(server.config(), config.replace("'15m'", "'1m'")).unwrap();
    for line in [&[][..], &["--dry-run"]] {
        let (code, out, err) = command(&server, line);
        assert_eq!((code, out.as_str()), (Some(1), ""));
        assert!(err.starts_with("mynah: not reloaded, nothing has changed: "), "{err}");
        assert!(err.ends_with("cert.pem holds no PEM certificate\n"), "{err}");
    }
    server.process().signal(Signal::HUP);
    // Two commands and the signal.
    for _ in 0..3 {
        let line = server.process().wait_for_text("not reloaded, nothing has changed: ");
        assert!(line.ends_with("cert.pem holds no PEM certificate"), "{line}");
    }
    assert!(Stream::trusts(&server, &before));
    assert_eq!(alice.ask("OPTIONS", "alice", "", "").status(), 200);
    // Nor was the rest of the file applied: it is still a change.
    renew_certificate(&server.data());
    let (code, out, _) = command(&server, &[]);
    assert_eq!(code, Some(0));
    assert!(out.contains("  limits.lockout_time: 15m -> 1m\n"), "{out}");
    assert!(Stream::trusts(&server, &server.trusted()));
}

#[test]
fn what_changes_and_what_waits_is_said_before_it_happens() {
    let mut server = Server::serve(
        "[log]\nfilter = 'warn'\n[limits]\nconnections_per_user_max = 1\nidle_timeout = '15m'\n",
    );
    let mut alice = Endpoint::tls(&server, "alice");
    let second = |server: &Server| {
        let stream = Stream::tls(server);
        Endpoint { user: "alice".to_owned(), stream, cseq: 0 }.register(PASSWORD).status()
    };
    assert_eq!(second(&server), 403);
    let config = fs::read_to_string(server.config()).unwrap();
    let changed = config
        .replace("'warn'", "'info,mynah::net=debug'")
        .replace("connections_per_user_max = 1", "connections_per_user_max = 2")
        .replace("'15m'", "'20m'")
        + "[policy.lab]\nprivacy = true\n";
    fs::write(server.config(), &changed).unwrap();
    let announced = "\
changes at once, and nobody is disconnected:
  log.filter: \"warn\" -> \"info,mynah::net=debug\"
  policy.lab: absent -> there
  policy.lab.privacy: false -> true
  limits.connections_per_user_max: 1 -> 2
waits for the next start of the server:
  limits.idle_timeout: 15m -> 20m
";
    let (code, out, err) = command(&server, &["--dry-run"]);
    assert_eq!((code, out.as_str(), err.as_str()), (Some(0), announced, ""));
    assert_eq!(second(&server), 403, "a trial changes nothing");

    let (code, out, _) = command(&server, &[]);
    assert_eq!(code, Some(0));
    assert_eq!(out, format!("{announced}reloaded: certificates and users were read again\n"));
    // The log has another level now.
    server.process().wait_for_text("INFO");
    assert_eq!(second(&server), 200);
    assert_eq!(alice.ask("OPTIONS", "alice", "", "").status(), 200);
    let (_, out, _) = command(&server, &["--dry-run"]);
    assert!(!out.contains("at once"), "{out}");
    assert!(out.contains("  limits.idle_timeout: 15m -> 20m\n"), "{out}");
}

#[test]
fn a_file_with_a_fault_changes_nothing_and_says_where() {
    let mut server = Server::serve("[log]\nfilter = 'info'\n");
    let mut alice = Endpoint::tls(&server, "alice");
    let good = fs::read_to_string(server.config()).unwrap();
    let lines = good.lines().count();
    for (fault, expected) in [
        ("[limits]\nlockout_tiem = '1m'\n", ":1: no limit is called `lockout_tiem`; did you mean"),
        ("[limits]\nlockout_time = 7\n", ":16: `lockout_time` is a time: write a number with a"),
    ] {
        // A good change before the fault is not applied either.
        fs::write(server.config(), good.replace("'info'", "'error'") + fault).unwrap();
        let (code, out, err) = command(&server, &[]);
        assert_eq!((code, out.as_str()), (Some(1), ""));
        let place = format!("mynah.toml:{}{expected}", lines + 2);
        assert!(err.contains(&place), "{place} is not in {err}");
        server.process().wait_for_text(&place);
        server.process().signal(Signal::HUP);
        server.process().wait_for_text(&place);
    }
    fs::write(server.config(), &good).unwrap();
    let (code, out, _) = command(&server, &[]);
    assert_eq!(code, Some(0));
    assert!(out.starts_with("nothing that the configuration says has changed\n"), "{out}");
    server.process().signal(Signal::HUP);
    server.process().wait_for_text("reloaded");
    assert_eq!(alice.ask("OPTIONS", "alice", "", "").status(), 200);
}
