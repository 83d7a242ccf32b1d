//! `mynah test`: does what users do, as a client over TLS, and says how it went: for cron, and for
//! whoever wants to know whether it is the server.

mod client;
mod failure;
mod proof;
mod transaction;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, Subcommand};
use rustls::pki_types::ServerName;
use serde::Serialize;
use zeroize::Zeroizing;

use super::host_port::HostPort;
use super::inquiry;
use super::text::one_line;
use super::tls_client::authorities;
use crate::config::quantity::read_time;
use crate::directory::Address;
use client::Way;
use failure::Failure;
use transaction::Party;

/// Holds the password, unless it is in a file.
const PASSWORD: &str = "MYNAH_TEST_PASSWORD";
/// The same of the other user.
const PEER_PASSWORD: &str = "MYNAH_TEST_PEER_PASSWORD";

/// `mynah test`
#[derive(Debug, Subcommand)]
pub enum Test {
    /// Sign in and off
    Signin(One),
    /// Sign two users in; the first writes to the second
    Im(Two),
    /// Sign two users in; the second sees what the first publishes
    Presence(Two),
    /// Sign two users in; the first makes a conference, and the second hears him there
    Conference(Two),
}

/// A test with one user.
#[derive(Args, Debug)]
pub struct One {
    /// The server
    #[arg(long, value_name = "HOST[:PORT]")]
    server: HostPort,
    /// Name that the certificate must be for [default: HOST]
    #[arg(long, value_name = "NAME")]
    tls_name: Option<String>,
    /// Authorities to trust, in PEM [default: those of the system]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Address of the user
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    user: Address,
    /// Name for signing in [default: the part of the address before @]
    #[arg(long, value_name = "NAME")]
    login: Option<String>,
    /// File with the password on its first line [default: MYNAH_TEST_PASSWORD in the environment]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Longest wait for any one thing
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    timeout: Duration,
    /// A step that takes longer fails the test
    #[arg(long, value_name = "TIME", value_parser = time)]
    slow: Option<Duration>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A test with two users.
#[derive(Args, Debug)]
pub struct Two {
    #[command(flatten)]
    one: One,
    /// Address of the other user
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    peer: Address,
    /// His name for signing in [default: the part of the address before @]
    #[arg(long, value_name = "NAME")]
    peer_login: Option<String>,
    /// File with his password [default: MYNAH_TEST_PEER_PASSWORD, then the password of the user]
    #[arg(long, value_name = "FILE")]
    peer_password_file: Option<PathBuf>,
}

/// How it went.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Report {
    /// What was tested.
    test: &'static str,
    /// The server.
    server: String,
    /// All went as it should.
    good: bool,
    /// What is wrong, and what to do.
    diagnosis: Option<String>,
    /// Milliseconds of all steps together.
    took_ms: f64,
    /// What was done, in order; the last is the one that failed, if one did.
    steps: Vec<Step>,
}

/// One thing that was done.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Step {
    /// What.
    name: &'static str,
    /// How long it took.
    took_ms: f64,
}

/// Takes the time of each step.
#[derive(Debug, Default)]
struct Steps {
    done: Vec<Step>,
    slow: Option<Duration>,
}

impl Steps {
    /// Does one thing.
    fn step<T>(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let began = Instant::now();
        let result = work();
        let took = began.elapsed();
        self.done.push(Step { name, took_ms: took.as_secs_f64() * 1000.0 });
        match self.slow {
            Some(slow) if result.is_ok() && took > slow => Err(Failure::Slow { name, took, slow }),
            _ => result,
        }
    }
}

