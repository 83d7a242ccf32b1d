//! `loadgen compare A.json B.json`.

use crate::compare::Comparison;
use crate::report::Report;
use anyhow::Result;
use std::path::PathBuf;

/// Options of a comparison.
#[derive(Debug, clap::Args)]
pub struct Compare {
    /// Report of the first run (--json).
    first: PathBuf,
    /// Report of the second run.
    second: PathBuf,
    /// By how much the second's CPU time an operation, or a 99th percentile, may be larger.
    #[arg(long, value_name = "PERCENT", default_value = "10%", value_parser = super::percent)]
    worse: f64,
}

impl Compare {
    /// Prints it; true when the second is no worse.
    ///
    /// # Errors
    /// When a file holds no report.
    pub fn execute(&self) -> Result<bool> {
        let (first, second) = (Report::read(&self.first)?, Report::read(&self.second)?);
        let comparison = Comparison::new(&first, &second, self.worse);
        println!("{comparison}");
        Ok(comparison.worsened().next().is_none())
    }
}
