//! Where the report of a run goes.

use crate::report::Report;
use anyhow::{Context as _, Result};
use std::path::PathBuf;

/// Files that a report is written to.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Outputs {
    /// Write the report as JSON; `compare` and `plan` read it.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report as one page of HTML that needs nothing else.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the timeline as CSV.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
}

impl Outputs {
    /// Writes all that is asked for.
    ///
    /// # Errors
    /// Names the option and the file that cannot be written.
    pub fn write(&self, report: &Report) -> Result<()> {
        if let Some(path) = &self.json {
            let named = || format!("--json {}", path.display());
            std::fs::write(path, report.to_json()?).with_context(named)?;
        }
        if let Some(path) = &self.html {
            let named = || format!("--html {}", path.display());
            std::fs::write(path, report.to_html()).with_context(named)?;
        }
        if let Some(path) = &self.csv {
            let named = || format!("--csv {}", path.display());
            std::fs::write(path, report.to_csv()).with_context(named)?;
        }
        Ok(())
    }
}

/// A command line for the report: without the password.
pub fn command_line(arguments: impl Iterator<Item = String>) -> Vec<String> {
    const PASSWORD: &str = "--password";
    let mut hide = false;
    let shown = arguments.map(|argument| {
        let hidden = std::mem::replace(&mut hide, argument == PASSWORD);
        match argument.strip_prefix(PASSWORD) {
            _ if hidden => "***".to_owned(),
            Some(rest) if rest.starts_with('=') => format!("{PASSWORD}=***"),
            _ => argument,
        }
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_not_shown() {
        let line = "loadgen im --password hush --users 5 --password=hush";
        let shown = command_line(line.split(' ').map(str::to_owned)).join(" ");
        assert_eq!(shown, "loadgen im --password *** --users 5 --password=***");
    }
}
