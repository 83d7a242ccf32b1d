//! What one run is to do: plain values, made by the command line and read by everything below.

use crate::abort::Abort;
use crate::pacer::Arrivals;
use crate::profile::Profile;
use crate::report::limits::Limits;
use serde::{Serialize, Serializer};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Which kind of client the endpoints are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// The Lync client: Digest 407 or 401, or NTLM; GRUU, INVITE sessions.
    Ms,
    /// A SIMPLE client: Digest 401 or 407, pager-mode MESSAGE.
    Simple,
}

/// How endpoints prove who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Auth {
    /// By Digest.
    Digest,
    /// By NTLM, after which every message in both directions is signed: Lync clients alone.
    Ntlm,
}

/// What carries the SIP stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TLS over TCP.
    Tls,
    /// Plain TCP.
    Tcp,
}

/// Newest TLS version that is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize)]
pub enum TlsVersion {
    /// TLS 1.2 only.
    #[value(name = "1.2")]
    #[serde(rename = "1.2")]
    Tls12,
    /// TLS 1.3 only.
    #[value(name = "1.3")]
    #[serde(rename = "1.3")]
    Tls13,
}

/// How operations follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Load {
    /// Open loop: so many operations a second in all, whatever the server does. Latency counts
    /// from the intended moment.
    Rate(f64),
    /// Closed loop: so many operations in flight (for `im`: a pair; for `presence`: states not
    /// seen by all who watch; for `conference`: messages that not all members have), the next
    /// when one ends.
    /// Latency counts from the sending; for finding saturation.
    Window(u32),
}

/// The single flow that a run consists of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase", tag = "flow")]
pub enum Flow {
    /// Conferences whose members write to each other.
    Conference {
        /// Members of each conference: users that follow each other, the first one its organiser.
        members: u32,
        /// Octets of text a message.
        body: usize,
        /// Whether every member follows the roster, or the organiser alone.
        roster: bool,
        /// How members are told of the roster.
        notify: Notify,
        /// Members of each conference, the last ones, who come in and then read nothing.
        silent: u32,
        /// When the conferences may be forgotten, in seconds since 1970.
        expiry_unix_s: i64,
    },
    /// A population that does what a profile says.
    Profile(&'static Plan),
    /// Open connections (with TLS: handshakes) and close them.
    Connect,
    /// Sign in and stay.
    Idle {
        /// Users whose presence each user watches.
        contacts: u32,
        /// How watchers are told.
        notify: Notify,
    },
    /// Instant messages between pairs of signed-in users.
    Im {
        /// Octets of text a message.
        body: usize,
    },
    /// States that users publish and others watch.
    Presence {
        /// Users who watch each user.
        watchers: u32,
        /// How watchers are told.
        notify: Notify,
        /// What Lync clients publish.
        state: StateKind,
    },
    /// REGISTER.
    Register {
        /// Refresh the registration on a connection that stays, rather than connect, sign in and
        /// close each time.
        refresh: bool,
    },
}

impl Flow {
    /// Name in reports and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Flow::Conference { .. } => "conference",
            Flow::Connect => "connect",
            Flow::Idle { .. } => "idle",
            Flow::Im { .. } => "im",
            Flow::Presence { .. } => "presence",
            Flow::Profile(plan) => &plan.profile.name,
            Flow::Register { .. } => "register",
        }
    }
}

/// A profile and how fast it is gone through. There is one for a program: it lives as long.
#[derive(Debug, PartialEq, Serialize)]
pub struct Plan {
    /// What users do.
    pub profile: Profile,
    /// How much faster than its time they are.
    pub scale: f64,
    /// When the conferences may be forgotten, in seconds since 1970.
    #[serde(skip)]
    pub expiry_unix_s: i64,
}

/// How watchers are told of a new state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Notify {
    /// BENOTIFY, which is not answered.
    Benotify,
    /// NOTIFY, answered 200.
    Notify,
}

/// The state that a Lync client publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StateKind {
    /// That of the machine, which ends with the connection.
    Machine,
    /// That which the user chose, which the server keeps, along with that of the machine.
    User,
}

/// How many failures a run may have and still pass.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MaxFailures {
    /// So many.
    Count(u64),
    /// So many of a hundred operations.
    Percent(f64),
}

impl MaxFailures {
    /// True when `failed` of `all` operations are too many.
    pub fn exceeded(self, failed: u64, all: u64) -> bool {
        match self {
            MaxFailures::Count(most) => failed > most,
            MaxFailures::Percent(most) => failed as f64 > all as f64 * most / 100.0,
        }
    }
}

impl FromStr for MaxFailures {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is neither a number (5) nor a percentage (0.1%)");
        match text.strip_suffix('%') {
            Some(percent) => match percent.trim().parse::<f64>() {
                Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Self::Percent(percent)),
                _ => Err(wrong()),
            },
            None => text.parse().map(Self::Count).map_err(|_| wrong()),
        }
    }
}

