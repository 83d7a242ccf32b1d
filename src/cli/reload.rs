//! `mynah reload`

use anyhow::{Result, bail};
use clap::Args;

use super::http;
use super::inquiry::{read, reason};
use super::server_address::ServerAddress;
use super::text::one_line;
use crate::admin::operation::{ChangeReport, ReloadReport};

/// `mynah reload`
#[derive(Args, Debug)]
pub struct Reload {
    /// Only read and check everything, and say what would change
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    server: ServerAddress,
}

impl Reload {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let address = self.server.find()?;
        let ask = |path: &str| -> Result<ReloadReport> {
            let (status, body) = http::post(address, path)?;
            if status == 422 {
                bail!("not reloaded, nothing has changed: {}", reason(status, &body));
            }
            read(address, path, status, &body)
        };
        // Said before it happens.
        print!("{}", announcement(&ask("/reload/dry-run")?));
        if !self.dry_run {
            ask("/reload")?;
            println!("reloaded: certificates and users were read again");
        }
        Ok(())
    }
}

/// What a reload changes, and what it does not.
fn announcement(report: &ReloadReport) -> String {
    let mut text = String::new();
    let mut list = |title: &str, live: bool| {
        let changes: Vec<_> = report.changes.iter().filter(|change| change.live == live).collect();
        if !changes.is_empty() {
            text += &format!("{title}\n");
        }
        for ChangeReport { key, old, new, .. } in changes {
            text += &format!("  {key}: {} -> {}\n", one_line(old).trim(), one_line(new).trim());
        }
    };
    list("changes at once, and nobody is disconnected:", true);
    list("waits for the next start of the server:", false);
    if report.changes.is_empty() {
        text += "nothing that the configuration says has changed\n";
    }
    for warning in &report.warnings {
        text += &format!("warning: {}\n", one_line(warning));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_and_what_waits_stand_apart() {
        let change = |key: &str, live| ChangeReport {
            key: key.to_owned(),
            old: "1".to_owned(),
            new: "2\n".to_owned(),
            live,
        };
        let report = ReloadReport {
            applied: false,
            changes: vec![change("server.cores", false), change("limits.a", true)],
            warnings: vec!["the certificate ends".to_owned()],
        };
        assert_eq!(
            announcement(&report),
            "\
changes at once, and nobody is disconnected:
  limits.a: 1 -> 2
waits for the next start of the server:
  server.cores: 1 -> 2
warning: the certificate ends
"
        );
        let nothing = ReloadReport { applied: false, changes: Vec::new(), warnings: Vec::new() };
        assert_eq!(announcement(&nothing), "nothing that the configuration says has changed\n");
    }
}
