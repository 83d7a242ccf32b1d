//! Why a test failed, in one line with what to do about it.

use std::io;
use std::time::Duration;

use crate::cli::host_port::HostPort;
use crate::cli::text::told;

/// Why a test failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No connection.
    #[error("no connection: {0}")]
    Connect(String),
    /// No TLS.
    #[error("no TLS: {0}")]
    Tls(String),
    /// The password was not taken.
    #[error("{user} cannot sign in: {status} {reason}")]
    SignIn {
        /// Who.
        user: String,
        /// The status of the answer.
        status: u16,
        /// What the server says.
        reason: String,
    },
    /// The server offers no way to sign in that this client knows.
    #[error("{0} is asked for no password by Digest")]
    NoDigest(String),
    /// Any other request was refused.
    #[error("{method} of {user} was refused: {status} {reason}")]
    Refused {
        /// Whose request.
        user: String,
        /// What was asked.
        method: &'static str,
        /// The status of the answer.
        status: u16,
        /// What the server says.
        reason: String,
    },
    /// Something did not come.
    #[error("{what} did not come to {user} within {timeout:?}")]
    Silent {
        /// To whom.
        user: String,
        /// What.
        what: &'static str,
        /// How long it was waited for.
        timeout: Duration,
    },
    /// The connection ended.
    #[error("the server ended the connection of {0}")]
    Ended(String),
    /// The connection broke.
    #[error("the connection of {0} broke: {1}")]
    Broken(String, io::Error),
    /// What came is not SIP.
    #[error("what came to {0} is not SIP")]
    NotSip(String),
    /// It went well, and took too long.
    #[error("slow: {name} took {took:?}, more than {slow:?}")]
    Slow {
        /// Which step.
        name: &'static str,
        /// How long it took.
        took: Duration,
        /// How long it may take.
        slow: Duration,
    },
}

impl Failure {
    /// An error of the connection.
    pub fn connect(error: &anyhow::Error) -> Self {
        Failure::Connect(told(error))
    }

    /// An error of the handshake.
    pub fn tls(error: &anyhow::Error) -> Self {
        Failure::Tls(told(error))
    }

    /// What is wrong, and what to do.
    pub fn diagnosis(&self, server: &HostPort) -> String {
        let advice = match self {
            Failure::Connect(_) => {
                "does the server run, and does a firewall stand between?".to_owned()
            }
            Failure::Tls(_) => format!("`mynah doctor --tls {server}` looks at the certificate"),
            Failure::SignIn { user, .. } => {
                format!("on the server, `mynah doctor {user}` says why")
            }
            Failure::NoDigest(_) => "auth.standard must hold \"digest\"".to_owned(),
            Failure::Refused { user, .. } => {
                format!("on the server, `mynah doctor {user}` says why")
            }
            Failure::Silent { .. } => {
                "on the server, `mynah status` says how it does, and `mynah trace` shows what was \
                 sent"
                    .to_owned()
            }
            Failure::Ended(_) | Failure::Broken(..) => {
                "does the server go down? Its log says why it closed the connection".to_owned()
            }
            Failure::NotSip(_) => format!("is {server} a SIP server?"),
            Failure::Slow { .. } => "`mynah status` shows what the server is busy with".to_owned(),
        };
        format!("{self}: {advice}")
    }
}