/// Connections that many users share, as those of an Edge do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Links {
    /// Certificate chain (PEM) that the server is shown.
    pub cert: PathBuf,
    /// How many, all threads together: as many for each.
    pub count: u32,
    /// Private key (PEM) of the certificate.
    pub key: PathBuf,
    /// Where the server takes links.
    pub target: SocketAddr,
    /// Users on each.
    pub users_per_link: u32,
}

/// One run.
#[derive(Clone, Debug, Serialize)]
pub struct Settings {
    /// What ends the run early, when given.
    pub abort: Option<Abort>,
    /// How intended moments are spread.
    pub arrivals: Arrivals,
    /// How endpoints prove who they are.
    pub auth: Auth,
    /// The command line without its password, for the report.
    #[serde(skip)]
    pub command: Vec<String>,
    /// Certificates (PEM) of which the server's must be one, or must chain to one; without it the
    /// certificate is not checked.
    pub ca: Option<PathBuf>,
    /// Kind of client.
    pub dialect: Dialect,
    /// SIP domain of the users.
    pub domain: String,
    /// How long is measured.
    #[serde(rename = "duration_s", serialize_with = "seconds")]
    pub duration: Duration,
    /// Registration interval asked for.
    #[serde(rename = "expires_s", serialize_with = "seconds")]
    pub expires: Duration,
    /// The flow.
    pub flow: Flow,
    /// Most connections being set up at once, all threads together.
    pub handshakes: u32,
    /// Idle time after which CRLF CRLF is sent, unless the server names another.
    #[serde(rename = "keep_alive_s", serialize_with = "seconds")]
    pub keep_alive: Duration,
    /// How long keys of signatures last before new ones are made.
    #[serde(rename = "keys_last_s", serialize_with = "seconds")]
    pub keys_last: Duration,
    /// Connections that users share; users beyond theirs have one each.
    pub links: Option<Links>,
    /// How operations follow each other.
    pub load: Load,
    /// Pass marks that are not the usual ones.
    pub marks: Limits,
    /// Failures that still pass.
    pub max_failures: MaxFailures,
    /// Metrics page of the server, an `http://` URL.
    pub metrics: Option<String>,
    /// Password of every user.
    #[serde(skip)]
    pub password: String,
    /// Server process whose CPU and memory are read.
    pub pid: Option<u32>,
    /// Whether threads are pinned to cores.
    pub pin: bool,
    /// Whether live progress is shown on standard error.
    pub progress: bool,
    /// Sign-ins a second while the users come.
    pub ramp: f64,
    /// What makes the schedule; the same seed gives the same load.
    pub seed: u64,
    /// Name that the server's certificate must carry and that is sent as SNI.
    pub server_name: String,
    /// How many source addresses of 127.0.0.0/8 are used; 0 leaves the choice to the system.
    pub sources: u32,
    /// When the run begins, in seconds since 1970: NTLM tells it to a server that tells no time.
    pub started_unix_s: i64,
    /// Where to.
    pub target: SocketAddr,
    /// Generator threads.
    pub threads: u32,
    /// How long an answer may take.
    #[serde(rename = "timeout_s", serialize_with = "seconds")]
    pub timeout: Duration,
    /// Only TLS version offered; both when `None`.
    pub tls_version: Option<TlsVersion>,
    /// What carries the stream.
    pub transport: Transport,
    /// User names are this and a seven-digit number.
    pub user_prefix: String,
    /// How many users.
    pub users: u32,
    /// Load before the measured window.
    #[serde(rename = "warmup_s", serialize_with = "seconds")]
    pub warmup: Duration,
}

impl Settings {
    /// A small run against `target`: two users, one thread, plain TCP, ten messages a second for a
    /// second.
    pub fn new(target: SocketAddr) -> Settings {
        Settings {
            abort: None,
            arrivals: Arrivals::Even,
            auth: Auth::Digest,
            command: Vec::new(),
            ca: None,
            dialect: Dialect::Simple,
            domain: "example.test".to_owned(),
            duration: Duration::from_secs(1),
            expires: Duration::from_secs(3600),
            flow: Flow::Im { body: 100 },
            handshakes: 64,
            keep_alive: Duration::from_secs(60),
            keys_last: Duration::from_secs(8 * 3600 - 300),
            links: None,
            load: Load::Rate(10.0),
            marks: Limits::default(),
            max_failures: MaxFailures::Count(0),
            metrics: None,
            password: "secret".to_owned(),
            pid: None,
            pin: false,
            progress: false,
            ramp: 1000.0,
            seed: 1,
            server_name: target.ip().to_string(),
            sources: 0,
            started_unix_s: 0,
            target,
            threads: 1,
            timeout: Duration::from_secs(10),
            tls_version: None,
            transport: Transport::Tcp,
            user_prefix: "user".to_owned(),
            users: 2,
            warmup: Duration::ZERO,
        }
    }

