//! `mynah completions`

use std::io::Write;

use anyhow::Result;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::CommandLine;

/// `mynah completions`
#[derive(Args, Debug)]
pub struct Completions {
    /// Shell that is to read them
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

impl Completions {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let mut text = Vec::new();
        // Made whole first: the generator panics where a pipe breaks.
        clap_complete::generate(self.shell, &mut CommandLine::command(), "mynah", &mut text);
        Ok(std::io::stdout().lock().write_all(&text)?)
    }
}
