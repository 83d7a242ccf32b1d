//! sipsak, which operators use to see whether a SIP server lives.

use std::process::Command;

use crate::outside::program::{Program, require};
use crate::outside::server::Server;

#[test]
fn options_over_tcp_are_answered_without_signing_in() {
    require("sipsak", "sipsak");
    let server = Server::demo();
    let target = format!("sip:alice@{}", server.ready.tcp);
    let mut sipsak =
        Program::start("sipsak", Command::new("sipsak").args(["-v", "-E", "tcp", "-s", &target]));
    sipsak.wait_for_text("SIP/2.0 200 OK");
    sipsak.wait_for_text("Allow: ");
    sipsak.wait_success();
    assert_eq!(server.metrics().requests("options"), 1.0);
    assert_eq!(server.stop_and_read(), []);
}
