//! `mynah manual`

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, CommandFactory};

use super::CommandLine;

/// `mynah manual`
#[derive(Args, Debug)]
pub struct Manual {
    /// Folder to write them to, as mynah.1, mynah-user.1 and so on; made when it is absent
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Manual {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let write = || {
            fs::create_dir_all(&self.folder)?;
            clap_mangen::generate_to(CommandLine::command(), &self.folder)
        };
        write().with_context(|| self.folder.display().to_string())
    }
}
