//! `loadgen plan`: how many servers a population needs.

use crate::plan::{Plan, Wish};
use crate::report::Report;
use anyhow::{Context as _, Result};
use std::path::PathBuf;

/// Options of a plan.
#[derive(Debug, clap::Args)]
pub struct PlanOptions {
    /// Users signed in at once.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    users: u32,
    /// The profile, or flow, that the runs are of.
    #[arg(long)]
    profile: String,
    /// Reports (--json) of runs at three sizes or more, by the same profile, seed and versions.
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    from: Vec<PathBuf>,
    /// Cores of a server.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=4096))]
    cores_per_server: u32,
    /// Memory of a server: 16G, 512M.
    #[arg(long, value_name = "SIZE", default_value = "16G", value_parser = memory)]
    memory_per_server: f64,
    /// Share of its cores that a server may keep busy when one is lost.
    #[arg(long, value_name = "PERCENT", default_value = "80%", value_parser = super::percent)]
    cpu_max: f64,
    /// Hours a day with the load of the profile, for the disk.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=24))]
    busy_hours: u32,
    /// Report of a run that was not fitted: what the plan predicts of it is printed; exit code 1
    /// when CPU, memory or network are more than 15 % off.
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
    /// Write the plan as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the plan as one page of HTML.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl PlanOptions {
    /// Prints the plan; false when a check was not met.
    ///
    /// # Errors
    /// When the reports do not make a plan.
    pub fn execute(&self) -> Result<bool> {
        let read = |path: &PathBuf| Report::read(path);
        let reports = self.from.iter().map(read).collect::<Result<Vec<_>>>()?;
        let check = self.check.as_ref().map(read).transpose()?;
        let wish = Wish {
            users: self.users,
            profile: self.profile.clone(),
            cores_per_server: f64::from(self.cores_per_server),
            memory_per_server: self.memory_per_server,
            cpu_max: self.cpu_max,
            busy_hours: f64::from(self.busy_hours),
        };
        let plan = Plan::new(wish, &reports, check.as_ref())?;
        println!("{}", plan.to_string().trim_end());
        if let Some(path) = &self.json {
            let named = || format!("--json {}", path.display());
            std::fs::write(path, serde_json::to_string_pretty(&plan)? + "\n")
                .with_context(named)?;
        }
        if let Some(path) = &self.html {
            let named = || format!("--html {}", path.display());
            std::fs::write(path, plan.to_html()).with_context(named)?;
        }
        Ok(plan.check.is_none_or(|check| check.met))
    }
}

/// Reads a size such as `16G`, in octets.
fn memory(text: &str) -> Result<f64, String> {
    let wrong = || format!("{text:?} is not a size such as 16G or 512M");
    let (number, unit) = match text.strip_suffix(['G', 'g']) {
        Some(number) => (number, 1_073_741_824.0),
        None => (text.strip_suffix(['M', 'm']).ok_or_else(wrong)?, 1_048_576.0),
    };
    match number.trim().parse::<f64>() {
        Ok(number) if number > 0.0 && number <= 1e6 => Ok(number * unit),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_unit() {
        assert_eq!(memory("16G"), Ok(17_179_869_184.0));
        assert_eq!(memory("0.5g"), memory("512M"));
        for wrong in ["", "16", "G", "-1G", "nanG", "16T"] {
            assert!(memory(wrong).is_err(), "{wrong}");
        }
    }
}
