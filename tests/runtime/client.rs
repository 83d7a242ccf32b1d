//! A client that waits for each thing it expects.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};

use super::stand_in::PATIENCE;

/// One end of a connection, plain or TLS.
pub struct Client<S> {
    pub stream: S,
    /// Octets that came after the last message taken.
    rest: Vec<u8>,
}

pub type Plain = Client<TcpStream>;
pub type Tls = Client<StreamOwned<ClientConnection, TcpStream>>;

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// A TLS client that trusts the certificate in `ca` and speaks `versions`.
pub fn config(ca: &Path, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate(ca)).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// The certificate in `file`.
pub fn certificate(file: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(file).unwrap()
}

pub fn session(config: Arc<ClientConfig>) -> ClientConnection {
    ClientConnection::new(config, ServerName::try_from("127.0.0.1").unwrap()).unwrap()
}

impl Plain {
    pub fn plain(address: SocketAddr) -> Self {
        Client { stream: connect(address), rest: Vec::new() }
    }

    /// From another address of this machine.
    pub fn from(source: &str, address: SocketAddr) -> Self {
        let socket =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        let source = SocketAddr::new(source.parse().unwrap(), 0);
        socket.bind(&source.into()).unwrap();
        socket.connect(&address.into()).unwrap();
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client { stream, rest: Vec::new() }
    }
}

impl Tls {
    pub fn tls(address: SocketAddr, ca: &Path) -> Self {
        Self::with(address, config(ca, rustls::ALL_VERSIONS))
    }

    pub fn with(address: SocketAddr, config: Arc<ClientConfig>) -> Self {
        Self::from_parts(session(config), connect(address))
    }

    pub fn from_parts(session: ClientConnection, stream: TcpStream) -> Self {
        Client { stream: StreamOwned::new(session, stream), rest: Vec::new() }
    }

    /// Sends the last octets and says so.
    pub fn finish(&mut self, octets: impl AsRef<[u8]>) {
        self.stream.write_all(octets.as_ref()).unwrap();
        self.stream.conn.send_close_notify();
        self.stream.flush().unwrap();
    }
}

impl<S: Read + Write> Client<S> {
    pub fn send(&mut self, octets: impl AsRef<[u8]>) {
        self.stream.write_all(octets.as_ref()).unwrap();
        self.stream.flush().unwrap();
    }

    /// Sends a request to `user` and takes its answer.
    pub fn ask(&mut self, user: &str, cseq: u32) {
        self.send(request(user, cseq));
        self.expect(cseq);
    }

    /// Takes the 200 to request `cseq`.
    pub fn expect(&mut self, cseq: u32) {
        let answer = self.message().expect("an answer");
        assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
        assert!(answer.contains(&format!("CSeq: {cseq} OPTIONS\r\n")), "{answer}");
    }

    /// The next message without body, as text; `None` when the server has closed.
    pub fn message(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.rest.windows(4).position(|four| four == b"\r\n\r\n") {
                let rest = self.rest.split_off(end + 4);
                let message = std::mem::replace(&mut self.rest, rest);
                return Some(String::from_utf8(message).unwrap());
            }
            if self.read() == 0 {
                return None;
            }
        }
    }

    /// Waits for the server to close; the octets that came before that are returned.
    pub fn closed(&mut self) -> Vec<u8> {
        while self.read() > 0 {}
        std::mem::take(&mut self.rest)
    }

    /// Reads once; 0 when the server has closed in whatever way.
    pub fn read(&mut self) -> usize {
        let mut octets = [0; 16 * 1024];
        match self.stream.read(&mut octets) {
            Ok(len) => {
                self.rest.extend_from_slice(&octets[..len]);
                len
            }
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                ) =>
            {
                panic!("the server does nothing")
            }
            Err(_) => 0,
        }
    }

    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.rest)
    }
}

/// A request to `user`, complete as RFC 3261 section 8.1.1 asks.
pub fn request(user: &str, cseq: u32) -> String {
    format!(
        "OPTIONS sip:{user}@example.test SIP/2.0\r\n\
         Via: SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bK{cseq}\r\n\
         From: <sip:alice@example.test>;tag=1\r\nTo: <sip:{user}@example.test>\r\n\
         Call-ID: {cseq}@127.0.0.1\r\nCSeq: {cseq} OPTIONS\r\nMax-Forwards: 70\r\n\
         Content-Length: 0\r\n\r\n"
    )
}
