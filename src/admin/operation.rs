//! What an operator has the server do, and what is answered.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::host_port::HostPort;
use crate::config::Change;

/// An order to the control thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Take no new work, close the connections evenly over a time, and end.
    Drain {
        /// The time.
        over: Duration,
        /// Do not end afterwards.
        stay: bool,
        /// Where clients that follow are sent.
        to: Option<HostPort>,
    },
    /// Read the configuration again.
    Reload {
        /// Only say what would change.
        dry_run: bool,
    },
}

/// What became of an [`Operation`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operated {
    /// A drain has begun.
    Draining(DrainReport),
    /// Nothing has changed; the one line says why.
    Refused(String),
    /// The configuration was read.
    Reloaded(ReloadReport),
}

/// A drain that has begun.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct DrainReport {
    /// Milliseconds until the last connection is closed.
    pub over_ms: u64,
    /// The process stays afterwards.
    pub stays: bool,
    /// Where clients that follow are sent.
    pub to: Option<String>,
}

/// What the configuration says that the running server does not do.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct ReloadReport {
    /// What can change without a restart has changed.
    pub applied: bool,
    /// The keys that differ.
    pub changes: Vec<ChangeReport>,
    /// What is to be said of the certificates, a line each.
    pub warnings: Vec<String>,
}

/// A key of the configuration that differs.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct ChangeReport {
    /// Section and key.
    pub key: String,
    /// What was in force.
    pub old: String,
    /// What the file says.
    pub new: String,
    /// It changes without a restart.
    pub live: bool,
}

impl From<Change> for ChangeReport {
    fn from(change: Change) -> Self {
        let Change { key, old, new, live } = change;
        ChangeReport { key, old, new, live }
    }
}
