//! pidgin-sipe, the Lync client, through a driver of ours (`purple/`).

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::complaints::complaints;
use crate::outside::cdr::{Ending, Kind};
use crate::outside::eventually;
use crate::outside::program::{Program, require, require_file};
use crate::outside::server::{PASSWORD, Server};

/// Name of the debug log.
const LOG: &str = "debug.log";

/// A client process, with one or more accounts.
pub struct Purple {
    program: Program,
    /// The library's own folder, with the debug log.
    folder: TempDir,
}

impl Purple {
    /// Starts the client.
    pub fn start() -> Self {
        Purple::start_with(None)
    }

    /// Starts the client on a host of another name, as another endpoint of the same users.
    pub fn start_on(host: &str) -> Self {
        require("unshare", "util-linux");
        Purple::start_with(Some(host))
    }

    fn start_with(host: Option<&str>) -> Self {
        let built = build();
        let folder = tempfile::tempdir().unwrap();
        let driver = built.join("driver");
        let mut command = match host {
            None => Command::new(driver),
            Some(host) => {
                let mut command = Command::new("unshare");
                if !rustix::process::geteuid().is_root() {
                    command.arg("--map-root-user");
                }
                command.args(["--uts", "sh", "-c", "hostname \"$0\" && exec \"$@\"", host]);
                command.arg(driver);
                command
            }
        };
        command.args(["-d", "240", "-u"]).arg(folder.path());
        command.arg("-l").arg(folder.path().join(LOG));
        command.env("LD_PRELOAD", built.join("sax1-shim.so"));
        Purple { program: Program::start("pidgin-sipe", &mut command), folder }
    }

    /// Starts a client in which these users of the demo are signed in.
    pub fn signed_in(server: &Server, users: &[&str]) -> Self {
        let mut purple = Purple::start();
        for user in users {
            purple.sign_in(server, user);
        }
        purple
    }

    /// Signs a user in over TLS, and waits until the client has got and published all it does at
    /// its start: what it is told to do before that, it forgets in part.
    pub fn sign_in(&mut self, server: &Server, user: &str) {
        self.account(server, user, PASSWORD);
        self.signed_on(user);
    }

    /// Signs an account off.
    pub fn sign_off(&mut self, user: &str) {
        self.run(&format!("logout {user}"));
        self.wait("signed-off", &[("acct", user)]);
    }

    /// Signs an account in again.
    pub fn sign_in_again(&mut self, user: &str) {
        self.run(&format!("login {user}"));
        self.signed_on(user);
    }

    fn signed_on(&mut self, user: &str) {
        self.wait("signed-on", &[("acct", user)]);
        self.wait("own-status", &[]);
    }

    /// Makes an account and tells it to sign in.
    pub fn account(&mut self, server: &Server, user: &str, password: &str) {
        let address = server.ready.tls;
        self.run(&format!(
            "account {user} user={user}@example.test,{user} password={password} \
             server={address} transport=tls auth=ntlm"
        ));
        self.run(&format!("login {user}"));
    }

    /// Runs a line of the driver's script.
    pub fn run(&mut self, line: &str) {
        self.program.write_line(line);
    }

    /// Sends a message.
    pub fn say(&mut self, from: &str, to: &str, text: &str) {
        self.run(&format!("im {from} sip:{to}@example.test \"{text}\""));
    }

    /// Waits for an event after those waited for before; each field must contain its text.
    pub fn wait(&mut self, event: &str, fields: &[(&str, &str)]) -> Value {
        self.program.wait_for(&format!("event {event} {fields:?}"), |line| {
            serde_json::from_str(line).ok().filter(|found| is_event(found, event, fields))
        })
    }

    /// Waits until another user is seen in a state, after what was waited for before.
    pub fn sees_state(&mut self, user: &str, state: &str) {
        let who = format!("sip:{user}@example.test");
        let fields = [("who", who.as_str()), ("status", state)];
        const EVENTS: [&str; 3] = ["buddy-signed-on", "buddy-signed-off", "buddy-status"];
        self.program.wait_for(&format!("{user} {state}"), |line| {
            let found: Value = serde_json::from_str(line).ok()?;
            EVENTS.iter().any(|event| is_event(&found, event, &fields)).then_some(())
        });
    }

    /// How often an event has happened.
    pub fn count(&self, event: &str, fields: &[(&str, &str)]) -> usize {
        let lines = self.program.lines();
        let events = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events.filter(|found| is_event(found, event, fields)).count()
    }

