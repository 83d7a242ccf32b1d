//! Commands that show profiles, and how a run gets its profile.

use super::{Common, Dialect, USERS, rate};
use crate::profile::Profile;
use crate::settings::Plan;
use anyhow::{Result, bail, ensure};
use clap::Subcommand;

/// What is done with a profile.
#[derive(Debug, Subcommand)]
pub(super) enum ProfileCommand {
    /// Print a profile, what it comes to, and which rows of the documented model it uses.
    Show {
        /// Name of a built-in profile, or a file.
        profile: String,
        /// For how many users.
        #[arg(long, default_value_t = USERS, value_parser = clap::value_parser!(u32).range(1..))]
        users: u32,
        /// How much faster than its time users live.
        #[arg(long, default_value = "1", value_parser = rate)]
        scale: f64,
        /// Kind of client.
        #[arg(long, value_enum, default_value = "ms")]
        dialect: Dialect,
    },
}

impl ProfileCommand {
    /// What the command prints.
    pub(super) fn text(self) -> Result<String> {
        let ProfileCommand::Show { profile: name, users, scale, dialect } = self;
        let text = Profile::text(&name)?;
        let profile = Profile::load(&name, users)?.spoken(dialect);
        Ok(format!("{text}\n{}", profile.rates(users, scale)))
    }
}

impl Common {
    /// The profile for this population. It stays for the life of the program, which has few.
    pub(super) fn plan(&self, name: &str, scale: Option<f64>) -> Result<&'static Plan> {
        ensure!(
            self.window.is_none(),
            "--window is a closed loop; a profile is open: leave it out"
        );
        let users = self.users.unwrap_or(USERS);
        // Contacts and talks stay within a thread.
        let profile = Profile::load(name, users / self.threads)?.spoken(self.dialect);
        let scale = match (self.rate, profile.single()) {
            (None, _) => scale.unwrap_or(1.0),
            (Some(rate), Some((_, per_hour))) => rate * 3600.0 / per_hour / f64::from(users),
            (Some(_), None) => {
                bail!("--rate is for profiles of one flow: change {name} as a whole by --scale")
            }
        };
        let expiry_unix_s = self.conference_expiry()?;
        Ok(Box::leak(Box::new(Plan { profile, scale, expiry_unix_s })))
    }
}

/// Each built-in profile in a line.
pub(super) fn list() -> String {
    Profile::built_in().map(|(name, described)| format!("{name:<14}{described}\n")).collect()
}
