//! What the server said is done stays done, however it ends; and what it says when it cannot
//! start.

#[path = "outside/mod.rs"]
mod outside;

use std::net::TcpListener;
use std::panic::AssertUnwindSafe;
use std::process::{Command, Output};
use std::thread;

use outside::cdr::{Conference, Ending, Kind, Record};
use outside::endpoint::Endpoint;
use outside::eventually;
use outside::program::require;
use outside::server::{BINARY, PASSWORD, Server};
use outside::service::add_contact;
use outside::session::Session;
use outside::stream::Stream;

/// The records that have ended.
fn ended(records: &[Record]) -> Vec<&Record> {
    records.iter().filter(|record| record.ending.is_some()).collect()
}

/// A whole session: one message, and goodbye.
fn talk(alice: &mut Endpoint, bob: &mut Endpoint) {
    let mut session = Session::open(alice, bob);
    session.say(alice, bob, "hello");
    session.close(alice, bob);
}

#[test]
fn a_crash_under_traffic_loses_no_record_that_was_shown_and_no_user() {
    let server = Server::demo();
    server.add_user("dave", "other");
    let mut alice = Endpoint::tcp(&server, "alice");
    let mut bob = Endpoint::tls(&server, "bob");
    for _ in 0..10 {
        talk(&mut alice, &mut bob);
    }
    let mut open = Session::open(&mut alice, &mut bob);
    open.say(&mut alice, &mut bob, "hello");
    let shown = eventually("ten records that ended, and an open one", || {
        let records = server.records();
        let found = (records.len(), ended(&records).len());
        if found == (11, 10) { Ok(records) } else { Err(format!("{found:?}")) }
    });

    // Sessions come and go until the server is no more.
    let traffic = thread::spawn(move || while is_served(&mut alice, &mut bob) {});
    server.wait_metric("mynah_im_sessions_started_total", |started| started >= 20.0);
    let crashed = server.kill();
    traffic.join().unwrap();
    let left = crashed.records();
    assert!(left.len() > shown.len(), "{left:#?}");
    for record in ended(&shown) {
        assert!(left.contains(record), "{record:#?} is not among {left:#?}");
    }

    let server = crashed.start();
    let found = server.records();
    assert_eq!(found.len(), left.len());
    for record in &found {
        let before = left.iter().find(|left| left.id == record.id).unwrap();
        match before.ending {
            Some(_) => assert_eq!(record, before),
            None => assert_eq!(record.ending, Some(Ending::ServerLost)),
        }
    }
    Endpoint::sign_in(Stream::tls(&server), "dave", "other");
    let mut alice = Endpoint::tcp(&server, "alice");
    let mut bob = Endpoint::tls(&server, "bob");
    talk(&mut alice, &mut bob);
    server.wait_ended(found.len() + 1);
    server.stop();
}

/// One more session, unless the server is gone.
fn is_served(alice: &mut Endpoint, bob: &mut Endpoint) -> bool {
    let talk = AssertUnwindSafe(|| talk(alice, bob));
    // The endpoints panic when the connection ends; this thread says nothing about it.
    std::panic::catch_unwind(talk).is_ok()
}

#[test]
fn a_user_added_while_the_server_runs_signs_in_without_a_restart() {
    let server = Server::demo();
    server.add_user("dave", "other");
    server.wait_metric("mynah_users_current", |users| users == 4.0);
    let mut dave = Endpoint::sign_in(Stream::tls(&server), "dave", "other");
    let mut alice = Endpoint::tcp(&server, "alice");
    let message = alice.request("MESSAGE", "dave", "Content-Type: text/plain\r\n", "welcome");
    alice.stream.write(message);
    dave.answer("MESSAGE", 200, "");
    assert_eq!(alice.final_answer().status(), 200);
    server.stop();
}

