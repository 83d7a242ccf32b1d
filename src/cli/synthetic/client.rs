//! A standard SIP client of the fewest lines that do what a user does: one connection over TLS,
//! one thing at a time. It is not part of the server and shares nothing with a running one.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rustls::RootCertStore;
use rustls::pki_types::ServerName;

use super::Steps;
use super::failure::Failure;
use super::proof::{self, Answer};
use super::transaction::Party;
use crate::base::limits::Limits;
use crate::cli::host_port::HostPort;
use crate::cli::tls_client::{Stream, handshake};
use crate::wire::sip::write::response;
use crate::wire::sip::{Framed, Framer, Head, HeaderName, Message, Method};

/// What the client calls itself, by which records and traces tell it from users.
const USER_AGENT: &str = concat!("Mynah-test/", env!("CARGO_PKG_VERSION"));
/// Octets of one read.
const READ: usize = 16 * 1024;
/// Most messages that wait while another is looked for.
const WAITING_MAX: usize = 1024;

/// Where the server is, and how long it is waited for.
pub struct Way {
    /// Its address.
    pub server: HostPort,
    /// The name that its certificate must be for.
    pub name: ServerName<'static>,
    /// Whom the client trusts.
    pub roots: RootCertStore,
    /// For any one thing.
    pub timeout: Duration,
}

/// A message that came.
pub struct Received {
    octets: Vec<u8>,
    head: Box<Head>,
}

impl Received {
    /// The message.
    pub fn message(&self) -> Message<'_> {
        Message::new(&self.octets, &self.head)
    }

    /// True when its body has `mark` in it.
    pub fn has(&self, mark: &str) -> bool {
        memchr::memmem::find(self.message().body(), mark.as_bytes()).is_some()
    }

    /// Why it refuses: what the server says of it, or else the reason phrase.
    fn reason(&self) -> String {
        let message = self.message();
        let warning = message.header(HeaderName::Warning);
        let text = String::from_utf8_lossy(warning.unwrap_or(message.reason()));
        let said = text.split('"').nth(1).unwrap_or(&text);
        said.to_owned()
    }
}

/// A user's client.
pub struct Client {
    user: String,
    domain: String,
    stream: Stream,
    local: SocketAddr,
    timeout: Duration,
    /// Makes identifiers that nobody else has.
    stem: String,
    cseq: u32,
    limits: Limits,
    framer: Framer,
    unread: Vec<u8>,
    waiting: VecDeque<Received>,
}

impl Client {
    /// Connects, and signs `party` in.
    pub fn sign_in(steps: &mut Steps, way: &Way, party: &Party) -> Result<Client, Failure> {
        let Way { server, name, roots, timeout } = way;
        let stream = steps.step("connect", || {
            server.connect(*timeout).map_err(|error| Failure::connect(&error))
        })?;
        let stream = steps.step("TLS", || {
            handshake(stream, name.clone(), roots.clone(), None)
                .map_err(|error| Failure::tls(&error))
        })?;
        let user = party.user.to_string();
        let local = stream.sock.local_addr();
        let mut client = Client {
            local: local.map_err(|error| Failure::Broken(user.clone(), error))?,
            user,
            domain: party.user.domain().to_owned(),
            stream,
            timeout: *timeout,
            stem: format!("{:016x}", rand::random::<u64>()),
            cseq: 0,
            limits: Limits::default(),
            framer: Framer::new(),
            unread: Vec::new(),
            waiting: VecDeque::new(),
        };
        steps.step("sign in", || client.register(party))?;
        Ok(client)
    }

    /// Who it is.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Ends the registration.
    pub fn sign_off(mut self) -> Result<(), Failure> {
        let uri = format!("sip:{}", self.domain);
        let lines = format!("Contact: {}\r\nExpires: 0\r\n", self.contact());
        let to = self.user.clone();
        self.ask("REGISTER", &uri, &to, &lines, "").map(drop)
    }

    fn register(&mut self, party: &Party) -> Result<(), Failure> {
        let uri = format!("sip:{}", self.domain);
        let contact = format!("Contact: {}\r\nExpires: 300\r\n", self.contact());
        let to = self.user.clone();
        let challenged = self.send_and_wait("REGISTER", &uri, &to, &contact, "")?;
        let answer = Answer {
            login: &party.login,
            password: &party.password,
            method: "REGISTER",
            uri: &uri,
            cnonce: &self.stem.clone(),
        };
        let answered = match challenged.message().status() {
            401 | 407 => {
                let credentials = proof::line(challenged.message(), &answer)
                    .ok_or_else(|| Failure::NoDigest(self.user.clone()))?;
                let lines = format!("{contact}{credentials}");
                self.send_and_wait("REGISTER", &uri, &to, &lines, "")?
            }
            _ => challenged,
        };
        match answered.message().status() {
            200 => Ok(()),
            status @ (401 | 407) => Err(Failure::SignIn {
                user: self.user.clone(),
                status,
                reason: "the user name or the password is wrong".to_owned(),
            }),
            status => {
                let (user, reason) = (self.user.clone(), answered.reason());
                Err(Failure::SignIn { user, status, reason })
            }
        }
    }

    /// Where requests for it go; the server uses the connection anyway.
    pub fn contact(&self) -> String {
        let user = self.user.split('@').next().unwrap_or_default();
        format!("<sip:{user}@{};transport=tls>", self.local)
    }

    /// Sends a request and waits for its final answer, which must be good.
    pub fn ask(
        &mut self,
        method: &'static str,
        uri: &str,
        to: &str,
        lines: &str,
        body: &str,
    ) -> Result<Received, Failure> {
        let cseq = self.send(method, uri, to, lines, body)?;
        self.good_answer_to(method, cseq)
    }

