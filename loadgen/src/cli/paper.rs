//! What packages are made with: completions of shells and pages of the manual.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, read_so_far};

/// Prints what completes command lines in a shell.
pub fn completions(shell: Shell) -> Result<()> {
    let mut text = Vec::new();
    // Made whole first: the generator panics where a pipe breaks.
    clap_complete::generate(shell, &mut Cli::command(), "loadgen", &mut text);
    read_so_far(std::io::stdout().lock().write_all(&text))
}

/// Writes the manual pages of all commands to a folder, which is made when it is absent.
pub fn manual(folder: &Path) -> Result<()> {
    let write = || {
        fs::create_dir_all(folder)?;
        clap_mangen::generate_to(Cli::command(), folder)
    };
    write().with_context(|| folder.display().to_string())
}