#[test]
fn all_of_many_users_who_are_added_at_once_are_known() {
    let server = Server::demo();
    // More than the queues of a core hold.
    let users = 5_000;
    let list = server.data().join("users.csv");
    let lines: String = (0..users).map(|n| format!("many{n}@example.test,secret\n")).collect();
    std::fs::write(&list, format!("address,password\n{lines}")).unwrap();
    let imported = server.command(&["user", "import", list.to_str().unwrap()]);
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    let all = f64::from(users) + 3.0;
    server.wait_metric("mynah_users_current", |known| known == all);
    Endpoint::tls(&server, "many4999");
}

#[test]
fn a_user_disabled_or_removed_while_the_server_runs_is_refused() {
    let server = Server::demo();
    for (change, user) in [("disable", "bob"), ("remove", "carol")] {
        let address = format!("{user}@example.test");
        assert!(server.command(&["user", change, &address]).status.success());
        eventually("a refusal", || {
            let stream = Stream::tls(&server);
            let mut endpoint = Endpoint { user: user.to_owned(), stream, cseq: 0 };
            match endpoint.register(PASSWORD).status() {
                200 => Err(format!("{user} is still let in")),
                _ => Ok(()),
            }
        });
    }
    Endpoint::tls(&server, "alice");
    server.stop();
}

#[test]
fn sigterm_ends_what_is_open_and_says_so_in_the_records() {
    let server = Server::demo();
    let mut alice = Endpoint::tcp(&server, "alice");
    let mut bob = Endpoint::tls(&server, "bob");
    let mut session = Session::open(&mut alice, &mut bob);
    session.say(&mut alice, &mut bob, "hello");
    let records = server.stop_and_read();
    assert_eq!(records.len(), 1, "{records:#?}");
    assert_eq!(records[0].summary(), (Kind::Session, "alice", "bob", 1, 0, Ending::Drained));
    alice.stream.end();
    bob.stream.end();
}

#[test]
fn sigterm_during_traffic_ends_in_order_and_keeps_every_record() {
    let server = Server::demo();
    let mut alice = Endpoint::tcp(&server, "alice");
    let mut bob = Endpoint::tls(&server, "bob");
    talk(&mut alice, &mut bob);
    let traffic = thread::spawn(move || {
        let mut served = 1;
        while is_served(&mut alice, &mut bob) {
            served += 1;
        }
        served
    });
    server.wait_metric("mynah_im_sessions_started_total", |started| started >= 10.0);
    let records = server.stop_and_read();
    let served = traffic.join().unwrap();
    let whole = (Kind::Session, "alice", "bob", 1, 0, Ending::ByeCaller);
    let found = records.iter().filter(|record| record.summary() == whole).count();
    // The last one may have ended in the drain.
    assert!((served..=served + 1).contains(&found), "{served} were served, {found} recorded");
    assert!(records.len() <= served + 1, "{records:#?}");
}

