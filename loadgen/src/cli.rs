//! The command line.

mod compare;
mod outputs;
mod paper;
mod plan;
mod profile;
mod search;

use crate::abort::Abort;
use crate::link_options::LinkOptions;
use crate::pacer::Arrivals;
use crate::population::write_csv;
use crate::report::limits::{self, Limit, Limits};
use crate::run::run;
use crate::settings::{
    Auth, Dialect, Flow, Load, MaxFailures, Notify, Settings, StateKind, TlsVersion, Transport,
    rate, span,
};
use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use compare::Compare;
use outputs::{Outputs, command_line};
use plan::PlanOptions;
use profile::ProfileCommand;
use search::Search;
use std::io::{BufWriter, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Users of a run, unless the command line says it.
const USERS: u32 = 100;
/// How long conferences last beyond the run.
const CONFERENCE_REST: Duration = Duration::from_secs(8 * 3600);
/// Exit code when a run did not pass.
const FAILED: u8 = 1;
/// Exit code when a run could not begin.
const UNUSABLE: u8 = 2;

const EXAMPLES: &str = "\
Examples:
  Users for the server:
    loadgen users --count 1000 --domain example.test --password secret > users.csv
  1,000 Lync users over TLS, 500 messages a second, server CPU per message:
    loadgen im --target 127.0.0.1:5061 --users 1000 --rate 500 --duration 30s --pid PID
  Saturation, 8 messages in flight a pair, report as JSON:
    loadgen im --target 127.0.0.1:5061 --users 1000 --window 8 --json im.json
  SIMPLE clients over TCP, ended when it goes wrong:
    loadgen im --target 127.0.0.1:5060 --transport tcp --dialect simple --rate 200 \\
        --abort 'p99_ms > 500'
  New TLS connections with sign-in, and renewals on connections that stay:
    loadgen register --target 127.0.0.1:5061 --users 500 --rate 100
    loadgen register --refresh --target 127.0.0.1:5061 --users 500 --rate 2000
  States of 1,000 users, 20 watchers each, by BENOTIFY and by NOTIFY that is answered:
    loadgen presence --target 127.0.0.1:5061 --users 1000 --rate 500 --pid PID
    loadgen presence --target 127.0.0.1:5061 --users 1000 --window 8 --notify notify --pid PID
  50 conferences of 20 members each, server CPU per delivered message:
    loadgen conference --target 127.0.0.1:5061 --members 20 --conferences 50 --rate 200 --pid PID
  The documented user model, ten times as fast as users are:
    loadgen run --profile lync2013 --users 5000 --duration 10m --warmup 1m --scale 10 \\
        --target 127.0.0.1:5061 --pid PID
  Memory of 2,000 users who watch 40 others each:
    loadgen idle --target 127.0.0.1:5061 --users 2000 --contacts 40 --pid PID
  100,000 users, 90,000 of them on 6 links as those of an Edge (the server: mynah demo --links ADDR):
    loadgen im --target 127.0.0.1:5061 --users 100000 --links 6 --users-per-link 15000 \\
        --link-target 127.0.0.1:5062 --link-cert link.pem --link-key link-key.pem --rate 500
  The same with every message signed, as the Lync client does:
    loadgen im --target 127.0.0.1:5061 --users 1000 --rate 500 --auth ntlm
Endpoints sign in by Digest unless --auth ntlm is given: a server that offers Lync clients NTLM must
offer Digest beside it then (Mynah: auth.lync = [\"ntlm\", \"digest\"], as in mynah demo).
Exit code: 0 passed, 1 a pass mark was missed (--mark) or ended early, 2 could not begin.";

/// Load generator for SIP instant-messaging servers.
#[derive(Debug, Parser)]
#[command(name = "loadgen", version, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Run(Box<FlowCommand>),
    /// Find the largest population that holds the pass marks, by bisection; each step is a run.
    Search(Box<Search>),
    /// Put two reports side by side.
    ///
    /// Exit code 1 when the second needs more CPU time an operation, or has a larger 99th
    /// percentile, by more than --worse.
    Compare(Compare),
    /// Say how many servers a population needs, from measured runs at three sizes or more.
    Plan(PlanOptions),
    /// Print the users that a run signs in, for the server's user import.
    Users(Users),
    /// List the built-in profiles.
    Profiles,
    /// Look at a profile.
    Profile {
        #[command(subcommand)]
        command: ProfileCommand,
    },
    /// Print what completes command lines in a shell.
    Completions {
        /// Shell that is to read them.
        #[arg(value_name = "SHELL", value_enum)]
        shell: Shell,
    },
    /// Write the manual pages of all commands.
    Manual {
        /// Folder to write them to, as loadgen.1, loadgen-im.1 and so on; made when it is absent.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

/// What a run consists of, with its options.
#[derive(Clone, Debug, Subcommand)]
enum FlowCommand {
    /// Instant messages between pairs of signed-in users.
    Im {
        #[command(flatten)]
        common: Common,
        /// Octets of text a message.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(..=65_536))]
        body: u32,
    },
    /// Messages of members of conferences, each followed to every other member.
    ///
    /// The first user of each conference makes it; every member comes in at its focus, follows
    /// the roster and takes up the instant messages, at the pace of --ramp. Then they write in
    /// turn. In a closed loop a message is under way until it is answered and all have it.
    /// Servers limit what one member may write, Mynah to 20 messages a second
    /// (limits.conference_messages_per_second_max): what is beyond that is refused with 503.
    Conference {
        #[command(flatten)]
        common: Common,
        /// Members of each conference, its organiser among them.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(2..=1000))]
        members: u32,
        /// How many conferences.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        conferences: u32,
        /// Octets of text a message.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(..=65_536))]
        body: u32,
        /// Only the organiser follows the roster.
        #[arg(long)]
        no_roster: bool,
        /// How members are told of the roster [default: benotify].
        #[arg(long, value_enum)]
        notify: Option<Notify>,
        /// Members of each conference who come in and then read nothing.
        #[arg(long, value_name = "K", default_value_t = 0)]
        silent: u32,
    },
    /// Connect, sign in, close; or with --refresh: REGISTER on connections that stay.
    Register {
        #[command(flatten)]
        common: Common,
        /// Sign in once and then renew.
        #[arg(long)]
        refresh: bool,
    },
    /// Open connections (with TLS: handshakes) and close them.
    Connect {
        #[command(flatten)]
        common: Common,
    },
    /// Sign in and stay: memory and signs of life.
    Idle {
        #[command(flatten)]
        common: Common,
        /// Users whose presence each user watches; they publish a state once.
        #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1000))]
        contacts: u32,
        /// How watchers are told [default: benotify for ms, notify for simple].
        #[arg(long, value_enum)]
        notify: Option<Notify>,
    },
    /// A population that does what a profile says: sign-ins, presence, talks, all at once.
    ///
    /// Everything is open loop: rates for each user come from the profile, moments and users from
    /// the seed. Contacts and talks stay within a thread.
    Run {
        #[command(flatten)]
        common: Common,
        /// Name of a built-in profile (see loadgen profiles), or a file.
        #[arg(long, value_name = "PROFILE")]
        profile: String,
        /// How much faster than its time users live: multiplies all rates; what goes on at a time
        /// stays as it is.
        #[arg(long, value_parser = rate, conflicts_with = "rate")]
        scale: Option<f64>,
    },
    /// States that users publish, each followed to all who watch him.
    ///
    /// A state that a server merges into the next one of the same user, because that followed
    /// within a second, is counted apart and is no failure. Servers merge what follows within
    /// some 100 ms: keep --rate below 10 for each user. In a closed loop a state is under way
    /// until it is answered and all watchers have it, and its user rests for 120 ms: give a
    /// window's states enough users to be published by.
    Presence {
        #[command(flatten)]
        common: Common,
        /// Users who watch each user.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
        watchers: u32,
        /// How watchers are told [default: benotify for ms, notify for simple].
        #[arg(long, value_enum)]
        notify: Option<Notify>,
        /// What Lync clients publish: the machine's state, or also the one that the user chose,
        /// which the server keeps on disk.
        #[arg(long, value_enum, default_value = "machine")]
        state: StateKind,
    },
}

#[derive(Args, Debug)]
struct Users {
    /// How many users.
    #[arg(long)]
    count: u32,
    /// SIP domain.
    #[arg(long, default_value = "example.test")]
    domain: String,
    /// Password of every user.
    #[arg(long, default_value = "secret")]
    password: String,
    /// User names are this and a seven-digit number.
    #[arg(long, default_value = "user")]
    user_prefix: String,
    /// Form of the list.
    #[arg(long, value_enum, default_value = "csv")]
    format: ListFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ListFormat {
    /// address,password,display name
    Csv,
}

#[derive(Args, Clone, Debug)]
struct Common {
    /// Server.
    #[arg(long, value_name = "HOST:PORT")]
    target: String,
    /// What carries the stream.
    #[arg(long, value_enum, default_value = "tls")]
    transport: Transport,
    /// Kind of client: ms = Lync client, simple = SIMPLE client.
    #[arg(long, value_enum, default_value = "ms")]
    dialect: Dialect,
    /// How endpoints sign in: by Digest, or by NTLM with every message signed (needs --dialect ms).
    /// Users on links are not asked.
    #[arg(long, value_enum, default_value = "digest")]
    auth: Auth,
    /// How many users [default: 100; in conferences their members].
    #[arg(long)]
    users: Option<u32>,
    /// SIP domain of the users.
    #[arg(long, default_value = "example.test")]
    domain: String,
    /// Password of every user.
    #[arg(long, default_value = "secret")]
    password: String,
    /// User names are this and a seven-digit number.
    #[arg(long, default_value = "user")]
    user_prefix: String,
    /// How long is measured.
    #[arg(long, default_value = "10s", value_parser = span)]
    duration: Duration,
    /// Load before the measured time.
    #[arg(long, default_value = "2s", value_parser = span)]
    warmup: Duration,
    /// Open loop: operations a second in all; latency counts from the intended moment.
    #[arg(long, value_name = "N/S", value_parser = rate, conflicts_with = "window")]
    rate: Option<f64>,
    /// Closed loop: operations in flight (im: a pair; presence: states; conference: messages), for
    /// saturation.
    #[arg(long, value_name = "W", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    window: Option<u32>,
    /// How intended moments are spread [default: even; for run poisson].
    #[arg(long, value_enum)]
    arrivals: Option<Arrivals>,
    /// Sign-ins a second while the users come.
    #[arg(long, default_value = "500/s", value_parser = rate)]
    ramp: f64,
    /// Most connections being set up at once.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    handshakes: u32,
    /// How long an answer may take.
    #[arg(long, default_value = "10s", value_parser = span)]
    timeout: Duration,
    /// Generator threads, each on a core of its own while there are enough.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    threads: u32,
    /// Do not pin threads to cores.
    #[arg(long)]
    no_pin: bool,
    /// Same seed, same load.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Source addresses of 127.0.0.0/8 [default: 64 for a loopback target, else none].
    #[arg(long)]
    sources: Option<u32>,
    /// Certificates (PEM) of which the server's must be one, or must chain to one; without it the
    /// certificate is not checked.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Name that the certificate must carry [default: the target's host].
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
    /// Only TLS version offered [default: 1.2 and 1.3].
    #[arg(long, value_enum)]
    tls_version: Option<TlsVersion>,
    /// Registration interval asked for.
    #[arg(long, default_value = "1h", value_parser = span)]
    expires: Duration,
    /// Idle time after which a sign of life is sent, unless the server names another.
    #[arg(long, default_value = "60s", value_parser = span)]
    keep_alive: Duration,
    /// With --auth ntlm: how long keys last until their user makes new ones by a handshake on the same
    /// connection. The Lync client does it 5 minutes before they are 8 hours old.
    #[arg(long, default_value = "475m", value_parser = span)]
    keys_last: Duration,
    /// Server process whose CPU and memory are read, with the processes it started.
    #[arg(long)]
    pid: Option<u32>,
    /// Metrics page of the server (Prometheus text), read once a second.
    #[arg(long, value_name = "URL", value_parser = metrics_url)]
    metrics: Option<String>,
    #[command(flatten)]
    outputs: Outputs,
    /// End early when this holds over 5 seconds, for example 'p99_im_ms > 500',
    /// 'p99_notify_ms > 500' or 'failure_percent > 1'.
    #[arg(long, value_name = "CONDITION")]
    abort: Option<Abort>,
    /// Pass mark that is not the usual one, for example 'p99_im_ms < 250' or
    /// 'server_cpu_percent < 60'.
    #[arg(long, value_name = "MARK")]
    mark: Vec<Limit>,
    /// Pass mark that is not to be judged.
    #[arg(long, value_name = "NAME", value_parser = limits::known)]
    no_mark: Vec<String>,
    /// Failures that still pass: a number or a percentage.
    #[arg(long, default_value = "0")]
    max_failures: MaxFailures,
    /// No live progress.
    #[arg(long)]
    quiet: bool,
    #[command(flatten)]
    links: LinkOptions,
}

impl Common {
    /// How watchers are told, unless the command line says it.
    fn notify(&self, wish: Option<Notify>) -> Notify {
        wish.unwrap_or(match self.dialect {
            Dialect::Ms => Notify::Benotify,
            Dialect::Simple => Notify::Notify,
        })
    }

    /// When conferences of this run may be forgotten, in seconds since 1970.
    fn conference_expiry(&self) -> Result<i64> {
        let end = jiff::Timestamp::now().checked_add(self.warmup + self.duration)?;
        Ok(end.checked_add(CONFERENCE_REST)?.as_second())
    }

    fn settings(self, flow: Flow) -> Result<(Settings, Outputs)> {
        let target = resolve("--target", &self.target)?;
        let host = self.target.rsplit_once(':').map_or("", |(host, _)| host);
        let loopback = target.ip().is_loopback() && target.is_ipv4();
        let load = match (self.rate, self.window) {
            (Some(rate), _) => Load::Rate(rate),
            (None, Some(window)) => Load::Window(window),
            (None, None) if matches!(flow, Flow::Idle { .. }) => Load::Rate(1.0),
            (None, None) => bail!("give --rate N/S (open loop) or --window W (closed loop)"),
        };
        let settings = Settings {
            abort: self.abort,
            arrivals: self.arrivals.unwrap_or(match flow {
                Flow::Profile(_) => Arrivals::Poisson,
                _ => Arrivals::Even,
            }),
            auth: self.auth,
            ca: self.ca,
            command: command_line(std::env::args()),
            dialect: self.dialect,
            domain: self.domain,
            duration: self.duration,
            expires: self.expires,
            flow,
            handshakes: self.handshakes,
            keep_alive: self.keep_alive,
            keys_last: self.keys_last,
            links: self.links.links()?,
            load,
            marks: Limits::new(self.mark, self.no_mark),
            max_failures: self.max_failures,
            metrics: self.metrics,
            password: self.password,
            pid: self.pid,
            pin: !self.no_pin,
            progress: !self.quiet,
            ramp: self.ramp,
            seed: self.seed,
            server_name: self
                .server_name
                .unwrap_or_else(|| host.trim_matches(['[', ']']).to_owned()),
            sources: self.sources.unwrap_or(if loopback { 64 } else { 0 }),
            started_unix_s: jiff::Timestamp::now().as_second(),
            target,
            threads: self.threads,
            timeout: self.timeout,
            tls_version: self.tls_version,
            transport: self.transport,
            user_prefix: self.user_prefix,
            users: self.users.unwrap_or(USERS),
            warmup: self.warmup,
        };
        Ok((settings, self.outputs))
    }
}

/// The address that `option` was given.
pub fn resolve(option: &str, target: &str) -> Result<SocketAddr> {
    let mut found = target
        .to_socket_addrs()
        .with_context(|| format!("{option} {target:?} is not HOST:PORT or is not known"))?;
    found.next().with_context(|| format!("{option} {target:?} has no address"))
}

/// Reads a percentage such as `5%` as a share.
fn percent(text: &str) -> Result<f64, String> {
    match text.strip_suffix('%').unwrap_or(text).trim().parse::<f64>() {
        Ok(percent) if (0.0..=1000.0).contains(&percent) => Ok(percent / 100.0),
        _ => Err(format!("{text:?} is not a percentage such as 5%")),
    }
}

/// Reads the URL of a metrics page.
fn metrics_url(text: &str) -> Result<String, String> {
    match text.strip_prefix("http://") {
        Some(rest) if !rest.is_empty() => Ok(text.to_owned()),
        _ => Err(format!("{text:?} is not a URL such as http://127.0.0.1:9090/metrics")),
    }
}

/// Does what the command line says; says what went wrong in one line.
pub fn main() -> ExitCode {
    match execute(Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAILED),
        Err(error) => {
            eprintln!("loadgen: {error:#}");
            ExitCode::from(UNUSABLE)
        }
    }
}

/// True when the run passed.
fn execute(cli: Cli) -> Result<bool> {
    match cli.command {
        Command::Run(flow) => {
            let (settings, outputs) = flow.settings()?;
            let interrupt = interrupts()?;
            let flow = settings.flow;
            let report = run(settings, &interrupt)?;
            println!("{report}");
            if let Flow::Profile(plan) = flow {
                print(&plan.profile.rates(report.users, plan.scale).to_string())?;
            }
            outputs.write(&report)?;
            Ok(report.passed)
        }
        Command::Search(search) => search.execute(&*interrupts()?),
        Command::Compare(compare) => compare.execute(),
        Command::Plan(plan) => plan.execute(),
        Command::Users(users) => print_users(&users).map(|()| true),
        Command::Profiles => print(&profile::list()).map(|()| true),
        Command::Profile { command } => print(&command.text()?).map(|()| true),
        Command::Completions { shell } => paper::completions(shell).map(|()| true),
        Command::Manual { folder } => paper::manual(&folder).map(|()| true),
    }
}

impl FlowCommand {
    fn common(&mut self) -> &mut Common {
        match self {
            FlowCommand::Im { common, .. }
            | FlowCommand::Conference { common, .. }
            | FlowCommand::Register { common, .. }
            | FlowCommand::Connect { common }
            | FlowCommand::Idle { common, .. }
            | FlowCommand::Run { common, .. }
            | FlowCommand::Presence { common, .. } => common,
        }
    }

    /// True when operations come at their time, whatever the server does.
    fn is_open(&mut self) -> bool {
        self.common().window.is_none()
    }

    /// Another population; the rate stays what it is for each user. It was given for `base` users.
    fn set_users(&mut self, users: u32, base: u32) {
        if let FlowCommand::Conference { members, conferences, .. } = self {
            *conferences = users / *members;
        }
        let common = self.common();
        common.users = Some(users);
        common.rate = common.rate.map(|rate| rate * f64::from(users) / f64::from(base.max(1)));
    }

    /// Another rate.
    fn set_rate(&mut self, rate: f64) {
        match self {
            // The rate of a profile is its scale, unless it was given as that of its only flow.
            FlowCommand::Run { common, scale, .. } if common.rate.is_none() => *scale = Some(rate),
            _ => self.common().rate = Some(rate),
        }
    }

    fn settings(self) -> Result<(Settings, Outputs)> {
        let (common, flow) = match self {
            FlowCommand::Im { common, body } => (common, Flow::Im { body: body as usize }),
            FlowCommand::Register { common, refresh } => (common, Flow::Register { refresh }),
            FlowCommand::Connect { common } => (common, Flow::Connect),
            FlowCommand::Conference {
                mut common,
                members,
                conferences,
                body,
                no_roster,
                notify,
                silent,
            } => {
                let users = members.saturating_mul(conferences);
                if *common.users.get_or_insert(users) != users {
                    bail!("--users is --members times --conferences and need not be given");
                }
                let notify = common.notify(notify);
                let (body, roster) = (body as usize, !no_roster);
                let expiry_unix_s = common.conference_expiry()?;
                (common, Flow::Conference { members, body, roster, notify, silent, expiry_unix_s })
            }
            FlowCommand::Idle { common, contacts, notify } => {
                let notify = common.notify(notify);
                (common, Flow::Idle { contacts, notify })
            }
            FlowCommand::Run { mut common, profile, scale } => {
                let plan = common.plan(&profile, scale)?;
                let rates = plan.profile.rates(common.users.unwrap_or(USERS), plan.scale).all();
                let rate = rates.iter().map(|rate| rate.per_second).sum();
                (common.rate, common.window) = (Some(rate), None);
                (common, Flow::Profile(plan))
            }
            FlowCommand::Presence { common, watchers, notify, state } => {
                let notify = common.notify(notify);
                (common, Flow::Presence { watchers, notify, state })
            }
        };
        common.settings(flow)
    }
}

/// A flag that the first Ctrl-C (or SIGTERM) raises; the second ends the program at once.
fn interrupts() -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        let status = 128 + signal;
        signal_hook::flag::register_conditional_shutdown(signal, status, Arc::clone(&flag))?;
        signal_hook::flag::register(signal, Arc::clone(&flag))?;
    }
    Ok(flag)
}

fn print_users(users: &Users) -> Result<()> {
    let Users { count, domain, password, user_prefix, format: ListFormat::Csv } = users;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let written = write_csv(&mut out, user_prefix, domain, password, *count);
    read_so_far(written.and_then(|()| out.flush()))
}

fn print(text: &str) -> Result<()> {
    read_so_far(std::io::stdout().lock().write_all(text.as_bytes()))
}

/// Who reads only the beginning (head) has what he wants.
fn read_so_far(written: std::io::Result<()>) -> Result<()> {
    match written {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_and_every_option_says_what_it_is() {
        fn look(command: &clap::Command) {
            let name = command.get_bin_name().unwrap_or_default();
            assert!(command.get_about().is_some(), "{name}");
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{name} {}", argument.get_id());
            }
            command.get_subcommands().for_each(look);
        }
        let mut command = Cli::command().disable_help_subcommand(true);
        command.build();
        look(&command);
    }
}