    /// What somebody else said in conferences, without its marks, in the order it was shown.
    pub fn said(&self, from: &str) -> Vec<String> {
        let fields = [("from", from), ("self", "0")];
        let lines = self.program.lines();
        let events = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let texts = events
            .filter(|found| is_event(found, "received-chat", &fields))
            .map(|found| found["text"].as_str().unwrap().to_owned());
        texts.map(|text| plain(&text)).collect()
    }

    /// Waits until an event has happened, whatever was waited for before.
    pub fn sees(&self, event: &str, fields: &[(&str, &str)]) {
        eventually(&format!("event {event} {fields:?}"), || match self.count(event, fields) {
            0 => Err("it did not happen".to_owned()),
            _ => Ok(()),
        });
    }

    /// What the client and its library wrote for those who look for faults: every SIP message, and
    /// what was wrong with it.
    pub fn log(&self) -> String {
        let log = fs::read(self.folder.path().join(LOG)).unwrap();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Signs all accounts off and ends the client.
    pub fn quit(mut self) {
        self.run("quit");
        self.program.wait_success();
    }

    /// Signs all accounts off, ends the client, and fails if anything was wrong with what it got
    /// since it signed in by NTLM.
    #[track_caller]
    pub fn leave(self) {
        self.leave_refused(&[]);
    }

    /// The same for a client that was refused something, with one answer of each status.
    #[track_caller]
    pub fn leave_refused(mut self, expected: &[u16]) {
        self.run("quit");
        self.program.wait_success();
        let wrong = complaints(&self.log(), self.count("signed-on", &[]), expected);
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    /// Stops the client where it is: it takes nothing and says nothing, and its connection stays.
    pub fn freeze(&self) {
        self.program.signal(Signal::STOP);
    }

    /// Lets a client that was stopped go on.
    pub fn thaw(&self) {
        self.program.signal(Signal::CONT);
    }

    /// Ends the client at once: it cannot say goodbye.
    pub fn kill(mut self) {
        self.program.kill();
    }
}

impl Drop for Purple {
    /// The debug log of a client in a test that failed stays, to be looked at.
    fn drop(&mut self) {
        if thread::panicking() {
            let kept = built_folder().join(format!("{}.log", self.program.pid()));
            // Without it the failure is told all the same.
            if fs::copy(self.folder.path().join(LOG), &kept).is_ok() {
                eprintln!("debug log of pidgin-sipe: {}", kept.display());
            }
        }
    }
}

/// The text between the marks of HTML.
fn plain(html: &str) -> String {
    let parts = html.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text));
    parts.collect()
}

fn is_event(found: &Value, event: &str, fields: &[(&str, &str)]) -> bool {
    found["ev"] == event
        && fields
            .iter()
            .all(|(field, part)| found[field].as_str().is_some_and(|text| text.contains(part)))
}

/// Builds the driver unless it is there, once for all tests and processes; the folder it is in.
fn build() -> PathBuf {
    require_file("/usr/include/libpurple/purple.h", "libpurple-dev");
    require_file("/usr/include/libxml2/libxml/parser.h", "libxml2-dev");
    require_file("/usr/lib/purple-2/libsipe.so", "pidgin-sipe");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/purple");
    let built = built_folder();
    fs::create_dir_all(&built).unwrap();
    let lock = File::create(built.join("lock")).unwrap();
    lock.lock().unwrap();
    let changed = |path: PathBuf| fs::metadata(path).and_then(|data| data.modified()).ok();
    let sources = ["build.sh", "driver.c", "sax1-shim.c"].map(|name| changed(source.join(name)));
    let shim = changed(built.join("sax1-shim.so"));
    if sources.iter().any(|source| *source > shim) {
        let output = Command::new(source.join("build.sh")).arg(&built).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    built
}

/// Where the driver is built, and debug logs are kept.
fn built_folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("purple")
}

/// Lync clients are asked for Digest.
const DIGEST: &str = "[auth]\nlync = [\"digest\"]\n";

#[test]
fn signs_in_with_digest_and_off() {
    let server = Server::serve(DIGEST);
    let mut purple = Purple::signed_in(&server, &["alice"]);
    let metrics = server.metrics();
    assert_eq!(metrics.value("mynah_sign_ins_total"), 1.0);
    assert_eq!(metrics.value("mynah_endpoints_current"), 1.0);
    assert_eq!(metrics.value("mynah_users_signed_in_current"), 1.0);

    purple.run("logout alice");
    purple.wait("signed-off", &[("acct", "alice")]);
    server.wait_metric("mynah_endpoints_current", |endpoints| endpoints == 0.0);
    server.wait_metric("mynah_connections_current", |connections| connections == 0.0);
    assert_eq!(purple.count("connection-error", &[]), 0);
    purple.quit();
    assert_eq!(server.stop_and_read(), []);
}