    /// How many users stay together in one thread.
    pub fn group(&self) -> u32 {
        match self.flow {
            Flow::Conference { members, .. } => members.max(1),
            _ => 2,
        }
    }

    /// True for a member of a conference who reads nothing once he is in.
    pub fn is_silent(&self, number: u32) -> bool {
        match self.flow {
            Flow::Conference { members, silent, .. } => {
                number % members.max(1) >= members.saturating_sub(silent)
            }
            _ => false,
        }
    }

    /// True when every user signs in once, and reads what he is sent: not all flows let users share
    /// a connection.
    pub fn users_stay(&self) -> bool {
        match self.flow {
            Flow::Connect | Flow::Register { refresh: false } => false,
            Flow::Conference { silent, .. } => silent == 0,
            Flow::Profile(plan) => plan.profile.registration.returns_per_hour <= 0.0,
            Flow::Idle { .. }
            | Flow::Im { .. }
            | Flow::Presence { .. }
            | Flow::Register { refresh: true } => true,
        }
    }

    /// How many connections the users have, those they share and those of their own.
    pub fn connections(&self) -> u32 {
        let (links, shared) = self
            .links
            .as_ref()
            .map_or((0, 0), |l| (l.count, l.count.saturating_mul(l.users_per_link)));
        self.users.saturating_sub(shared).saturating_add(links)
    }

    /// Source address of user `number`.
    pub fn source(&self, number: u32) -> Option<IpAddr> {
        if self.sources == 0 {
            return None;
        }
        // 127.0.0.2 onwards; the last octet stays within 1..=254.
        let at = number % self.sources + 1;
        let [second, third, fourth] = [at / 254 / 254 % 254, at / 254 % 254, at % 254 + 1];
        Some(IpAddr::V4(Ipv4Addr::new(127, second as u8, third as u8, fourth as u8)))
    }
}

fn seconds<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(span.as_secs_f64())
}

/// Reads a span of time: `500ms`, `30s`, `5m`, `2h`, or seconds without a unit.
///
/// # Errors
/// Says what is accepted.
pub fn span(text: &str) -> Result<Duration, String> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let seconds = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("{text:?}: the unit is ms, s, m or h")),
    };
    match number.trim().parse::<f64>() {
        Ok(value) if (0.0..=1e7).contains(&value) => Ok(Duration::from_secs_f64(value * seconds)),
        _ => Err(format!("{text:?} is not a span of time such as 500ms, 30s or 5m")),
    }
}

/// Reads a rate: operations a second, with or without `/s`.
///
/// # Errors
/// Says what is accepted.
pub fn rate(text: &str) -> Result<f64, String> {
    match text.strip_suffix("/s").unwrap_or(text).trim().parse::<f64>() {
        Ok(value) if value > 0.0 && value <= 1e7 => Ok(value),
        _ => Err(format!("{text:?} is not a rate above 0 such as 500 or 0.5/s")),
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Transport::Tls => "tls",
            Transport::Tcp => "tcp",
        })
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Dialect::Ms => "ms",
            Dialect::Simple => "simple",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn source_addresses_are_as_many_as_asked_for_and_stay_on_loopback() {
        let mut settings = Settings::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 5060)));
        assert_eq!(settings.source(7), None);
        for sources in [1, 64, 600] {
            settings.sources = sources;
            let used: HashSet<_> = (0..2000).filter_map(|user| settings.source(user)).collect();
            assert_eq!(used.len(), sources as usize);
            assert!(used.iter().all(|ip| ip.is_loopback() && !ip.to_string().ends_with(".255")));
        }
    }

    #[test]
    fn spans_and_rates_have_units() {
        assert_eq!(span("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(span("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(span("10"), Ok(Duration::from_secs(10)));
        for wrong in ["", "s", "-1s", "5 days", "1e99h", "nan"] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
        assert_eq!(rate("200/s"), Ok(200.0));
        for wrong in ["0", "-3", "x", "inf", "nan", "1e9"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn failures_are_a_count_or_a_share() {
        assert!(!MaxFailures::from_str("5").unwrap().exceeded(5, 10));
        assert!(MaxFailures::from_str("5").unwrap().exceeded(6, 10));
        assert!(!MaxFailures::from_str("0.1%").unwrap().exceeded(1, 1000));
        assert!(MaxFailures::from_str("0.1%").unwrap().exceeded(2, 1000));
        assert!(!MaxFailures::from_str("0").unwrap().exceeded(0, 0));
        for wrong in ["", "-1", "101%", "x%"] {
            assert!(MaxFailures::from_str(wrong).is_err(), "{wrong}");
        }
    }
}