    /// Waits for the final answer to a request, which must be good.
    pub fn good_answer_to(&mut self, method: &'static str, cseq: u32) -> Result<Received, Failure> {
        let answer = self.answer_to(method, cseq)?;
        match answer.message().status() {
            200..300 => Ok(answer),
            status => Err(Failure::Refused {
                user: self.user.clone(),
                method,
                status,
                reason: answer.reason(),
            }),
        }
    }

    fn send_and_wait(
        &mut self,
        method: &'static str,
        uri: &str,
        to: &str,
        lines: &str,
        body: &str,
    ) -> Result<Received, Failure> {
        let cseq = self.send(method, uri, to, lines, body)?;
        self.answer_to(method, cseq)
    }

    /// Sends a request; its number.
    pub fn send(
        &mut self,
        method: &'static str,
        uri: &str,
        to: &str,
        lines: &str,
        body: &str,
    ) -> Result<u32, Failure> {
        self.cseq += 1;
        let Client { cseq, stem, user, local, .. } = &*self;
        let request = format!(
            "{method} {uri} SIP/2.0\r\n\
             Via: SIP/2.0/TLS {local};branch=z9hG4bK{stem}{cseq}\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:{user}>;tag={stem}\r\n\
             To: <sip:{to}>\r\n\
             Call-ID: {stem}{cseq}\r\n\
             CSeq: {cseq} {method}\r\n\
             User-Agent: {USER_AGENT}\r\n\
             {lines}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let cseq = *cseq;
        self.write(request.as_bytes())?;
        Ok(cseq)
    }

    fn answer_to(&mut self, method: &'static str, cseq: u32) -> Result<Received, Failure> {
        self.wait("the answer", |message| {
            !message.is_request()
                && message.status() >= 200
                && message
                    .cseq()
                    .is_ok_and(|own| own.number == cseq && own.method == method.as_bytes())
        })
    }

    /// Waits for a request of `method` that is `wanted`; others of the method are passed over.
    pub fn hear(
        &mut self,
        what: &'static str,
        method: &str,
        wanted: impl Fn(&Received) -> bool,
    ) -> Result<(), Failure> {
        let until = Instant::now() + self.timeout;
        loop {
            let request = self.wait_until(until, what, |message| {
                message.is_request() && message.method_text() == method.as_bytes()
            })?;
            if wanted(&request) {
                return Ok(());
            }
        }
    }

    /// Answers a request, whatever it says, as soon as it comes.
    fn accept(&mut self, received: &Received) -> Result<(), Failure> {
        let message = received.message();
        if !message.is_request() || message.method() == Method::Ack {
            return Ok(());
        }
        let mut answer = BytesMut::new();
        response(&mut answer, message, 200, Some(self.stem.as_bytes()), None).finish();
        self.write(&answer)
    }

    fn wait(
        &mut self,
        what: &'static str,
        wanted: impl Fn(Message<'_>) -> bool,
    ) -> Result<Received, Failure> {
        self.wait_until(Instant::now() + self.timeout, what, wanted)
    }

    /// The first message that is `wanted`; others wait.
    fn wait_until(
        &mut self,
        until: Instant,
        what: &'static str,
        wanted: impl Fn(Message<'_>) -> bool,
    ) -> Result<Received, Failure> {
        loop {
            let found = self.waiting.iter().position(|received| wanted(received.message()));
            if let Some(received) = found.and_then(|at| self.waiting.remove(at)) {
                return Ok(received);
            }
            self.read(until, what)?;
        }
    }

    fn read(&mut self, until: Instant, what: &'static str) -> Result<(), Failure> {
        let silent = |client: &Client| Failure::Silent {
            user: client.user.clone(),
            what,
            timeout: client.timeout,
        };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(silent(self));
        }
        let broken = |client: &Client, error| Failure::Broken(client.user.clone(), error);
        let limited = self.stream.sock.set_read_timeout(Some(left));
        limited.map_err(|error| broken(self, error))?;
        let mut octets = [0; READ];
        match self.stream.read(&mut octets) {
            Ok(0) => return Err(Failure::Ended(self.user.clone())),
            Ok(len) => self.unread.extend_from_slice(octets.get(..len).unwrap_or_default()),
            Err(error) => {
                return match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Err(silent(self)),
                    io::ErrorKind::Interrupted => Ok(()),
                    io::ErrorKind::UnexpectedEof => Err(Failure::Ended(self.user.clone())),
                    _ => Err(broken(self, error)),
                };
            }
        }
        self.frame()
    }

    fn frame(&mut self) -> Result<(), Failure> {
        let mut head = Box::<Head>::default();
        loop {
            if self.unread.is_empty() || self.waiting.len() >= WAITING_MAX {
                return Ok(());
            }
            let framed = self.framer.next(&self.unread, &self.limits, &mut head);
            match framed.map_err(|_| Failure::NotSip(self.user.clone()))? {
                Framed::Incomplete => return Ok(()),
                Framed::KeepAlive { consumed, .. } => drop(self.unread.drain(..consumed)),
                Framed::Message { len } => {
                    let octets = self.unread.drain(..len).collect();
                    let received = Received { octets, head: std::mem::take(&mut head) };
                    self.accept(&received)?;
                    self.waiting.push_back(received);
                }
                Framed::Malformed { .. } => return Err(Failure::NotSip(self.user.clone())),
            }
        }
    }

    fn write(&mut self, octets: &[u8]) -> Result<(), Failure> {
        let written = self.stream.write_all(octets).and_then(|()| self.stream.flush());
        written.map_err(|error| Failure::Broken(self.user.clone(), error))
    }
}
