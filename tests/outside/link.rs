//! Another server's connection, on which several users speak.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use super::endpoint::Endpoint;
use super::server::{PASSWORD, Server};
use super::stream::{Message, Stream};

/// A link. Its clones are the same link.
#[derive(Clone)]
pub struct Link(Arc<Mutex<Wire>>);

struct Wire {
    stream: Stream,
    /// What came for users who did not read yet.
    waiting: HashMap<String, Vec<u8>>,
    users: u8,
}

impl Link {
    /// Connects with the certificate of the demo.
    pub fn open(server: &Server) -> Self {
        let data = server.data();
        Link::over(Stream::link(server, &data.join("link.pem"), &data.join("link-key.pem")))
    }

    /// Takes a connection made otherwise.
    pub fn over(stream: Stream) -> Self {
        Link(Arc::new(Mutex::new(Wire { stream, waiting: HashMap::new(), users: 0 })))
    }

    /// A user who has not signed in; each says that he is somewhere else.
    pub fn user(&self, user: &str) -> Endpoint {
        let users = &mut self.0.lock().unwrap().users;
        *users += 1;
        let address = SocketAddr::from(([127, 0, 1, *users], 5061));
        Endpoint { user: user.to_owned(), stream: Stream::lane(self, user, address), cseq: 0 }
    }

    /// Signs a user in.
    pub fn sign_in(&self, user: &str) -> Endpoint {
        Endpoint::sign_in(self.user(user).stream, user, PASSWORD)
    }

    /// Writes octets as they are.
    pub fn write(&self, octets: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap().stream.try_write(octets)
    }

    /// Waits until the server closes.
    pub fn end(&self) {
        self.0.lock().unwrap().stream.end();
    }

    /// Waits for a message to `user` and takes all that came for him; what comes for others waits
    /// for them.
    pub fn read_for(&self, user: &str) -> io::Result<Vec<u8>> {
        let Wire { stream, waiting, .. } = &mut *self.0.lock().unwrap();
        loop {
            if let Some(octets) = waiting.remove(user) {
                return Ok(octets);
            }
            let message = stream.try_message()?;
            let octets = waiting.entry(addressee(&message)).or_default();
            octets.extend_from_slice(message.head.as_bytes());
            octets.extend_from_slice(b"\r\n\r\n");
            octets.extend_from_slice(&message.body);
        }
    }
}

/// Whom a message is for: a request says so in its Request-URI, a response in the From of who
/// asked.
fn addressee(message: &Message) -> String {
    let place = match message.method() {
        "SIP/2.0" => message.header("From").unwrap(),
        _ => message.head.lines().next().unwrap(),
    };
    let (_, user) = place.split_once("sip:").unwrap_or_else(|| panic!("{place}"));
    user.split('@').next().unwrap().to_owned()
}
