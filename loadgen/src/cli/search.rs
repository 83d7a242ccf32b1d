//! `loadgen search`: the largest population, or rate, that holds the pass marks.

use super::FlowCommand;
use super::outputs::Outputs;
use crate::run::run;
use crate::search::{Found, Range, Step, search};
use crate::settings::Settings;
use anyhow::{Result, ensure};
use std::sync::atomic::AtomicBool;

/// What is made larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum By {
    /// The population; the rate grows with it.
    Users,
    /// The rate; in profiles of several flows their scale.
    Rate,
}

/// Options of the search itself.
#[derive(Debug, clap::Args)]
pub struct Search {
    /// What is made larger.
    #[arg(long, value_enum, default_value = "users")]
    by: By,
    /// Smallest population, or rate.
    #[arg(long)]
    min: f64,
    /// Largest population, or rate.
    #[arg(long)]
    max: f64,
    /// How close the result is to what no longer passes, in percent.
    #[arg(long, value_name = "PERCENT", default_value = "5%", value_parser = super::percent)]
    precision: f64,
    /// Runs at most.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=64))]
    steps: u32,
    /// What each step runs, with its options; files get the report of the largest load that passed.
    #[command(subcommand)]
    flow: FlowCommand,
}

impl Search {
    /// Runs it; true when some load passed.
    ///
    /// # Errors
    /// When the range is none or a run could not begin.
    pub fn execute(&self, interrupt: &AtomicBool) -> Result<bool> {
        let (base, outputs) = self.flow.clone().settings()?;
        ensure!(
            self.flow.clone().is_open(),
            "search needs an open loop: give --rate, not --window"
        );
        ensure!(self.min > 0.0 && self.min <= self.max, "--min must be above 0, and --max no less");
        let unit = match self.by {
            By::Users => f64::from(base.group().max(1)),
            By::Rate => self.min / 1000.0,
        };
        let [min, max] = [self.min, self.max].map(|load| (load / unit).round().max(1.0) * unit);
        let precision = self.precision;
        let range = Range { min, max, precision, steps_max: self.steps, unit };
        let start = |load: f64| run(self.settings(load, &base)?, interrupt);
        let found = search(&range, start, |step| println!("{}", self.text(step)))?;
        self.conclude(&found, &outputs)
    }

    fn settings(&self, load: f64, base: &Settings) -> Result<Settings> {
        let mut flow = self.flow.clone();
        match self.by {
            By::Users => flow.set_users(load as u32, base.users),
            By::Rate => flow.set_rate(load),
        }
        Ok(flow.settings()?.0)
    }

    fn text(&self, step: &Step) -> String {
        let verdict = match step.held {
            true => "passed".to_owned(),
            false => format!("FAILED: {}", step.missed.join(", ")),
        };
        let generator = if step.generator { " (the generator was the limit)" } else { "" };
        format!("{}: {verdict}{generator}", self.load(step.load))
    }

    fn load(&self, load: f64) -> String {
        match self.by {
            By::Users => format!("{load:.0} users"),
            By::Rate => format!("{load:.1} by rate"),
        }
    }

    fn conclude(&self, found: &Found, outputs: &Outputs) -> Result<bool> {
        if let Some((load, report)) = &found.best {
            println!("\n{report}\n\nlargest that passed: {}", self.load(*load));
            outputs.write(report)?;
        }
        if let Some((load, report)) = &found.limit {
            println!("smallest that failed: {}", self.load(*load));
            if found.best.is_none() {
                println!("\n{report}");
                outputs.write(report)?;
            }
        }
        if found.interrupted {
            println!("interrupted after {} runs", found.steps.len());
        }
        Ok(found.best.is_some())
    }
}
