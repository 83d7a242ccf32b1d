//! Where an attack takes place: the server, the pace, and the attacker's connections.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

use super::pace::Pace;
use crate::outside::endpoint::{Endpoint, credentials};
use crate::outside::server::{DOMAIN, PASSWORD, Server};
use crate::outside::stream::{Message, Stream, client_config, connect_from};

/// Where attackers come from.
pub const FROM: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// How long an attacker waits for a connection.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where an attack takes place.
pub struct Field<'a> {
    /// How fast it goes on.
    pub pace: &'a Pace,
    server: &'a Server,
    config: Arc<ClientConfig>,
}

impl<'a> Field<'a> {
    /// An attack on `server`.
    pub fn new(server: &'a Server, pace: &'a Pace) -> Self {
        Field { pace, server, config: client_config(server) }
    }

    /// Where the server speaks TLS.
    pub fn tls_address(&self) -> SocketAddr {
        self.server.ready.tls
    }

    /// Connects to the TLS port and says nothing.
    pub fn knock(&self) -> io::Result<TcpStream> {
        connect_from(FROM, self.tls_address(), PATIENCE)
    }

    /// Connects over TLS.
    pub fn connect(&self) -> io::Result<Stream> {
        Stream::tls_over(self.knock()?, &self.config, PATIENCE)
    }

    /// Connects as alice, who has not signed in.
    pub fn stranger(&self) -> io::Result<Endpoint> {
        Ok(Endpoint { user: "alice".to_owned(), stream: self.connect()?, cseq: 0 })
    }

    /// Connects and signs in as alice.
    pub fn insider(&self) -> io::Result<Endpoint> {
        let mut alice = self.stranger()?;
        match sign_in(&mut alice, PASSWORD)?.status() {
            200 => Ok(alice),
            status => Err(io::Error::other(format!("{status} to a sign-in"))),
        }
    }

    /// Does something again and again on connections that `open` makes, until it is over; another
    /// connection takes the place of one that fails.
    pub fn again<T>(
        &self,
        open: impl Fn(&Self) -> io::Result<T>,
        mut blow: impl FnMut(&mut T) -> io::Result<()>,
    ) {
        let mut current = None;
        while !self.pace.is_over() {
            let Some(connection) = current.as_mut() else {
                // The server may refuse for a while: that is the point of it.
                current = open(self).ok();
                if current.is_none() && !self.pace.next() {
                    return;
                }
                continue;
            };
            if blow(connection).is_err() {
                current = None;
            }
        }
    }
}

/// Tries to sign in once; the last answer.
pub fn sign_in(endpoint: &mut Endpoint, password: &str) -> io::Result<Message> {
    let contact = format!("Contact: {}\r\n", endpoint.contact());
    let challenge = ask(endpoint, "REGISTER", DOMAIN, &contact)?;
    if challenge.status() != 401 {
        return Ok(challenge);
    }
    let proof = credentials(&challenge, &endpoint.user, password, "REGISTER");
    ask(endpoint, "REGISTER", DOMAIN, &format!("{contact}{proof}"))
}

/// Sends a request without a body and waits for its final answer.
fn ask(endpoint: &mut Endpoint, method: &str, to: &str, lines: &str) -> io::Result<Message> {
    let request = endpoint.request(method, to, lines, "");
    volley(endpoint, [request])?.pop().ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// Sends requests at once and waits for all final answers; what else comes is passed over.
pub fn volley(
    endpoint: &mut Endpoint,
    requests: impl IntoIterator<Item = String>,
) -> io::Result<Vec<Message>> {
    let (mut octets, mut left) = (String::new(), 0);
    for request in requests {
        octets.push_str(&request);
        left += 1;
    }
    endpoint.stream.try_write(octets)?;
    let mut answers = Vec::with_capacity(left);
    while answers.len() < left {
        let message = endpoint.stream.try_message()?;
        if message.method() == "SIP/2.0" && message.status() >= 200 {
            answers.push(message);
        }
    }
    Ok(answers)
}
