//! Users of a directory service: the real server and the real commands against OpenLDAP's slapd.

#[path = "../outside/mod.rs"]
mod outside;
mod slapd;

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Output};
use std::time::Instant;

use outside::endpoint::Endpoint;
use outside::metrics::{fetch, hits};
use outside::server::{BINARY, DOMAIN, Server};
use outside::stream::Stream;
use outside::{PATIENCE, eventually};
use slapd::{BASE, PASSWORD, READER, Slapd, entry};

/// `[directory.ldap]` for `slapd` by ldaps, looked at each second, and more lines of it.
fn section(slapd: &Slapd, url: &str, lines: &str) -> String {
    format!(
        "[directory.ldap]\nurls = [\"{url}\"]\nca = \"{}\"\nbind_dn = \"{READER}\"\n\
         password_file = \"{}\"\nbase = \"{BASE}\"\nfilter = \"(objectClass=inetOrgPerson)\"\n\
         refresh = \"1s\"\ntimeout = \"5s\"\n{lines}\n\
         [directory.ldap.attributes]\nha1_md5 = \"testHa1\"\n",
        slapd.certificate().display(),
        slapd.password_file(PASSWORD).display(),
    )
}

fn serve(slapd: &Slapd, lines: &str) -> Server {
    Server::serve(&section(slapd, &slapd.ldaps(), lines))
}

fn alarm(cause: &str) -> String {
    format!("mynah_ldap_alarm{{cause=\"{cause}\"}}")
}

fn sign_in(server: &Server, user: &str) -> Endpoint {
    Endpoint::sign_in(Stream::tls(server), user, PASSWORD)
}

/// The answer to a sign-in with the right password.
fn tries(server: &Server, user: &str) -> u16 {
    let mut endpoint = Endpoint { user: user.to_owned(), stream: Stream::tls(server), cseq: 0 };
    endpoint.register(PASSWORD).status()
}

/// Waits until the core at home to `user` has what it was told of users once more: what is asked
/// stands behind that in its queue.
fn told(server: &mut Server, user: &str) {
    server.process().wait_for_text("users told");
    let (status, _) = fetch(server.ready.http, &format!("/presence/{user}@{DOMAIN}"));
    assert_eq!(status, 200);
}

/// Runs `mynah directory …` with the configuration of `server`.
fn directory(server: &Server, line: &[&str]) -> Output {
    let config = server.config();
    let config = ["--config", config.to_str().unwrap()];
    server.command(&[&["directory"], line, &config].concat())
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}

/// What a command that succeeds says.
fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    text(&output.stdout)
}

/// The one line of a command that fails.
fn failed(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let line = text(&output.stderr);
    assert_eq!(line.lines().count(), 1, "{line}");
    line
}

/// A user as `mynah user list` has him.
fn listed(server: &Server, user: &str) -> Option<serde_json::Value> {
    let list = said(&server.command(&["user", "list", "--format", "json"]));
    let list: Vec<serde_json::Value> = serde_json::from_str(&list).unwrap();
    let address = format!("{user}@example.test");
    list.into_iter().find(|row| row["address"] == *address)
}

fn wait_listed(server: &Server, user: &str, what: impl Fn(&serde_json::Value) -> bool) {
    eventually(&format!("another state of {user}"), || match listed(server, user) {
        Some(row) if what(&row) => Ok(()),
        row => Err(format!("{row:?}")),
    });
}

