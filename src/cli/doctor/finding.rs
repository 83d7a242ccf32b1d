//! What was looked at, and what came of it.

use serde::Serialize;

use crate::cli::text::one_line;

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Good,
    /// Works, and may not for long or not for all.
    Warning,
    /// Does not work.
    Fault,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How it stands.
    pub level: Level,
    /// What was looked at.
    pub what: String,
    /// What was found, and what to do.
    pub text: String,
}

/// All that was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// In the order of looking.
    pub findings: Vec<Finding>,
}

impl Findings {
    /// Something is as it should be.
    pub fn good(&mut self, what: &str, text: impl Into<String>) {
        self.push(Level::Good, what, text.into());
    }

    /// Something may not stay well.
    pub fn warn(&mut self, what: &str, text: impl Into<String>) {
        self.push(Level::Warning, what, text.into());
    }

    /// Something is wrong.
    pub fn fault(&mut self, what: &str, text: impl Into<String>) {
        self.push(Level::Fault, what, text.into());
    }

    /// Things that are wrong.
    pub fn faults(&self) -> usize {
        self.findings.iter().filter(|finding| finding.level == Level::Fault).count()
    }

    /// A line for each.
    pub fn table(&self) -> String {
        let line = |finding: &Finding| {
            let level = match finding.level {
                Level::Good => "good",
                Level::Warning => "WARN",
                Level::Fault => "FAULT",
            };
            format!("{level:5}  {:12}  {}\n", finding.what, one_line(&finding.text))
        };
        self.findings.iter().map(line).collect()
    }

    fn push(&mut self, level: Level, what: &str, text: String) {
        self.findings.push(Finding { level, what: what.to_owned(), text });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_has_a_line() {
        let mut findings = Findings::default();
        findings.good("chain", "trusted");
        findings.warn("validity", "3 days\nleft");
        findings.fault("names", "none");
        assert_eq!(
            findings.table(),
            "good   chain         trusted\nWARN   validity      3 days left\nFAULT  names         none\n"
        );
        assert_eq!(findings.faults(), 1);
    }
}
