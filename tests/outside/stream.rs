//! A bare connection to the server, over TCP or TLS: octets out, messages in.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::client::WantsClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, ConfigBuilder, RootCertStore, StreamOwned};
use socket2::{Domain, Socket, Type};

use super::PATIENCE;
use super::link::Link;
use super::server::Server;

/// How long a look for what has come waits for it.
const GLANCE: Duration = Duration::from_millis(1);

/// A connection.
pub struct Stream {
    carrier: Carrier,
    /// Octets that came and were not looked at.
    read: Vec<u8>,
    ended: bool,
}

enum Carrier {
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    /// A user's share of a link, and where he says he is.
    Lane(Link, String, SocketAddr),
}

/// A whole SIP message as it came.
#[derive(Clone, Debug)]
pub struct Message {
    /// Start line and headers, without the empty line.
    pub head: String,
    pub body: Vec<u8>,
}

impl Stream {
    /// Connects over plain TCP.
    pub fn tcp(server: &Server) -> Self {
        Stream::of(Carrier::Tcp(connect(server.ready.tcp)))
    }

    /// Connects over TLS and shakes hands.
    pub fn tls(server: &Server) -> Self {
        let stream = handshake(server.ready.tls, &server.trusted()).unwrap();
        Stream::of(Carrier::Tls(Box::new(stream)))
    }

