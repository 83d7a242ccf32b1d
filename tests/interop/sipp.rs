//! SIPp, which follows its scenario to the letter (`sipp/`), over TCP.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::outside::cdr::{Ending, Kind};
use crate::outside::program::{Program, require};
use crate::outside::server::{PASSWORD, Server};

/// A SIPp process that signs in as a user and follows a scenario once.
struct Sipp {
    program: Program,
    /// Its working folder.
    _folder: TempDir,
}

impl Sipp {
    fn start(server: &Server, scenario: &str, user: &str, peer: &str) -> Self {
        require("sipp", "sip-tester");
        let folder = tempfile::tempdir().unwrap();
        let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/sipp");
        let mut command = Command::new("sipp");
        command.current_dir(folder.path()).arg(server.ready.tcp.to_string());
        command.arg("-sf").arg(scenarios.join(format!("{scenario}.xml")));
        command.args(["-i", "127.0.0.1", "-t", "t1", "-m", "1", "-nostdin"]);
        // Both ends are in the same call, so that SIPp takes the requests of the other one for
        // those of its own scenario.
        command.args(["-cid_str", "interop-%u"]);
        command.args(["-key", "user", user, "-key", "peer", peer, "-au", user, "-ap", PASSWORD]);
        command.args([
            "-timeout",
            "60",
            "-timeout_error",
            "-trace_err",
            "-error_file",
            "/dev/stderr",
        ]);
        Sipp { program: Program::start(&format!("sipp {user}"), &mut command), _folder: folder }
    }

    /// Starts one that is called, and waits until it is signed in.
    fn signed_in(server: &Server, scenario: &str, user: &str, peer: &str) -> Self {
        let sipp = Sipp::start(server, scenario, user, peer);
        server.wait_metric("mynah_endpoints_current", |endpoints| endpoints == 1.0);
        sipp
    }

    /// Waits until the scenario was followed to its end.
    fn finish(mut self) {
        self.program.wait_success();
    }
}

#[test]
fn a_thousand_messages_are_all_accepted() {
    let server = Server::demo();
    let bob = Sipp::signed_in(&server, "messages-to", "bob", "alice");
    let alice = Sipp::start(&server, "messages-from", "alice", "bob");
    alice.finish();
    bob.finish();
    let metrics = server.metrics();
    assert_eq!(metrics.value("mynah_im_pager_messages_total"), 1000.0);
    server.wait_metric("mynah_relays_current", |relays| relays == 0.0);
    let records = server.stop_and_read();
    assert_eq!(records.len(), 1, "{records:#?}");
    assert_eq!(records[0].summary(), (Kind::Pager, "alice", "bob", 1000, 0, Ending::Drained));
}

#[test]
fn a_session_follows_the_recorded_route() {
    let server = Server::demo();
    let bob = Sipp::signed_in(&server, "session-to", "bob", "alice");
    let alice = Sipp::start(&server, "session-from", "alice", "bob");
    alice.finish();
    bob.finish();
    let records = server.wait_ended(1);
    assert_eq!(records[0].summary(), (Kind::Session, "alice", "bob", 1, 1, Ending::ByeCaller));
    assert!(!records[0].bridged);
    server.stop();
}

#[test]
fn an_invitation_can_be_taken_back() {
    let server = Server::demo();
    let bob = Sipp::signed_in(&server, "cancel-to", "bob", "alice");
    let alice = Sipp::start(&server, "cancel-from", "alice", "bob");
    alice.finish();
    bob.finish();
    let records = server.wait_ended(1);
    assert_eq!(records[0].summary(), (Kind::Session, "alice", "bob", 0, 0, Ending::Cancelled));
    server.stop();
}