#[test]
fn a_wrong_password_is_refused_with_the_reason_shown() {
    let server = Server::serve(DIGEST);
    let mut purple = Purple::start();
    purple.account(&server, "alice", "guess");
    purple.wait(
        "connection-error",
        &[("acct", "alice"), ("text", "The user name or the password is wrong")],
    );
    let metrics = server.metrics();
    assert_eq!(metrics.value("mynah_sign_ins_total"), 0.0);
    assert_eq!(metrics.value("mynah_auth_failures_total{cause=\"wrong_password\"}"), 2.0);
    server.stop();
}

#[test]
fn a_user_who_does_not_exist_is_told_the_same_as_one_with_a_wrong_password() {
    let server = Server::serve(DIGEST);
    let mut purple = Purple::start();
    purple.account(&server, "nobody", PASSWORD);
    purple.wait("connection-error", &[("text", "The user name or the password is wrong")]);
    server.stop();
}

#[test]
fn messages_and_typing_go_both_ways() {
    let server = Server::serve(DIGEST);
    let mut purple = Purple::signed_in(&server, &["alice", "bob"]);
    purple.say("alice", "bob", "hello bob");
    purple.wait("received-im", &[("acct", "bob"), ("from", "alice"), ("text", "hello bob")]);
    purple.say("bob", "alice", "hi alice");
    purple.wait("received-im", &[("acct", "alice"), ("from", "bob"), ("text", "hi alice")]);

    purple.run("typing alice sip:bob@example.test on");
    purple.wait("typing", &[("acct", "bob"), ("from", "alice")]);
    purple.run("typing bob sip:alice@example.test on");
    purple.wait("typing", &[("acct", "alice"), ("from", "bob")]);
    purple.say("bob", "alice", "umlauts: \u{e4}\u{f6}\u{fc} \u{1f426}");
    purple.wait("received-im", &[("acct", "alice"), ("text", "\u{e4}\u{f6}\u{fc} \u{1f426}")]);

    purple.run("close-im alice sip:bob@example.test");
    let records = server.wait_ended(1);
    let expected = (Kind::Session, "alice", "bob", 1, 2, Ending::ByeCaller);
    assert_eq!(records[0].summary(), expected);
    assert!(!records[0].bridged);
    assert_eq!(purple.count("conv-system", &[]), 0);
    let metrics = server.metrics();
    assert_eq!(metrics.value("mynah_im_session_messages_total"), 3.0);
    assert_eq!(metrics.requests("info"), 2.0);
    purple.quit();
    assert_eq!(server.stop_and_read(), records);
}

#[test]
fn typing_before_any_message_stays_with_the_client() {
    let server = Server::demo();
    let mut purple = Purple::signed_in(&server, &["alice", "bob"]);
    purple.run("typing alice sip:bob@example.test on");
    purple.say("alice", "bob", "hello bob");
    purple.wait("received-im", &[("acct", "bob"), ("text", "hello bob")]);
    assert_eq!(server.metrics().requests("info"), 0.0);
    purple.quit();
    let records = server.wait_ended(1);
    assert_eq!(records[0].summary().3, 1);
    server.stop();
}

#[test]
fn the_callee_may_end_the_session_and_the_next_message_opens_another() {
    let server = Server::demo();
    let mut purple = Purple::signed_in(&server, &["alice", "bob"]);
    purple.say("alice", "bob", "one");
    purple.wait("received-im", &[("acct", "bob"), ("text", "one")]);
    purple.run("close-im bob sip:alice@example.test");
    server.wait_ended(1);
    purple.say("alice", "bob", "two");
    purple.wait("received-im", &[("acct", "bob"), ("text", "two")]);
    purple.run("close-im alice sip:bob@example.test");
    let records = server.wait_ended(2);
    let endings: Vec<_> = records.iter().map(|record| record.summary().5).collect();
    assert_eq!(endings.iter().filter(|ending| **ending == Ending::ByeCallee).count(), 1);
    assert_eq!(endings.iter().filter(|ending| **ending == Ending::ByeCaller).count(), 1);
    purple.quit();
    server.stop();
}

