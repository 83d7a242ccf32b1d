//! `mynah doctor`: why a user cannot sign in, and what is wrong with a server's TLS and DNS.

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Command, Output};
use std::thread;

use serde_json::Value;

use crate::outside::endpoint::Endpoint;
use crate::outside::eventually;
use crate::outside::server::{BINARY, PASSWORD, Server};
use crate::outside::stream::Stream;

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn doctor(server: &Server, line: &[&str]) -> Output {
    let http = server.ready.http.to_string();
    server.command(&[&["doctor", "--http", &http], line].concat())
}

#[test]
fn a_user_is_told_why_he_cannot_sign_in() {
    let server = Server::demo();
    let mut bob = Endpoint::tls(&server, "bob");
    assert_eq!(bob.say("alice", "are you there?").status(), 480);
    let mut alice = Endpoint { user: "alice".to_owned(), stream: Stream::tls(&server), cseq: 0 };
    assert_eq!(alice.register("wrong").status(), 401);
    let output = doctor(&server, &["alice"]);
    assert!(output.status.success(), "the account itself is well: {output:?}");
    let report = text(&output);
    assert!(report.starts_with("good   account       alice@example.test"), "{report}");
    for part in ["REGISTER from 127.0.0.1:", "The password is wrong (wrong_password)", "-> let"] {
        assert!(report.contains(part), "no {part} in {report}");
    }
    let report = text(&doctor(&server, &["bob@example.test"]));
    assert!(report.contains("signed in") && report.contains("480 Failed to route"), "{report}");

    assert!(server.command(&["user", "disable", "alice@example.test"]).status.success());
    // The server hears of it a little later.
    eventually("a disabled user to be refused", || {
        let stream = Stream::tls(&server);
        let mut alice = Endpoint { user: "alice".to_owned(), stream, cseq: 0 };
        match alice.register(PASSWORD).status() {
            403 => Ok(()),
            status => Err(status.to_string()),
        }
    });
    let output = doctor(&server, &["alice", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["disabled"], true);
    let causes: Vec<&str> = report["refusals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["cause"].as_str().unwrap())
        .collect();
    assert_eq!(causes, ["disabled", "wrong_password"], "newest first");

    let output = doctor(&server, &["nobody"]);
    assert!(text(&output).contains("nobody@example.test is not in the directory"), "{output:?}");
    assert_eq!(output.status.code(), Some(1));

    let stopped = server.stop();
    let server = stopped.start();
    let report = text(&doctor(&server, &["alice"]));
    assert!(report.contains("no request of this user was refused lately"), "{report}");
}

/// The findings of a look at the demo's TLS, as level and text by what was looked at.
fn look(server: &Server, ca: &Path, more: &[&str]) -> (Option<i32>, Vec<[String; 3]>) {
    let tls = server.ready.tls;
    let output = Command::new(BINARY)
        .args(["doctor", "--json", "--tls", &format!("localhost:{}", tls.port()), "--ca"])
        .arg(ca)
        .args(more)
        .args(["--http", &server.ready.http.to_string()])
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let findings = report["findings"].as_array().unwrap().iter().map(|finding| {
        ["level", "what", "text"].map(|name| finding[name].as_str().unwrap().to_owned())
    });
    (output.status.code(), findings.collect())
}

fn find<'a>(findings: &'a [[String; 3]], what: &str) -> Vec<(&'a str, &'a str)> {
    let of = findings.iter().filter(|finding| finding[1] == what);
    of.map(|finding| (finding[0].as_str(), finding[2].as_str())).collect()
}

#[test]
fn a_server_is_looked_at_as_its_clients_see_it() {
    let server = Server::demo();
    let port = server.ready.tls.port();
    let dns = name_server(vec![
        ("_sipinternaltls._tcp.example.test", port, "fe01.example.test"),
        ("_sip._tls.example.test", port, "sip.elsewhere.test"),
    ]);
    let (code, findings) =
        look(&server, &server.trusted(), &["--domain", "example.test", "--dns", &dns.to_string()]);
    assert_eq!(code, Some(1), "{findings:?}");
    for what in ["connection", "TLS", "chain", "names", "certificate", "kernel", "limits"] {
        assert_eq!(find(&findings, what)[0].0, "good", "{what}: {findings:?}");
    }
    assert!(find(&findings, "TLS")[0].1.starts_with("TLSv1_3, TLS13_"), "{findings:?}");
    assert!(find(&findings, "names")[0].1.contains("fe01.example.test"), "{findings:?}");
    let [(good, first), (fault, second)] = find(&findings, "DNS")[..] else {
        panic!("{findings:?}")
    };
    assert_eq!((good, fault), ("good", "fault"));
    assert!(first.ends_with(&format!("leads to fe01.example.test:{port}")), "{first}");
    assert!(second.contains("sip.elsewhere.test, for which the certificate is not"), "{second}");
}

#[test]
fn each_fault_of_tls_and_dns_is_told() {
    let server = Server::demo();
    let other = crate::other_authority(&server);
    let (_, findings) = look(&server, &other, &[]);
    assert_eq!(find(&findings, "chain")[0].0, "fault", "another authority: {findings:?}");
    let dns = name_server(Vec::new());
    let more = ["--domain", "example.test", "--dns", &dns.to_string()];
    let (_, findings) = look(&server, &server.trusted(), &more);
    let found = find(&findings, "DNS");
    assert!(found.len() == 2 && found.iter().all(|(level, _)| *level == "fault"), "{found:?}");
    // Plain SIP where TLS is looked for.
    let output = Command::new(BINARY)
        .args(["doctor", "--tls", &server.ready.tcp.to_string(), "--ca"])
        .arg(server.trusted())
        .args(["--http", &server.ready.http.to_string()])
        .output()
        .unwrap();
    assert!(text(&output).contains("FAULT  TLS "), "{output:?}");
}

/// A name server on loopback that knows these SRV records and no others. Ends with the process.
fn name_server(records: Vec<(&'static str, u16, &'static str)>) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut octets = [0; 1500];
        while let Ok((len, peer)) = socket.recv_from(&mut octets) {
            let _ = socket.send_to(&answer(&octets[..len], &records), peer);
        }
    });
    address
}