#[test]
fn users_of_many_pages_appear_change_and_go_while_others_stay_connected() {
    let names: Vec<String> = (0..120).map(|number| format!("user{number:03}")).collect();
    let slapd = Slapd::start(names.iter().map(String::as_str));
    slapd.modify(&format!(
        "dn: cn=lab,dc=example,dc=test\nchangetype: add\nobjectClass: groupOfNames\ncn: lab\n\
         member: uid=user007,{BASE}\n"
    ));
    let groups = "page_size = 50\n\
                  groups = [{ dn = \"cn=Lab, dc=example,dc=test\", policy = \"lab\" }]\n[policy.lab]";
    let server = serve(&slapd, groups);
    server.wait_metric("mynah_ldap_users_current", |users| users == 120.0);
    server.wait_metric("mynah_users_current", |users| users == 123.0);
    let row = listed(&server, "user007").unwrap();
    assert_eq!((&row["policy"], &row["title"]), (&"lab".into(), &"Tester".into()));
    assert_eq!(listed(&server, "user008").unwrap()["policy"], "default");
    let mut alice = sign_in(&server, "alice");
    let mut user = sign_in(&server, "user119");

    // Nothing changed: nothing is written.
    let rows = server.metrics().value("mynah_ldap_changes_total");
    let looks = server.metrics().value("mynah_ldap_looks_total");
    server.wait_metric("mynah_ldap_looks_total", |now| now >= looks + 2.0);
    assert_eq!(server.metrics().value("mynah_ldap_changes_total"), rows);

    slapd.modify(&format!(
        "dn: uid=user119,{BASE}\nchangetype: modify\nreplace: title\ntitle: Lead\n\n\
         dn: uid=user000,{BASE}\nchangetype: delete\n"
    ));
    slapd.modify(&entry("dave").replacen('\n', "\nchangetype: add\n", 1));
    wait_listed(&server, "user119", |row| row["title"] == "Lead");
    wait_listed(&server, "user000", |row| row["enabled"] == false);
    wait_listed(&server, "dave", |row| row["enabled"] == true);
    // Not tried before: wrong guesses lock a user out.
    server.wait_metric("mynah_users_current", |users| users == 124.0);
    assert_eq!(tries(&server, "dave"), 200);
    eventually("who is gone to be refused", || match tries(&server, "user000") {
        403 => Ok(()),
        status => Err(status.to_string()),
    });
    // Who was connected talks on.
    let text = alice.request("MESSAGE", "user119", "Content-Type: text/plain\r\n", "still here");
    alice.stream.write(text);
    assert_eq!(user.answer("MESSAGE", 200, "").body, b"still here");
    assert_eq!(alice.final_answer().status(), 200);

    // Back in the service, back here.
    slapd.modify(&entry("user000").replacen('\n', "\nchangetype: add\n", 1));
    wait_listed(&server, "user000", |row| row["enabled"] == true);
    let metrics = server.metrics();
    let failures = metrics.value("mynah_ldap_failures_total{cause=\"tls\"}");
    assert_eq!((failures, metrics.value("mynah_ldap_users_current")), (0.0, 121.0));
}

#[test]
fn the_server_serves_while_the_directory_service_is_down_and_starts_without_it() {
    let mut slapd = Slapd::start(["dave"]);
    let server = serve(&slapd, "");
    server.wait_metric("mynah_ldap_looks_total", |looks| looks > 0.0);
    server.wait_metric("mynah_users_current", |users| users == 4.0);
    slapd.kill();
    server.wait_metric(&alarm("unreachable"), |alarm| alarm == 1.0);
    assert_eq!(tries(&server, "dave"), 200);

    let server = server.stop().start();
    assert_eq!(tries(&server, "dave"), 200);
    server.wait_metric(&alarm("unreachable"), |alarm| alarm == 1.0);
    assert!(server.metrics().value("mynah_ldap_looked_timestamp_seconds") > 0.0);
    let (status, health) = fetch(server.ready.http, "/healthz");
    assert_eq!(status, 200, "{health}");
    assert!(health.contains("\"degraded\"") && health.contains("\"ldap_alarm\""), "{health}");
    let status = said(&server.command(&["status", "--http", &server.ready.http.to_string()]));
    assert!(status.starts_with("health        degraded: the directory service"), "{status}");
    assert!(status.contains("directory     1 users, read "), "{status}");

    slapd.start_again();
    server.wait_metric(&alarm("unreachable"), |alarm| alarm == 0.0);
}

#[test]
fn a_directory_service_that_never_answers_holds_up_nobody() {
    let slapd = Slapd::start(["dave"]);
    // Accepts by its backlog, and says nothing.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ldap://{}", mute.local_addr().unwrap());
    let lines = section(&slapd, &url, "").replace("timeout = \"5s\"", "timeout = \"300ms\"");
    let server = Server::serve(&lines);
    assert_eq!(tries(&server, "alice"), 200);
    server.wait_metric(&alarm("timeout"), |alarm| alarm == 1.0);
    assert_eq!(tries(&server, "alice"), 200);
    let began = Instant::now();
    let line = failed(&directory(&server, &["check", "dave"]));
    assert!(line.contains("no connection in time"), "{line}");
    assert!(began.elapsed() < PATIENCE);
    // Nor does a look under way hold up the end.
    server.stop();
}

