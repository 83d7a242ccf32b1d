//! What the real dissector makes of a capture.

use std::path::Path;
use std::process::Command;

use crate::outside::program::require;

/// These fields of each packet, with tabs between them.
pub fn fields(capture: &Path, fields: &[&str]) -> String {
    let mut command = read(capture);
    command.args(["-T", "fields"]);
    for field in fields {
        command.args(["-e", field]);
    }
    output(command)
}

/// The packets that `filter` lets through, a line each.
pub fn packets(capture: &Path, filter: &str) -> String {
    let mut command = read(capture);
    command.args(["-Y", filter]);
    output(command)
}

fn read(capture: &Path) -> Command {
    require("tshark", "tshark");
    let mut command = Command::new("tshark");
    command.arg("-r").arg(capture);
    command
}

fn output(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
