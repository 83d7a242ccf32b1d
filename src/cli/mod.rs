//! Layer 7: the command line, one file a command. Errors are one line on standard error that says
//! what to do: exit code 1, and 2 for a wrong command line.

mod cdr;
mod certificate;
mod config;
mod config_file;
mod demo;
mod http;
mod password;
mod person;
mod serve;
mod server_options;
mod start;
mod status;
mod text;
mod user;
mod user_import;
mod user_list;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Instant-messaging and presence Front End server.
#[derive(Debug, Parser)]
#[command(name = "mynah", version, propagate_version = true, disable_help_subcommand = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List call detail records: who spoke with whom, when, how much, and how it ended
    Cdr(cdr::Cdr),
    /// Look at the configuration file
    #[command(subcommand)]
    Config(config::Config),
    /// Serve on loopback with three users and a certificate made for it
    Demo(demo::Demo),
    /// Serve as mynah.toml says
    Serve(serve::Serve),
    /// Show how the running server does
    Status(status::Status),
    /// Add, change and remove users, also while the server runs
    #[command(subcommand)]
    User(Box<user::User>),
}

/// Runs the command the process was started with.
pub fn run() -> ExitCode {
    let outcome = match CommandLine::parse().command {
        Command::Cdr(command) => command.run(),
        Command::Config(command) => command.run(),
        Command::Demo(command) => command.run(),
        Command::Serve(command) => command.run(),
        Command::Status(command) => command.run(),
        Command::User(command) => command.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of a pipe had enough.
        Err(error) if text::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mynah: {}", text::told(&error));
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        CommandLine::command().debug_assert();
    }
}