#[test]
fn what_keeps_the_users_from_being_read_is_named() {
    let slapd = Slapd::start(["dave", "erin"]);
    let good = section(&slapd, &slapd.ldaps(), "");
    let right = slapd.password_file(PASSWORD);
    let wrong = slapd.password_file("wrong");
    let password = good.replace(right.to_str().unwrap(), wrong.to_str().unwrap());
    let server = Server::serve(&password);
    server.wait_metric(&alarm("bind"), |alarm| alarm == 1.0);
    let config = |text: &str| {
        let path = server.config();
        let old = fs::read_to_string(&path).unwrap();
        let head = old.split("[directory.ldap]").next().unwrap();
        fs::write(path, format!("{head}{text}")).unwrap();
    };
    let sync = || failed(&directory(&server, &["sync", "--dry-run"]));
    assert!(sync().contains("invalidCredentials"), "{}", sync());
    // Another authority than that of its certificate, by TLS from the start and by StartTLS.
    let foreign = server.data().join("cert.pem");
    let certificate = slapd.certificate();
    for url in [slapd.ldaps(), slapd.ldap()] {
        let text = section(&slapd, &url, "");
        config(&text.replace(certificate.to_str().unwrap(), foreign.to_str().unwrap()));
        assert!(sync().contains("certificate"), "{}", sync());
    }
    config(&good.replace(right.to_str().unwrap(), "nowhere"));
    assert!(sync().contains("nowhere"), "{}", sync());
    let mut check = Command::new(BINARY);
    let check = check.args(["config", "check", "--config"]).arg(server.config()).output().unwrap();
    assert!(failed(&check).contains("nowhere"), "{check:?}");
    config(&good.replace(BASE, "ou=nowhere,dc=example,dc=test"));
    assert!(sync().contains("noSuchObject"), "{}", sync());
    config(&format!("{good}\n[limits]\nldap_entries_max = 1\n"));
    assert!(sync().contains("raise ldap_entries_max"), "{}", sync());

    // StartTLS with the right authority, and no TLS where it is not asked for.
    for tls in ["starttls", "none"] {
        config(&section(&slapd, &slapd.ldap(), &format!("tls = \"{tls}\"")));
        let out = said(&directory(&server, &["sync", "--dry-run"]));
        assert!(out.contains("+  dave@example.test  The dave\n"), "{out}");
        assert!(out.ends_with("2 users, 0 entries that are none, 2 would change\n"), "{out}");
    }
    assert_eq!(listed(&server, "dave"), None, "a dry run changes nothing");
    // The first server that answers is asked.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let both = format!("\"ldap://{nobody}\", \"{}\"", slapd.ldaps());
    config(&good.replace(&format!("\"{}\"", slapd.ldaps()), &both));
    said(&directory(&server, &["sync", "--dry-run"]));
    config(&password);
    let server = server.stop().start();
    server.wait_metric(&alarm("bind"), |alarm| alarm == 1.0);
}

#[test]
fn more_entries_than_may_be_are_a_limit_that_is_hit() {
    let slapd = Slapd::start(["dave", "erin"]);
    let lines = section(&slapd, &slapd.ldaps(), "") + "[limits]\nldap_entries_max = 1\n";
    let server = Server::serve(&lines);
    server.wait_metric(&hits("ldap_entries_max"), |hits| hits > 0.0);
    assert_eq!(server.metrics().value(&alarm("too_many")), 1.0);
}

