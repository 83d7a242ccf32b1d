//! What applications of the API need of an operator.

use super::server::Server;

/// An API on loopback, as a section of the configuration.
pub const API: &str = "[api]\nlisten = \"127.0.0.1:0\"\n";

/// Has the command line make a token of that role and level.
pub fn token(server: &Server, name: &str, role: &str, level: &str) -> String {
    let line = ["api", "token", "create", "--role", role, "--level", level, name];
    let output = server.command(&line);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
