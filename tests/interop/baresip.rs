//! baresip, a standard client, over TLS: pager-mode messages.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use crate::outside::cdr::{Ending, Kind};
use crate::outside::endpoint::Endpoint;
use crate::outside::program::{Program, require, require_file};
use crate::outside::server::{DOMAIN, PASSWORD, Server};

const MODULES: &str = "/usr/lib/baresip/modules";

/// A client process.
pub struct Baresip {
    program: Program,
    /// Its configuration.
    _folder: TempDir,
}

impl Baresip {
    /// Starts the client for `user`, whose only contact is `peer`, and waits until it is signed
    /// in.
    pub fn signed_in(server: &Server, user: &str, peer: &str) -> Self {
        Baresip::facing(server, user, &format!("sip:{peer}@{DOMAIN}"))
    }

    /// The same with a contact of any URI.
    pub fn facing(server: &Server, user: &str, uri: &str) -> Self {
        let contact = format!("\"peer\" <{uri}>\n");
        let mut baresip = Baresip::start_with(server, user, PASSWORD, &contact, false);
        baresip.program.wait_for_text("200 OK");
        baresip
    }

    /// The same with presence: it publishes its own and subscribes to that of `peer`.
    pub fn present(server: &Server, user: &str, peer: &str) -> Self {
        let contact = format!("\"{peer}\" <sip:{peer}@{DOMAIN}>;presence=p2p\n");
        let mut baresip = Baresip::start_with(server, user, PASSWORD, &contact, true);
        baresip.program.wait_for_text("200 OK");
        baresip
    }

    /// Starts the client. It writes every SIP message it sends and receives.
    pub fn start(server: &Server, user: &str, password: &str, peer: &str) -> Self {
        let contact = format!("\"{peer}\" <sip:{peer}@{DOMAIN}>\n");
        Baresip::start_with(server, user, password, &contact, false)
    }

    fn start_with(
        server: &Server,
        user: &str,
        password: &str,
        contact: &str,
        presence: bool,
    ) -> Self {
        require("baresip", "baresip-core");
        require_file(&format!("{MODULES}/stdio.so"), "baresip-core");
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        let (module, publishes) = match presence {
            true => ("module_app presence.so\n", ";pubint=600"),
            false => ("", ""),
        };
        // No module for sound or video; commands come from standard input.
        write(
            "config",
            &format!(
                "sip_listen 127.0.0.1:0\nsip_verify_server no\nmodule_path {MODULES}\n\
                 module stdio.so\nmodule account.so\nmodule contact.so\nmodule menu.so\n{module}"
            ),
        );
        let address = server.ready.tls;
        write(
            "accounts",
            &format!(
                "<sip:{user}@{DOMAIN};transport=tls>;auth_user={user};auth_pass={password};\
                 outbound=\"sip:{address};transport=tls\";regint=600{publishes}\n"
            ),
        );
        write("contacts", contact);
        let mut command = Command::new("baresip");
        command.args(["-4", "-s", "-f"]).arg(folder.path());
        let name = format!("baresip {user}");
        Baresip { program: Program::start(&name, &mut command), _folder: folder }
    }

    /// Runs one of its commands.
    pub fn run(&mut self, command: &str) {
        self.program.write_line(command);
    }

    /// Sends a message to its contact.
    pub fn say(&mut self, text: &str) {
        self.program.write_line(&format!("/message {text}"));
    }

    /// How many lines so far have this text in them.
    pub fn count(&self, text: &str) -> usize {
        self.program.lines().iter().filter(|line| line.contains(text)).count()
    }

    /// Waits for a line with this text in it, after those waited for before.
    pub fn wait(&mut self, text: &str) -> String {
        self.program.wait_for_text(text)
    }

    /// Signs off and ends.
    pub fn quit(mut self) {
        self.program.write_line("/quit");
        self.program.wait_success();
    }
}

#[test]
fn signs_in_with_digest_and_off() {
    let server = Server::demo();
    let mut baresip = Baresip::start(&server, "alice", PASSWORD, "bob");
    baresip.wait("401 Unauthorized");
    // Any other algorithm beside it would make this client give up.
    let challenge = baresip.wait("WWW-Authenticate: Digest");
    assert!(challenge.contains("algorithm=MD5"), "{challenge}");
    baresip.wait("Authorization: Digest username=\"alice\"");
    baresip.wait("200 OK");
    assert_eq!(server.metrics().value("mynah_sign_ins_total"), 1.0);
    baresip.quit();
    server.wait_metric("mynah_endpoints_current", |endpoints| endpoints == 0.0);
    server.stop();
}

#[test]
fn a_wrong_password_is_refused() {
    let server = Server::demo();
    let mut baresip = Baresip::start(&server, "alice", "guess", "bob");
    baresip.wait("403 Forbidden");
    assert_eq!(server.metrics().value("mynah_sign_ins_total"), 0.0);
    server.stop();
}

#[test]
fn messages_go_both_ways() {
    let server = Server::demo();
    let mut alice = Baresip::signed_in(&server, "alice", "bob");
    let mut bob = Baresip::signed_in(&server, "bob", "alice");
    alice.say("hello bob");
    bob.wait("MESSAGE sip:bob");
    bob.wait("hello bob");
    alice.wait("200 OK");
    bob.say("hi alice");
    alice.wait("MESSAGE sip:alice");
    alice.wait("hi alice");
    bob.wait("200 OK");
    bob.say("more");
    alice.wait("more");

    server.wait_metric("mynah_im_pager_messages_total", |messages| messages == 3.0);
    alice.quit();
    bob.quit();
    let records = server.stop_and_read();
    assert_eq!(records.len(), 1, "{records:#?}");
    let expected = (Kind::Pager, "alice", "bob", 1, 2, Ending::Drained);
    assert_eq!(records[0].summary(), expected);
    assert!(!records[0].bridged);
}

#[test]
fn talks_with_a_standard_client_over_tcp() {
    let server = Server::demo();
    let mut alice = Baresip::signed_in(&server, "alice", "bob");
    let mut bob = Endpoint::tcp(&server, "bob");
    alice.say("hello bob");
    let message = bob.answer("MESSAGE", 200, "");
    assert_eq!(message.body, b"hello bob");
    assert_eq!(message.header("P-Asserted-Identity"), Some("<sip:alice@example.test>"));
    alice.wait("200 OK");
    assert_eq!(bob.say("alice", "hi alice").status(), 200);
    alice.wait("hi alice");
    alice.quit();
    let records = server.stop_and_read();
    assert_eq!(records.len(), 1, "{records:#?}");
    assert_eq!(records[0].summary(), (Kind::Pager, "alice", "bob", 1, 1, Ending::Drained));
}

#[test]
fn a_message_to_a_user_who_is_not_signed_in_is_refused_with_the_reason() {
    let server = Server::demo();
    let mut alice = Baresip::signed_in(&server, "alice", "carol");
    alice.say("hello carol");
    alice.wait("480 ");
    alice.wait("Failed to route to user: not signed in");
    alice.quit();
    let records = server.stop_and_read();
    assert_eq!(records.len(), 1, "{records:#?}");
    assert_eq!(records[0].summary(), (Kind::Pager, "alice", "carol", 0, 0, Ending::Declined));
    assert_eq!(records[0].status, Some(480));
}
