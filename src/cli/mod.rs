//! Layer 7: the command line, one file a command. Errors are one line on standard error that says
//! what to do: exit code 1, and 2 for a wrong command line.

mod api;
mod backup;
mod cdr;
mod certificate;
mod completions;
mod conference;
mod config;
mod config_file;
mod contacts;
mod demo;
mod directory;
mod directory_report;
mod doctor;
mod drain;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod host_port;
mod http;
mod inquiry;
mod manual;
mod password;
mod person;
mod presence;
mod reload;
mod restore;
mod serve;
mod server_address;
mod server_options;
mod start;
mod status;
mod synthetic;
mod text;
mod tls_client;
mod trace;
mod user;
mod user_import;
mod user_list;
mod watchers;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

const FILES: &str = "\
Files:
  mynah.toml, /etc/mynah/mynah.toml  configuration: the one in this folder, then the other
  DATA/mynah.db                      users, contacts, records; DATA is server.data in mynah.toml
  DATA/ready.json                    where the running server listens; commands find it by this

Exit code: 0 when done, 1 with one line on standard error that says what to do, 2 for a wrong
command line.";

/// Instant-messaging and presence Front End server.
#[derive(Debug, Parser)]
#[command(name = "mynah", version, propagate_version = true, disable_help_subcommand = true)]
#[command(after_long_help = FILES)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make, list and revoke the tokens of other applications
    #[command(subcommand)]
    Api(api::Command),
    /// Write all that the database holds to a file, also while the server runs
    Backup(backup::Backup),
    /// List call detail records: who spoke with whom, when, how much, and how it ended
    Cdr(cdr::Cdr),
    /// Print what completes command lines in a shell
    Completions(completions::Completions),
    /// Show the conferences that go on, and end them
    #[command(subcommand)]
    Conference(conference::Conference),
    /// Look at the configuration file
    #[command(subcommand)]
    Config(config::Config),
    /// Show a user's contact list
    Contacts(contacts::Contacts),
    /// Serve on loopback with three users and a certificate made for it
    Demo(demo::Demo),
    /// Look at the users of a directory service, and take them
    #[command(subcommand)]
    Directory(directory::Directory),
    /// Say why a user cannot sign in, or what is wrong with a server's certificate and machine
    Doctor(doctor::Doctor),
    /// Have the running server take no new work, close its connections one by one, and end
    Drain(drain::Drain),
    /// Write the manual pages of all commands
    Manual(manual::Manual),
    /// Show a user's presence, and what others see of it
    Presence(presence::Presence),
    /// Have the running server read its configuration, certificates and users again
    Reload(reload::Reload),
    /// Put a backup in the place of the database of a server that does not run
    Restore(restore::Restore),
    /// Serve as mynah.toml says
    Serve(serve::Serve),
    /// Show how the running server does
    Status(status::Status),
    /// Do what users do, and say how it went: result, time of each step, diagnosis
    #[command(subcommand)]
    Test(Box<synthetic::Test>),
    /// Listen to what a user's clients and the server say to each other
    Trace(trace::Trace),
    /// Add, change and remove users, also while the server runs
    #[command(subcommand)]
    User(Box<user::User>),
    /// Show who watches a user's presence
    Watchers(watchers::Watchers),
}

/// Runs the command the process was started with.
pub fn run() -> ExitCode {
    let outcome = match CommandLine::parse().command {
        Command::Api(command) => command.run(),
        Command::Backup(command) => command.run(),
        Command::Cdr(command) => command.run(),
        Command::Completions(command) => command.run(),
        Command::Conference(command) => command.run(),
        Command::Config(command) => command.run(),
        Command::Contacts(command) => command.run(),
        Command::Demo(command) => command.run(),
        Command::Directory(command) => command.run(),
        Command::Doctor(command) => command.run(),
        Command::Drain(command) => command.run(),
        Command::Manual(command) => command.run(),
        Command::Presence(command) => command.run(),
        Command::Reload(command) => command.run(),
        Command::Restore(command) => command.run(),
        Command::Serve(command) => command.run(),
        Command::Status(command) => command.run(),
        Command::Test(command) => command.run(),
        Command::Trace(command) => command.run(),
        Command::User(command) => command.run(),
        Command::Watchers(command) => command.run(),
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
mod tests;
