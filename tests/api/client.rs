//! An application: HTTP of the fewest lines.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::outside::PATIENCE;
use crate::outside::api::token;
use crate::outside::server::{DOMAIN, Server};
use crate::outside::stream::handshake;

/// An application with a token.
#[derive(Clone)]
pub struct Application {
    address: SocketAddr,
    token: String,
    /// Who it talks to by TLS: whoever has the certificate in this file.
    trusted: Option<PathBuf>,
}

/// A connection, plain or not.
trait Carrier: Read + Write {}

impl<T: Read + Write> Carrier for T {}

/// A request that was sent.
pub struct Asked(Box<dyn Carrier>);

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

/// A stream of events.
pub struct Events(BufReader<Box<dyn Carrier>>);

impl Application {
    /// One for which the command line makes a token of that role and level.
    pub fn new(server: &Server, name: &str, role: &str, level: &str) -> Self {
        Application::with_token(server, &token(server, name, role, level))
    }

    /// One that shows this token, or none.
    pub fn with_token(server: &Server, token: &str) -> Self {
        let address = server.ready.api.unwrap();
        Application { address, token: token.to_owned(), trusted: None }
    }

    /// From now on by TLS, with whoever has the certificate that is in this file then.
    pub fn over_tls(self, trusted: &Path) -> Self {
        Application { trusted: Some(trusted.to_owned()), ..self }
    }

    /// Its token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Asks.
    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "", "")
    }

    /// Sends a body.
    pub fn post(&self, path: &str, body: &str) -> Answer {
        self.ask("POST", path, "", body)
    }

    /// Asks with header lines of its own.
    pub fn ask(&self, method: &str, path: &str, lines: &str, body: &str) -> Answer {
        let lines = format!("Connection: close\r\n{lines}");
        self.send(self.carrier(), method, path, &lines, body).and_then(Asked::answer).unwrap()
    }

    /// Asks on a plain connection that was made, and does not wait for the answer; an error when the
    /// connection has ended.
    pub fn get_on(&self, stream: TcpStream, path: &str) -> io::Result<Asked> {
        stream.set_read_timeout(Some(PATIENCE))?;
        self.send(Box::new(stream), "GET", path, "Connection: close\r\n", "")
    }

    /// Sends octets, and takes octets.
    pub fn carry(&self, method: &str, path: &str, lines: &str, body: &[u8]) -> (Answer, Vec<u8>) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (token, len) = (&self.token, body.len());
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
             Connection: close\r\n{lines}Content-Length: {len}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        // A server that has read enough may be gone.
        let _ = stream.write_all(body);
        let mut octets = Vec::new();
        let _ = stream.read_to_end(&mut octets);
        let end = octets.windows(4).position(|part| part == b"\r\n\r\n").expect("a head") + 4;
        let body = octets.split_off(end);
        let text = String::from_utf8(octets).unwrap() + &String::from_utf8_lossy(&body);
        (Answer::read(&text), body)
    }

    /// Begins a stream.
    pub fn events(&self, path: &str) -> Events {
        self.send(self.carrier(), "GET", path, "", "").unwrap().events()
    }

    fn carrier(&self) -> Box<dyn Carrier> {
        match &self.trusted {
            Some(trusted) => Box::new(handshake(self.address, trusted).unwrap()),
            None => {
                let stream = TcpStream::connect(self.address).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                Box::new(stream)
            }
        }
    }

    fn send(
        &self,
        mut carrier: Box<dyn Carrier>,
        method: &str,
        path: &str,
        lines: &str,
        body: &str,
    ) -> io::Result<Asked> {
        let authorization = match self.token.as_str() {
            "" => String::new(),
            token => format!("Authorization: Bearer {token}\r\n"),
        };
        let len = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}{lines}\
             Content-Length: {len}\r\n\r\n{body}"
        );
        carrier.write_all(request.as_bytes())?;
        Ok(Asked(carrier))
    }
}

impl Asked {
    /// Waits for the whole answer; an error when the connection ends without.
    pub fn answer(mut self) -> io::Result<Answer> {
        let mut text = String::new();
        self.0.read_to_string(&mut text)?;
        if text.is_empty() { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(Answer::read(&text)) }
    }

    /// Waits until the stream that was asked for begins.
    pub fn events(self) -> Events {
        let mut reader = BufReader::new(self.0);
        let mut status = String::new();
        reader.read_line(&mut status).unwrap();
        assert!(status.starts_with("HTTP/1.1 200 "), "{status}");
        Events(reader)
    }
}

impl Answer {
    fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text:?}"));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap();
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        Answer { status, headers, body: body.to_owned() }
    }

    /// The JSON of a success.
    #[track_caller]
    pub fn good(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        assert_eq!(self.headers["content-type"], "application/json");
        serde_json::from_str(&self.body).unwrap()
    }

    /// Status and kind of a refusal.
    #[track_caller]
    pub fn problem(&self) -> (u16, String) {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}", self.body);
        let document: Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(document["status"], self.status);
        let kind = document["type"].as_str().unwrap().strip_prefix("urn:mynah:problem:").unwrap();
        (self.status, kind.to_owned())
    }
}

impl Events {
    /// Name and data of the next event; `None` when the stream is over.
    pub fn next(&mut self) -> Option<(String, Value)> {
        let mut name = String::new();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            if let Some(text) = line.strip_prefix("event: ") {
                text.trim_end().clone_into(&mut name);
            } else if let Some(data) = line.strip_prefix("data: ") {
                return Some((name, serde_json::from_str(data).unwrap()));
            }
        }
    }

    /// Waits until an event of `user` says this state; past those before.
    #[track_caller]
    pub fn wait_state(&mut self, user: &str, class: &str) {
        let address = format!("{user}@{DOMAIN}");
        loop {
            let (_, data) = self.next().expect("another event");
            if data["address"] == address.as_str() && data["state"]["class"] == class {
                return;
            }
        }
    }
}
