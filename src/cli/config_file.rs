//! Where the configuration and the data are.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::base::limits::Limits;
use crate::config::{self, Settings};
use crate::store::Database;

/// Looked at in this order when none is given.
const PLACES: [&str; 2] = ["mynah.toml", "/etc/mynah/mynah.toml"];
/// Longest file that is read; the shipped one has 8 KiB.
const FILE_LEN_MAX: u64 = 1 << 20;

/// Reads the configuration file and takes its relative paths from its folder.
pub fn read(path: &Path) -> Result<Settings> {
    let mut text = String::new();
    let file = File::open(path)
        .with_context(|| format!("{}: give the configuration with --config", path.display()))?;
    let read = file.take(FILE_LEN_MAX + 1).read_to_string(&mut text);
    read.with_context(|| path.display().to_string())?;
    if text.len() as u64 > FILE_LEN_MAX {
        bail!("{}: larger than 1 MiB, so no configuration file", path.display());
    }
    let parsed = config::parse(&text);
    // The usual form of a place in a file: name:line:column.
    let mut settings = parsed.map_err(|error| anyhow::anyhow!("{}:{error}", path.display()))?;
    settings.resolve_paths(path.parent().unwrap_or(Path::new("")));
    Ok(settings)
}

/// The file given, or the one in its usual place.
pub fn find(given: Option<&Path>) -> Option<PathBuf> {
    match given {
        Some(path) => Some(path.to_owned()),
        None => PLACES.into_iter().map(PathBuf::from).find(|path| path.exists()),
    }
}

/// Which server a command is about.
#[derive(Args, Debug)]
pub struct Place {
    /// Data folder [default: the one in mynah.toml]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Configuration file [default: ./mynah.toml, then /etc/mynah/mynah.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl Place {
    /// The configuration; `None` when only a data folder is given.
    pub fn settings(&self) -> Result<Option<Settings>> {
        match (&self.data, find(self.config.as_deref())) {
            (Some(_), _) if self.config.is_none() => Ok(None),
            (_, Some(path)) => read(&path).map(Some),
            (_, None) => {
                bail!("no mynah.toml here or in /etc/mynah: give --data DIR or --config FILE")
            }
        }
    }

    /// The data folder, when `settings` are those of this place.
    pub fn folder(&self, settings: Option<&Settings>) -> PathBuf {
        let from_settings = settings.map(|settings| settings.data.clone());
        self.data.clone().or(from_settings).unwrap_or_default()
    }

    /// Opens the database; a command that only reads makes none.
    pub fn open(&self, settings: Option<&Settings>, may_create: bool) -> Result<Database> {
        let folder = self.folder(settings);
        let limits = settings.map_or_else(Limits::default, |settings| settings.limits.clone());
        Ok(if may_create {
            Database::open(&folder, limits.store_busy_timeout)
        } else {
            Database::open_existing(&folder, limits.store_busy_timeout)
        }?)
    }
}
