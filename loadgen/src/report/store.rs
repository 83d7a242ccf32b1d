//! A report as JSON in a file, and back.

use super::Report;
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::fmt::Write as _;
use std::path::Path;

/// Longest file that is read, in octets.
const FILE_MAX: u64 = 64 * 1024 * 1024;

impl Report {
    /// The report as JSON, with a line for each point of the timeline.
    ///
    /// # Errors
    /// When it cannot be told in JSON.
    pub fn to_json(&self) -> Result<String> {
        let Value::Object(mut fields) = serde_json::to_value(self)? else {
            unreachable!("a report has fields")
        };
        let timeline = fields.remove("timeline").unwrap_or_default();
        let mut text = serde_json::to_string_pretty(&Value::Object(fields))?;
        let end = text.trim_end_matches('}').trim_end().len();
        text.truncate(end);
        text.push_str(",\n  \"timeline\": [");
        for (at, point) in timeline.as_array().into_iter().flatten().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            // Writing to a String cannot fail.
            let _ = write!(text, "{comma}\n    {point}");
        }
        text.push_str("\n  ]\n}\n");
        Ok(text)
    }

    /// Reads what [`Report::to_json`] wrote.
    ///
    /// # Errors
    /// When there is no such file, or it holds no report of this version.
    pub fn read(path: &Path) -> Result<Report> {
        let named = || path.display().to_string();
        let length = std::fs::metadata(path).with_context(named)?.len();
        anyhow::ensure!(length <= FILE_MAX, "{}: too long for a report", path.display());
        let text = std::fs::read_to_string(path).with_context(named)?;
        let wrong = || format!("{}: no report of this loadgen (made by --json)", path.display());
        serde_json::from_str(&text).with_context(wrong)
    }
}