/// The addresses in the contact list of a user, as the running server tells it.
fn contacts(server: &Server, user: &str) -> Vec<String> {
    let address = format!("{user}@example.test");
    let http = server.ready.http.to_string();
    let output = server.command(&["contacts", &address, "--json", "--http", &http]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let contacts = list["contacts"].as_array().unwrap().iter();
    contacts.map(|contact| contact["address"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_contact_whose_edit_was_answered_is_there_after_a_crash() {
    let mut server = Server::demo();
    for contact in ["bob", "carol"] {
        let mut alice = Endpoint::tls(&server, "alice");
        assert_eq!(add_contact(&mut alice, contact), 200);
        server = server.kill().start();
    }
    let kept = ["bob@example.test", "carol@example.test"];
    assert_eq!(contacts(&server, "alice"), kept);
    assert_eq!(contacts(&server, "bob"), [""; 0]);
    server.stop();
}

#[test]
fn who_gets_the_address_of_a_user_that_was_removed_gets_nothing_of_his() {
    let server = Server::demo();
    let mut alice = Endpoint::tls(&server, "alice");
    assert_eq!(add_contact(&mut alice, "bob"), 200);
    let mut bob = Endpoint::tls(&server, "bob");
    assert_eq!(add_contact(&mut bob, "alice"), 200);
    assert!(server.command(&["user", "remove", "alice@example.test"]).status.success());
    server.add_user("alice", "other");
    // Her connection goes, however soon her successor came.
    alice.stream.end();
    assert_eq!(contacts(&server, "alice"), [""; 0]);
    let server = server.stop().start();
    assert_eq!(contacts(&server, "alice"), [""; 0]);
    assert_eq!(contacts(&server, "bob"), ["alice@example.test"]);
    Endpoint::sign_in(Stream::tls(&server), "alice", "other");
    server.stop();
}

/// A conference of alice that lasts for years, made as a Lync client does; its name.
fn schedule(alice: &mut Endpoint, name: &str) {
    let factory = "sip:alice@example.test;gruu;opaque=app:conf:focusfactory";
    let body = format!(
        "<request xmlns=\"urn:ietf:params:xml:ns:cccp\" C3PVersion=\"1\" to=\"{factory}\" \
         from=\"sip:alice@example.test\" requestId=\"1\"><addConference><ci:conference-info \
         xmlns:ci=\"urn:ietf:params:xml:ns:conference-info\" \
         xmlns:msci=\"http://schemas.microsoft.com/rtc/2005/08/confinfoextensions\" entity=\"\">\
         <ci:conference-description><ci:subject>Budget</ci:subject>\
         <msci:conference-id>{name}</msci:conference-id>\
         <msci:expiry-time>2099-01-01T00:00:00Z</msci:expiry-time>\
         <msci:admission-policy>openAuthenticated</msci:admission-policy>\
         </ci:conference-description></ci:conference-info></addConference></request>"
    );
    let request =
        alice.request("SERVICE", "alice", "Content-Type: application/cccp+xml\r\n", &body);
    alice.stream.write(request.replacen(
        "SERVICE sip:alice@example.test",
        &format!("SERVICE {factory}"),
        1,
    ));
    let answer = alice.final_answer();
    assert_eq!(answer.status(), 200, "{}", answer.head);
}

/// Joins a conference of alice as a Lync client does.
fn join(endpoint: &mut Endpoint, name: &str) {
    let (user, local) = (endpoint.user.clone(), endpoint.contact());
    let focus = format!("sip:alice@example.test;gruu;opaque=app:conf:focus:id:{name}");
    let body = format!(
        "<request xmlns=\"urn:ietf:params:xml:ns:cccp\" C3PVersion=\"1\" to=\"{focus}\" \
         from=\"sip:{user}@example.test\" requestId=\"2\"><addUser><conferenceKeys \
         confEntity=\"{focus}\"/><ci:user xmlns:ci=\"urn:ietf:params:xml:ns:conference-info\" \
         entity=\"sip:{user}@example.test\"><ci:roles><ci:entry>attendee</ci:entry></ci:roles>\
         <ci:endpoint entity=\"{{E1}}\"/></ci:user></addUser></request>"
    );
    let lines = format!("Contact: {local}\r\nContent-Type: application/cccp+xml\r\n");
    let request = endpoint.request("INVITE", "alice", &lines, &body);
    let own = "INVITE sip:alice@example.test";
    endpoint.stream.write(request.replacen(own, &format!("INVITE {focus}"), 1));
    let answer = endpoint.final_answer();
    assert_eq!(answer.status(), 200, "{}", answer.head);
}

#[test]
fn the_record_of_a_conference_says_that_its_server_died_or_went_down() {
    let name = "C71C6BB0267883E2248C1EA7F80725B8";
    let server = Server::demo();
    let mut alice = Endpoint::tls(&server, "alice");
    schedule(&mut alice, name);
    join(&mut alice, name);
    let mut bob = Endpoint::tls(&server, "bob");
    join(&mut bob, name);
    eventually("two visits in the database", || {
        let records = server.conference_records();
        let visits: usize = records.iter().map(|record| record.visits.len()).sum();
        if visits == 2 { Ok(()) } else { Err(format!("{records:#?}")) }
    });
    let server = server.kill().start();
    let mut bob = Endpoint::tls(&server, "bob");
    join(&mut bob, name);
    let records = server.stop().conference_records();
    let ends = |record: &Conference| {
        let visits = record.visits.iter();
        let visits = visits.map(|visit| {
            (visit.member.clone(), visit.role.clone(), visit.parting.clone().unwrap())
        });
        (record.ending.clone().unwrap(), visits.collect::<Vec<_>>())
    };
    let visit = |user: &str, role: &str, parting: &str| {
        (format!("{user}@example.test"), role.to_owned(), parting.to_owned())
    };
    let lost =
        vec![visit("alice", "presenter", "server_lost"), visit("bob", "attendee", "server_lost")];
    let down = vec![visit("bob", "attendee", "ended")];
    assert_eq!(
        records.iter().map(ends).collect::<Vec<_>>(),
        [("server_lost".to_owned(), lost), ("drained".to_owned(), down)]
    );
    for record in &records {
        assert_eq!(
            (&*record.conference, &*record.subject, record.scheduled),
            (name, "Budget", true)
        );
    }
}

/// What `mynah conference …` says of the running server, in JSON.
fn conference(server: &Server, arguments: &[&str]) -> serde_json::Value {
    let http = server.ready.http.to_string();
    let line = [&["conference"], arguments, &["--json", "--http", &http]].concat();
    let output = server.command(&line);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_scheduled_conference_survives_a_crash_and_ends_for_good_when_told() {
    let name = "C71C6BB0267883E2248C1EA7F80725B8";
    let server = Server::demo();
    let mut alice = Endpoint::tls(&server, "alice");
    schedule(&mut alice, name);
    let before = conference(&server, &["show", name]);
    let server = server.kill().start();
    let list = conference(&server, &["list"]);
    assert_eq!(list["total"], 1, "{list}");
    assert_eq!(list["conferences"][0]["id"], name);
    let mut after = conference(&server, &["show", name]);
    assert_eq!(after["conference"]["scheduled"], true, "{after}");
    after["conference"]["made"] = before["conference"]["made"].clone();
    assert_eq!(after, before);

    assert_eq!(conference(&server, &["end", name])["kept"], false);
    let http = server.ready.http.to_string();
    let again = server.command(&["conference", "end", name, "--http", &http]);
    assert_eq!(
        String::from_utf8(again.stderr).unwrap(),
        "mynah: no such conference: `mynah conference list` shows all\n"
    );
    let server = server.kill().start();
    assert_eq!(conference(&server, &["list"])["total"], 0);
    assert_eq!(server.conference_records(), []);
    server.stop();
}

/// Runs the binary in a way that must fail with one line on standard error; that line.
fn fault(command: &mut Command) -> String {
    let Output { status, stderr, .. } = command.output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert!(!status.success(), "{said}");
    let last = said.lines().last().unwrap_or_default().to_owned();
    assert!(last.starts_with("mynah: "), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    last
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(BINARY);
    command.args(["demo", "--tcp", "none", "--http", "none", "--tls", &address, "--data"]);
    let said = fault(command.arg(folder.path()));
    assert!(said.contains(&address), "{said}");
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let server = Server::demo();
    let mut command = Command::new(BINARY);
    command.args(["demo", "--tcp", "none", "--http", "none", "--tls", "127.0.0.1:0", "--data"]);
    let said = fault(command.arg(server.data()));
    assert!(said.contains(&server.ready.pid.to_string()), "{said}");
    server.stop();
}

#[test]
fn too_little_memory_to_lock_is_said_in_one_line_with_what_to_set() {
    require("prlimit", "util-linux");
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("prlimit");
    command.args(["--memlock=65536:65536", BINARY, "demo", "--tls", "127.0.0.1:0"]);
    command.args(["--tcp", "none", "--http", "none", "--data"]).arg(folder.path());
    let said = fault(&mut command);
    assert!(said.contains("RLIMIT_MEMLOCK") && said.contains("ulimit -l"), "{said}");
}
