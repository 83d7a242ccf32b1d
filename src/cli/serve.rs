//! `mynah serve`

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;

use super::server_options::ServerOptions;
use super::{config_file, start, text};
use crate::config::Settings;

/// `mynah serve`
#[derive(Args, Debug)]
pub struct Serve {
    /// Configuration file [default: ./mynah.toml, then /etc/mynah/mynah.toml]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    options: ServerOptions,
}

impl Serve {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let Some(path) = config_file::find(self.config.as_deref()) else {
            bail!("no mynah.toml here or in /etc/mynah: give --config FILE, or try `mynah demo`");
        };
        let options = self.options;
        let settings = read(&path, &options)?;
        let ready_file = options.ready_file(&settings);
        let reread = move || read(&path, &options).map_err(|error| text::told(&error));
        start::start(settings, ready_file, reread)
    }
}

/// What the file says, and the command line over it.
fn read(path: &Path, options: &ServerOptions) -> Result<Settings> {
    let mut settings = config_file::read(path)?;
    options.apply(&mut settings)?;
    Ok(settings)
}