    /// Shakes hands on a connection; an error when the server does not want it in this time.
    pub fn tls_over(
        stream: TcpStream,
        config: &Arc<ClientConfig>,
        patience: Duration,
    ) -> io::Result<Self> {
        stream.set_read_timeout(Some(patience))?;
        let mut stream = StreamOwned::new(connection(Arc::clone(config)), stream);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Stream::of(Carrier::Tls(Box::new(stream))))
    }

    /// Whether a client that trusts the certificate in `file` alone can shake hands.
    pub fn trusts(server: &Server, file: &Path) -> bool {
        handshake(server.ready.tls, file).is_ok()
    }

    /// Connects as another server that carries users, whose certificate and key are the files.
    /// A server that does not take it says so when something is read.
    pub fn link(server: &Server, chain: &Path, key: &Path) -> Self {
        let chain = certificates(chain);
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        Stream::to_links(server, |builder| builder.with_client_auth_cert(chain, key).unwrap())
    }

    /// The same without a certificate.
    pub fn link_without_certificate(server: &Server) -> Self {
        Stream::to_links(server, |builder| builder.with_no_client_auth())
    }

    fn to_links(
        server: &Server,
        identify: impl FnOnce(ConfigBuilder<ClientConfig, WantsClientCert>) -> ClientConfig,
    ) -> Self {
        let builder = trusting(roots(&server.trusted()));
        let session = connection(Arc::new(identify(builder)));
        let mut stream = StreamOwned::new(session, connect(server.ready.links.unwrap()));
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).unwrap();
        }
        Stream::of(Carrier::Tls(Box::new(stream)))
    }

    /// A user on a link, who says that he is at `address`.
    pub fn lane(link: &Link, user: &str, address: SocketAddr) -> Self {
        Stream::of(Carrier::Lane(link.clone(), user.to_owned(), address))
    }

    /// Takes a connection made otherwise.
    pub fn over(stream: TcpStream) -> Self {
        Stream::of(Carrier::Tcp(stream))
    }

    fn of(carrier: Carrier) -> Self {
        Stream { carrier, read: Vec::new(), ended: false }
    }

    /// The TLS session of a connection that has one.
    pub fn session(&self) -> &ClientConnection {
        match &self.carrier {
            Carrier::Tls(stream) => &stream.conn,
            Carrier::Tcp(_) | Carrier::Lane(..) => panic!("not over TLS"),
        }
    }

    /// Our address.
    pub fn local(&self) -> SocketAddr {
        match &self.carrier {
            Carrier::Lane(_, _, address) => *address,
            _ => self.socket().local_addr().unwrap(),
        }
    }

    /// Writes; panics when the server has closed.
    pub fn write(&mut self, octets: impl AsRef<[u8]>) {
        self.try_write(octets).unwrap();
    }

    /// Writes, to a server that may have closed.
    pub fn try_write(&mut self, octets: impl AsRef<[u8]>) -> io::Result<()> {
        let octets = octets.as_ref();
        match &mut self.carrier {
            Carrier::Tcp(stream) => stream.write_all(octets),
            Carrier::Tls(stream) => stream.write_all(octets).and_then(|()| stream.flush()),
            Carrier::Lane(link, ..) => link.write(octets),
        }
    }

    /// Closes our side only.
    pub fn half_close(&mut self) {
        if let Carrier::Tls(stream) = &mut self.carrier {
            stream.conn.send_close_notify();
            stream.flush().unwrap();
        }
        self.socket().shutdown(Shutdown::Write).unwrap();
    }

    /// Closes so that the peer sees a reset instead of an end.
    pub fn reset(self) {
        socket2::SockRef::from(self.socket()).set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Waits for a whole message; panics when none comes or the server closes.
    pub fn message(&mut self) -> Message {
        match self.try_message() {
            Ok(message) => message,
            Err(error) => {
                let read = String::from_utf8_lossy(&self.read);
                panic!("expected a message, instead: {error}, after {read:?}")
            }
        }
    }

    /// Waits for a whole message.
    pub fn try_message(&mut self) -> io::Result<Message> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            while self.read.starts_with(b"\r\n") {
                self.read.drain(..2);
            }
            if let Some(message) = self.cut() {
                return Ok(message);
            }
            self.fill(deadline)?;
        }
    }

    /// Waits until the server closes; what it still said.
    pub fn end(&mut self) -> Vec<u8> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.fill(deadline) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::TimedOut => {
                    panic!("expected the end of the connection, which is open")
                }
                Err(_) => return std::mem::take(&mut self.read),
            }
        }
    }

    /// Waits for `count` octets.
    pub fn octets(&mut self, count: usize) -> Vec<u8> {
        let deadline = Instant::now() + PATIENCE;
        while self.read.len() < count {
            self.fill(deadline).unwrap();
        }
        self.read.drain(..count).collect()
    }

    /// Takes what has come and throws it away; an error when the connection has ended.
    pub fn drain(&mut self) -> io::Result<()> {
        loop {
            let filled = self.fill(Instant::now() + GLANCE);
            self.read.clear();
            match filled {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::TimedOut => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn cut(&mut self) -> Option<Message> {
        let end = self.read.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8(self.read[..end].to_vec()).unwrap();
        let len = header(&head, "Content-Length").map_or(0, |len| len.parse().unwrap());
        let body = self.read.get(end + 4..end + 4 + len)?.to_vec();
        self.read.drain(..end + 4 + len);
        Some(Message { head, body })
    }

    /// Reads once; an error when time is over or the connection.
    fn fill(&mut self, deadline: Instant) -> io::Result<()> {
        if self.ended {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        if let Carrier::Lane(link, user, _) = &self.carrier {
            self.read.extend(link.read_for(user)?);
            return Ok(());
        }
        self.socket().set_read_timeout(Some(left))?;
        let mut octets = [0; 16 * 1024];
        let read = match &mut self.carrier {
            Carrier::Tcp(stream) => stream.read(&mut octets),
            Carrier::Tls(stream) => stream.read(&mut octets),
            Carrier::Lane(..) => unreachable!("read by its link"),
        };
        match read {
            Ok(0) => {
                self.ended = true;
                Err(ErrorKind::UnexpectedEof.into())
            }
            Ok(len) => {
                self.read.extend_from_slice(&octets[..len]);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(ErrorKind::TimedOut.into()),
            Err(error) => {
                self.ended = true;
                Err(error)
            }
        }
    }

    fn socket(&self) -> &TcpStream {
        match &self.carrier {
            Carrier::Tcp(stream) => stream,
            Carrier::Tls(stream) => &stream.sock,
            Carrier::Lane(..) => panic!("a lane has no socket of its own"),
        }
    }
}

impl Message {
    /// The status of a response; panics for a request.
    pub fn status(&self) -> u16 {
        let status = self.head.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3));
        status.unwrap_or_else(|| panic!("not a response: {}", self.head)).parse().unwrap()
    }

    /// The method of a request; `SIP/2.0` of a response.
    pub fn method(&self) -> &str {
        self.head.split(' ').next().unwrap()
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    /// All lines of a header.
    pub fn headers(&self, name: &str) -> Vec<&str> {
        lines(&self.head, name).collect()
    }
}

/// A plain TCP connection.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// A TLS connection to whoever has the certificate in the file `trusted`.
pub fn handshake(
    address: SocketAddr,
    trusted: &Path,
) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let socket = connect(address);
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut stream = StreamOwned::new(session(roots(trusted)), socket);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

/// A plain TCP connection from this address of the machine.
pub fn connect_from(from: IpAddr, to: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(from, 0).into())?;
    socket.connect_timeout(&to.into(), patience)?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// What a client that trusts the server and has no certificate knows. It resumes sessions.
pub fn client_config(server: &Server) -> Arc<ClientConfig> {
    Arc::new(trusting(roots(&server.trusted())).with_no_client_auth())
}

/// The octets with which a TLS client begins.
pub fn client_hello() -> Vec<u8> {
    let mut octets = Vec::new();
    session(RootCertStore::empty()).write_tls(&mut octets).unwrap();
    octets
}

fn session(roots: RootCertStore) -> ClientConnection {
    connection(Arc::new(trusting(roots).with_no_client_auth()))
}

fn trusting(roots: RootCertStore) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
}

fn connection(config: Arc<ClientConfig>) -> ClientConnection {
    let name = "fe01.example.test".try_into().unwrap();
    ClientConnection::new(config, name).unwrap()
}

fn certificates(file: &Path) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(file).unwrap().map(Result::unwrap).collect()
}

fn roots(file: &Path) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    certificates(file).into_iter().for_each(|certificate| roots.add(certificate).unwrap());
    roots
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    lines(head, name).next()
}

fn lines<'a>(head: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    head.lines().filter_map(move |line| {
        let (found, value) = line.split_once(':')?;
        found.trim().eq_ignore_ascii_case(name).then_some(value.trim())
    })
}