#[test]
fn a_wrong_filter_disables_nobody_until_an_operator_says_so() {
    let slapd = Slapd::start(["dave", "erin"]);
    let server = serve(&slapd, "");
    server.wait_metric("mynah_users_current", |users| users == 5.0);
    let path = server.config();
    let config = fs::read_to_string(&path).unwrap();
    fs::write(&path, config.replace("(objectClass=inetOrgPerson)", "(title=Nobody)")).unwrap();
    let line = failed(&directory(&server, &["sync"]));
    assert!(line.contains("2 users are missing, too many to be disabled"), "{line}");
    let server = server.stop().start();
    server.wait_metric(&alarm("missing"), |alarm| alarm == 1.0);
    assert_eq!(tries(&server, "dave"), 200);
    let out = said(&directory(&server, &["sync", "--allow-missing"]));
    assert!(out.contains("-  erin@example.test  missing: disabled\n"), "{out}");
    eventually("dave to be refused", || match tries(&server, "dave") {
        403 => Ok(()),
        status => Err(status.to_string()),
    });
    server.wait_metric(&alarm("missing"), |alarm| alarm == 0.0);
}

#[test]
fn a_user_is_explained_and_takes_his_password_over() {
    let slapd = Slapd::start(["dave", "alice"]);
    slapd.modify(&format!(
        "dn: cn=lab,dc=example,dc=test\nchangetype: add\nobjectClass: groupOfNames\ncn: lab\n\
         member: uid=dave,{BASE}\n\n\
         dn: uid=dave,{BASE}\nchangetype: modify\nreplace: testHa1\ntestHa1: 00\n-\n\
         replace: roomNumber\nroomNumber: {}\n",
        "x".repeat(300)
    ));
    let groups = "refresh = \"1h\"\nmembers = \"member\"\n\
                  groups = [{ dn = \"cn=lab,dc=example,dc=test\", policy = \"lab\" }]\n[policy.lab]";
    let lines = section(&slapd, &slapd.ldaps(), groups).replacen("refresh = \"1s\"\n", "", 1)
        + "password_changed = \"employeeNumber\"\n";
    let mut server = Server::serve(&lines);
    server.wait_metric("mynah_users_current", |users| users == 4.0);
    let out = said(&directory(&server, &["check", "dave"]));
    for line in [
        "bound as      cn=mynah,dc=example,dc=test\n",
        "filter        (&(objectClass=inetOrgPerson)(|(mail=dave@example.test)",
        "answer        1 entries\n",
        "entry         uid=dave,ou=people,dc=example,dc=test\n",
        "  testha1     [hidden]\n",
        "user          dave@example.test\n",
        "  policy      lab, as a member of cn=lab,dc=example,dc=test\n",
        "  signs in by  a password set here: `mynah directory password` takes the one there\n",
        "left out      roomNumber: it is longer than 256 octets",
        "left out      testHa1: it is no hash of that kind in hexadecimal\n",
        "here          the same\n",
    ] {
        assert!(out.contains(line), "no {line:?} in\n{out}");
    }
    let out = said(&directory(&server, &["check", "sip:alice@example.test"]));
    assert!(out.contains("alice@example.test was added by an operator"), "{out}");
    let line = failed(&directory(&server, &["check", "zoe"]));
    assert!(line.contains("zoe: nobody is found by that filter"), "{line}");

    // Nobody knows a password of dave here: that of the service is tried there and then kept.
    assert_ne!(tries(&server, "dave"), 200);
    let config = server.config();
    let line =
        ["directory", "password", "dave", "--password-stdin", "--config", config.to_str().unwrap()];
    let wrong = server.command_with(&line, "wrong\n");
    assert!(failed(&wrong).contains("does not take that password"), "{wrong:?}");
    let right = server.command_with(&line, &format!("{PASSWORD}\n"));
    assert_eq!(said(&right), "dave@example.test: the password is right and kept here\n");
    // The one that made him, and this one.
    told(&mut server, "dave");
    told(&mut server, "dave");
    assert_eq!(tries(&server, "dave"), 200);

    // Changed there, it is no more good here. The first time it is only read when that was.
    for (change, time, known) in [("add", "1", true), ("replace", "2", false)] {
        slapd.modify(&format!(
            "dn: uid=dave,{BASE}\nchangetype: modify\n{change}: employeeNumber\n\
             employeeNumber: {time}\n"
        ));
        let out = said(&directory(&server, &["sync"]));
        let what = if known { "its entry there" } else { "password" };
        assert!(out.contains(&format!("~  dave@example.test  {what}\n")), "{out}");
        told(&mut server, "dave");
        assert_eq!(tries(&server, "dave") == 200, known, "{time}");
    }
}
