//! `mynah watchers`

use anyhow::{Result, bail};
use clap::Args;

use super::inquiry::{Inquiry, columns};
use crate::admin::report::WatchersReport;

/// `mynah watchers`
#[derive(Args, Debug)]
pub struct Watchers {
    #[command(flatten)]
    inquiry: Inquiry,
}

impl Watchers {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let user = self.inquiry.user.as_str();
        let Some(report) = self.inquiry.ask(&format!("/watchers/{user}"))? else {
            bail!("no server answers, so nobody watches: is it running?");
        };
        self.inquiry.print(&report, table)
    }
}

fn table(report: &WatchersReport) -> String {
    let rows: Vec<_> = report
        .watchers
        .iter()
        .map(|watcher| {
            [
                watcher.address.clone(),
                format!("{} {}", watcher.level, watcher.level_name),
                watcher.relation.clone(),
                if watcher.is_contact { "yes" } else { "no" }.to_owned(),
                watcher.format.clone(),
                watcher.subscription.clone(),
            ]
        })
        .collect();
    let head = ["ADDRESS", "LEVEL", "RELATION", "IS CONTACT", "FORMAT", "SUBSCRIPTION"];
    format!("watchers  {}\n{}", rows.len(), columns(head, &rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::report::WatcherReport;

    #[test]
    fn each_subscription_has_a_line() {
        let report = WatchersReport {
            watchers: vec![WatcherReport {
                address: "bob@example.test".to_owned(),
                level: 200,
                level_name: "colleagues".to_owned(),
                relation: "same_enterprise".to_owned(),
                is_contact: false,
                format: "pidf".to_owned(),
                subscription: "00010000000700000001".to_owned(),
            }],
        };
        assert_eq!(
            table(&report),
            "\
watchers  1
  ADDRESS           LEVEL           RELATION         IS CONTACT  FORMAT  SUBSCRIPTION
  bob@example.test  200 colleagues  same_enterprise  no          pidf    00010000000700000001
"
        );
        assert_eq!(table(&WatchersReport { watchers: Vec::new() }), "watchers  0\n");
    }
}
