//! Why a directory service was no help.

use std::error::Error;

use ldap3::LdapError;

use crate::metrics::ldap::LdapAlarm;

/// Result codes of RFC 4511 appendix A by which a server says that it cannot answer now.
const BUSY: [u32; 3] = [3, 51, 52];

/// A question that was not answered. One line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct Fault {
    /// What kind, and so what to do.
    pub alarm: LdapAlarm,
    /// The server, or the file.
    pub place: String,
    /// What was said.
    pub what: String,
}

/// What was under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Connect,
    Bind,
    Search,
}

impl Fault {
    /// The server at `url` did not answer in time.
    pub fn late(url: &str, step: Step) -> Self {
        let what = match step {
            Step::Connect => "no connection in time",
            Step::Bind => "no answer to the bind in time",
            Step::Search => "no answer to the search in time",
        };
        Fault { alarm: LdapAlarm::Timeout, place: url.to_owned(), what: what.to_owned() }
    }

    /// What became of a step.
    pub fn of(url: &str, step: Step, error: &LdapError) -> Self {
        if let LdapError::Timeout { .. } = error {
            return Fault::late(url, step);
        }
        let alarm = match (error, step) {
            (LdapError::LdapResult { result }, _) if BUSY.contains(&result.rc) => {
                LdapAlarm::Unreachable
            }
            (LdapError::LdapResult { .. }, Step::Connect) => LdapAlarm::Tls,
            (LdapError::LdapResult { .. }, Step::Bind) => LdapAlarm::Bind,
            (LdapError::LdapResult { .. }, Step::Search) => LdapAlarm::Search,
            (LdapError::FilterParsing, _) => LdapAlarm::Search,
            (LdapError::Io { .. }, _) if is_of_tls(error) => LdapAlarm::Tls,
            (LdapError::Rustls { .. } | LdapError::DNSName { .. }, _) => LdapAlarm::Tls,
            (
                LdapError::Io { .. }
                | LdapError::OpSend { .. }
                | LdapError::ResultRecv { .. }
                | LdapError::EndOfStream,
                _,
            ) => LdapAlarm::Unreachable,
            (_, _) => LdapAlarm::Protocol,
        };
        let what = match error {
            LdapError::LdapResult { result } => result.to_string(),
            LdapError::Io { source } => source.to_string(),
            LdapError::OpSend { .. } | LdapError::ResultRecv { .. } | LdapError::EndOfStream => {
                "the connection has ended".to_owned()
            }
            error => error.to_string(),
        };
        Fault { alarm, place: url.to_owned(), what }
    }

    /// A file, or what is in it, cannot be used.
    pub fn setup(place: impl std::fmt::Display, what: impl std::fmt::Display) -> Self {
        let (place, what) = (place.to_string(), what.to_string());
        Fault { alarm: LdapAlarm::Setup, place, what }
    }
}

fn is_of_tls(error: &LdapError) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if error.is::<rustls::Error>() || inner.is_some_and(|inner| inner.is::<rustls::Error>()) {
            return true;
        }
        cause = error.source();
    }
    false
}