#[test]
fn signing_off_says_goodbye_to_the_peer() {
    let server = Server::demo();
    let mut purple = Purple::signed_in(&server, &["alice", "bob"]);
    purple.say("alice", "bob", "hello bob");
    purple.wait("received-im", &[("acct", "bob")]);
    purple.run("logout bob");
    purple.wait("signed-off", &[("acct", "bob")]);
    let records = server.wait_ended(1);
    assert_eq!(records[0].summary(), (Kind::Session, "alice", "bob", 1, 0, Ending::ByeCallee));
    server.wait_metric("mynah_endpoints_current", |endpoints| endpoints == 1.0);
    purple.quit();
    server.stop();
}

#[test]
fn both_endpoints_of_a_user_ring_and_one_gets_the_message() {
    let server = Server::demo();
    let mut alice = Purple::signed_in(&server, &["alice"]);
    let mut bob_here = Purple::signed_in(&server, &["bob"]);
    let mut bob_there = Purple::start_on("elsewhere");
    bob_there.sign_in(&server, "bob");
    let metrics = server.metrics();
    assert_eq!(metrics.value("mynah_endpoints_current"), 3.0);
    assert_eq!(metrics.value("mynah_users_signed_in_current"), 2.0);

    alice.say("alice", "bob", "hello bob");
    let received = [("acct", "bob"), ("text", "hello bob")];
    let count = |bob: &Purple| bob.count("received-im", &received);
    eventually("one of two endpoints to get the message", || {
        let counts = (count(&bob_here), count(&bob_there));
        if counts.0 + counts.1 == 1 { Ok(()) } else { Err(format!("{counts:?}")) }
    });
    let winner = if count(&bob_here) == 1 { &mut bob_here } else { &mut bob_there };
    winner.say("bob", "alice", "from the one that answered");
    alice.wait("received-im", &[("acct", "alice"), ("text", "the one that answered")]);
    alice.say("alice", "bob", "once more");
    winner.wait("received-im", &[("acct", "bob"), ("text", "once more")]);
    alice.run("close-im alice sip:bob@example.test");

    let records = server.wait_ended(1);
    assert_eq!(records[0].summary(), (Kind::Session, "alice", "bob", 2, 1, Ending::ByeCaller));
    assert_eq!(count(&bob_here) + count(&bob_there), 1);
    for client in [alice, bob_here, bob_there] {
        client.quit();
    }
    assert_eq!(server.stop_and_read(), records);
}

#[test]
fn a_message_to_a_peer_who_vanished_is_reported_undelivered() {
    let server = Server::demo();
    let mut alice = Purple::signed_in(&server, &["alice"]);
    let mut bob = Purple::signed_in(&server, &["bob"]);
    alice.say("alice", "bob", "are you there?");
    bob.wait("received-im", &[("acct", "bob")]);
    // The client answers the request after it has shown the message: by now it has.
    bob.say("bob", "alice", "yes");
    alice.wait("received-im", &[("acct", "alice"), ("text", "yes")]);
    bob.kill();
    server.wait_metric("mynah_endpoints_current", |endpoints| endpoints == 1.0);
    alice.say("alice", "bob", "lost words");
    alice.wait("conv-system", &[("acct", "alice"), ("text", "lost words")]);
    alice.quit();
    let records = server.stop_and_read();
    let lost = records.iter().find(|r| r.ending == Some(Ending::ConnectionLostCallee)).unwrap();
    assert_eq!((lost.kind, lost.messages_from_caller), (Kind::Session, Some(1)));
    // The next message was an invitation of its own, or was refused in the session.
    let others = records.iter().filter(|record| record.id != lost.id);
    assert!(others.into_iter().all(|record| record.status == Some(480)), "{records:#?}");
}

#[test]
fn a_message_to_a_user_who_is_not_signed_in_is_reported() {
    let server = Server::demo();
    let mut purple = Purple::signed_in(&server, &["alice"]);
    purple.say("alice", "carol", "hello carol");
    purple.wait("conv-system", &[("acct", "alice"), ("text", "hello carol")]);
    let records = server.wait_ended(1);
    assert_eq!(records[0].summary(), (Kind::Session, "alice", "carol", 0, 0, Ending::Declined));
    assert_eq!(records[0].status, Some(480));
    purple.quit();
    server.stop();
}

#[test]
fn a_message_to_a_user_who_does_not_exist_is_reported() {
    let server = Server::demo();
    let mut purple = Purple::signed_in(&server, &["alice"]);
    purple.say("alice", "nobody", "hello nobody");
    purple.wait("conv-system", &[("acct", "alice"), ("text", "hello nobody")]);
    purple.quit();
    server.stop();
}