/// An answer in the form of RFC 1035 section 4.1.
fn answer(question: &[u8], records: &[(&str, u16, &str)]) -> Vec<u8> {
    let (name, end) = name_at(question);
    let asked = &question[12..end + 4];
    let found: Vec<_> =
        records.iter().filter(|(record, ..)| record.eq_ignore_ascii_case(&name)).collect();
    let mut answer = question[..2].to_vec();
    // A response, authoritative; NXDOMAIN when there is nothing.
    answer.extend([0x84, if found.is_empty() { 3 } else { 0 }]);
    answer.extend([0, 1, 0, found.len() as u8, 0, 0, 0, 0]);
    answer.extend(asked);
    for (_, port, target) in found {
        let mut data = vec![0, 1, 0, 1];
        data.extend(port.to_be_bytes());
        for label in target.split('.') {
            data.push(label.len() as u8);
            data.extend(label.as_bytes());
        }
        data.push(0);
        // The name asked for, SRV, IN, an hour.
        answer.extend([0xc0, 12, 0, 33, 0, 1, 0, 0, 14, 16]);
        answer.extend((data.len() as u16).to_be_bytes());
        answer.extend(data);
    }
    answer
}

/// The name asked for, and where it ends.
fn name_at(question: &[u8]) -> (String, usize) {
    let mut labels = Vec::new();
    let mut at = 12;
    while question[at] != 0 {
        let len = usize::from(question[at]);
        labels.push(String::from_utf8(question[at + 1..at + 1 + len].to_vec()).unwrap());
        at += 1 + len;
    }
    (labels.join("."), at + 1)
}