impl Test {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let (name, one, two) = match &self {
            Test::Signin(one) => ("signin", one, None),
            Test::Im(two) => ("im", &two.one, Some(two)),
            Test::Presence(two) => ("presence", &two.one, Some(two)),
            Test::Conference(two) => ("conference", &two.one, Some(two)),
        };
        let way = one.way()?;
        let user = one.party()?;
        let peer = two.map(|two| two.peer(&user)).transpose()?;
        let mut steps = Steps { slow: one.slow, ..Steps::default() };
        let outcome = match (&self, &peer) {
            (Test::Im(_), Some(peer)) => transaction::im(&mut steps, &way, &user, peer),
            (Test::Presence(_), Some(peer)) => transaction::presence(&mut steps, &way, &user, peer),
            (Test::Conference(_), Some(peer)) => {
                transaction::conference(&mut steps, &way, &user, peer)
            }
            _ => transaction::sign_in(&mut steps, &way, &user),
        };
        let report = Report {
            test: name,
            server: one.server.to_string(),
            good: outcome.is_ok(),
            diagnosis: outcome.err().map(|failure| one_line(&failure.diagnosis(&one.server))),
            took_ms: steps.done.iter().map(|step| step.took_ms).sum(),
            steps: steps.done,
        };
        inquiry::print(one.json, &report, table)?;
        match report.diagnosis {
            None => Ok(()),
            Some(_) => bail!("the test failed"),
        }
    }
}

impl One {
    fn way(&self) -> Result<Way> {
        let name = self.tls_name.clone().unwrap_or_else(|| self.server.host.clone());
        Ok(Way {
            server: self.server.clone(),
            name: ServerName::try_from(name).map_err(|_| anyhow!("--tls-name is no host name"))?,
            roots: authorities(self.ca.as_deref())?,
            timeout: self.timeout,
        })
    }

    fn party(&self) -> Result<Party> {
        let password = match password(self.password_file.as_deref(), PASSWORD)? {
            Some(password) => password,
            None => bail!("no password: give --password-file FILE or set {PASSWORD}"),
        };
        Ok(Party { user: self.user.clone(), login: login(&self.user, &self.login), password })
    }
}

impl Two {
    fn peer(&self, user: &Party) -> Result<Party> {
        let password = password(self.peer_password_file.as_deref(), PEER_PASSWORD)?;
        Ok(Party {
            user: self.peer.clone(),
            login: login(&self.peer, &self.peer_login),
            password: password.unwrap_or_else(|| user.password.clone()),
        })
    }
}

fn login(user: &Address, given: &Option<String>) -> String {
    given.clone().unwrap_or_else(|| user.user().to_owned())
}

fn password(file: Option<&Path>, variable: &str) -> Result<Option<Zeroizing<String>>> {
    let text = match file {
        Some(file) => {
            Zeroizing::new(fs::read_to_string(file).with_context(|| file.display().to_string())?)
        }
        None => match env::var(variable) {
            Ok(text) => Zeroizing::new(text),
            Err(env::VarError::NotPresent) => return Ok(None),
            Err(error) => return Err(error).context(variable.to_owned()),
        },
    };
    Ok(Some(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned())))
}

fn table(report: &Report) -> String {
    let Report { test, server, took_ms, diagnosis, .. } = report;
    let steps: Vec<String> =
        report.steps.iter().map(|step| format!("{} {:.1}", step.name, step.took_ms)).collect();
    let verdict = if report.good { "good" } else { "FAULT" };
    let mut text = format!("{verdict}  {test}  {server}  {took_ms:.1} ms ({})\n", steps.join(", "));
    if let Some(diagnosis) = diagnosis {
        text += &format!("{diagnosis}\n");
    }
    text
}

fn address(text: &str) -> Result<Address, String> {
    Address::parse(text).map_err(|error| error.to_string())
}

fn time(text: &str) -> Result<Duration, String> {
    match read_time(text) {
        Some(time) if !time.is_zero() => Ok(time),
        _ => Err("write a number and a unit, as in 500ms or 10s".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_a_line_and_a_diagnosis() {
        let report = Report {
            test: "im",
            server: "a:5061".to_owned(),
            good: false,
            diagnosis: Some("no answer".to_owned()),
            took_ms: 3.25,
            steps: vec![
                Step { name: "connect", took_ms: 1.0 },
                Step { name: "sign in", took_ms: 2.25 },
            ],
        };
        assert_eq!(
            table(&report),
            "FAULT  im  a:5061  3.2 ms (connect 1.0, sign in 2.2)\nno answer\n"
        );
    }

    #[test]
    fn a_step_that_takes_too_long_fails() {
        let mut steps = Steps { slow: Some(Duration::ZERO), ..Steps::default() };
        let slow = steps.step("connect", || Ok(()));
        assert!(matches!(slow, Err(Failure::Slow { name: "connect", .. })));
        assert_eq!(steps.done.len(), 1);
    }
}
