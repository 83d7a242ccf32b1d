//! Listening sockets that were open before the process, and stay open after it: systemd, or whoever
//! starts the server, holds them and passes them on (sd_listen_fds). Who connects between two
//! processes waits in the backlog and is refused by nobody.

use std::env;
use std::io;
use std::net::{SocketAddr, TcpListener};

use listenfd::ListenFd;
use socket2::SockRef;

/// Names of the descriptors, in their order, with colons between.
const NAMES: &str = "LISTEN_FDNAMES";

/// An inherited descriptor cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InheritError {
    /// It is no listening TCP socket.
    #[error("descriptor {number} that the server was started with: {source}")]
    Socket {
        /// Its place among those passed on, from 0.
        number: usize,
        /// What the system said.
        source: io::Error,
    },
    /// More sockets for the pages than one.
    #[error("more than one socket was passed on for {0}: one is enough")]
    Several(&'static str),
    /// No listener of the configuration is there.
    #[error(
        "a socket on {address} was passed on, and nothing listens there: set an address under \
         [listen] to it, or give the socket the name tls, tcp, http, links or api"
    )]
    Stray {
        /// Where it listens.
        address: SocketAddr,
    },
}

/// The sockets passed on to this process that nobody has taken yet.
#[derive(Debug, Default)]
pub struct Inherited(Vec<Socket>);

#[derive(Debug)]
struct Socket {
    name: String,
    address: SocketAddr,
    listener: TcpListener,
}

impl Inherited {
    /// The sockets that the environment says were passed on; none if it says nothing. To be asked
    /// once, at start.
    ///
    /// # Errors
    /// When a descriptor is no listening TCP socket.
    pub fn from_env() -> Result<Self, InheritError> {
        let mut passed_on = ListenFd::from_env();
        let names = env::var(NAMES).unwrap_or_default();
        let mut names = names.split(':');
        let mut sockets = Vec::with_capacity(passed_on.len());
        for number in 0..passed_on.len() {
            let name = names.next().unwrap_or_default().to_owned();
            let failed = |source| InheritError::Socket { number, source };
            let Some(listener) = passed_on.take_tcp_listener(number).map_err(failed)? else {
                continue;
            };
            let address = prepare(&listener).map_err(failed)?;
            sockets.push(Socket { name, address, listener });
        }
        Ok(Inherited(sockets))
    }

    /// Takes those for the listener `name` of the configuration, on `address`.
    pub fn take(&mut self, name: &str, address: SocketAddr) -> Vec<TcpListener> {
        let is_meant = |socket: &mut Socket| match socket.name.as_str() {
            "tls" | "tcp" | "http" | "links" | "api" => socket.name == name,
            // Named after its unit.
            _ => is_same(socket.address, address),
        };
        self.0.extract_if(.., is_meant).map(|socket| socket.listener).collect()
    }

    /// Says that none is left: who connects to one that nobody accepts from would wait for ever.
    ///
    /// # Errors
    /// When one is.
    pub fn all_taken(&self) -> Result<(), InheritError> {
        match self.0.first() {
            Some(socket) => Err(InheritError::Stray { address: socket.address }),
            None => Ok(()),
        }
    }
}

/// Makes a socket what [`bind`](super::listener::bind) would have made it; where it listens.
fn prepare(listener: &TcpListener) -> io::Result<SocketAddr> {
    // What is accepted inherits it.
    SockRef::from(listener).set_tcp_nodelay(true)?;
    listener.local_addr()
}

/// The unspecified address of IPv6 is that of both families.
fn is_same(socket: SocketAddr, configured: SocketAddr) -> bool {
    let everywhere = socket.ip().is_unspecified() && configured.ip().is_unspecified();
    socket.port() == configured.port() && (everywhere || socket.ip() == configured.ip())
}

/// Deals sockets to as many cores: each socket is some core's, and each core has one. Where there
/// are fewer sockets than cores, cores share one, and whoever has time accepts.
///
/// # Errors
/// When the process has no descriptor left.
pub fn deal(sockets: Vec<TcpListener>, cores: u16) -> io::Result<Vec<Vec<TcpListener>>> {
    let cores = usize::from(cores.max(1));
    let mut dealt: Vec<Vec<TcpListener>> = (0..cores).map(|_| Vec::new()).collect();
    let count = sockets.len();
    for (core, hand) in dealt.iter_mut().enumerate().skip(count) {
        // The remainder is undefined where there is no socket, and then there is nothing to share.
        if let Some(socket) = core.checked_rem(count).and_then(|number| sockets.get(number)) {
            hand.push(socket.try_clone()?);
        }
    }
    for (number, socket) in sockets.into_iter().enumerate() {
        if let Some(hand) = dealt.get_mut(number % cores) {
            hand.push(socket);
        }
    }
    Ok(dealt)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(name: &str) -> Socket {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        Socket { name: name.to_owned(), address, listener }
    }

    #[test]
    fn sockets_are_found_by_name_and_else_by_address() {
        let (named, plain) = (socket("tls"), socket("mynah.socket"));
        let (tls, tcp) = (named.address, plain.address);
        let mut inherited = Inherited(vec![named, plain]);
        assert!(inherited.take("http", "127.0.0.1:9".parse().unwrap()).is_empty());
        // Its name counts for more than where it is.
        assert!(inherited.take("tcp", tls).is_empty());
        assert_eq!(inherited.take("tls", "0.0.0.0:5061".parse().unwrap()).len(), 1);
        let stray = inherited.all_taken().unwrap_err().to_string();
        assert!(stray.starts_with(&format!("a socket on {tcp} was passed on")), "{stray}");
        assert_eq!(inherited.take("tcp", tcp).len(), 1);
        inherited.all_taken().unwrap();
    }

    #[test]
    fn everywhere_is_everywhere_in_either_family() {
        let same = |a: &str, b: &str| is_same(a.parse().unwrap(), b.parse().unwrap());
        assert!(same("[::]:5061", "0.0.0.0:5061"));
        assert!(!same("[::]:5061", "0.0.0.0:5062"));
        assert!(!same("[::]:5061", "127.0.0.1:5061"));
        assert!(!same("127.0.0.1:5061", "0.0.0.0:5061"));
    }

    #[test]
    fn every_socket_has_a_core_and_every_core_a_socket() {
        for (sockets, cores, expected) in [
            (1, 1, vec![1]),
            (1, 3, vec![1, 1, 1]),
            (2, 3, vec![1, 1, 1]),
            (3, 2, vec![2, 1]),
            (0, 2, vec![0, 0]),
        ] {
            let given = (0..sockets).map(|_| socket("").listener).collect();
            let hands: Vec<usize> = deal(given, cores).unwrap().iter().map(Vec::len).collect();
            assert_eq!(hands, expected, "{sockets} for {cores}");
        }
    }
}
