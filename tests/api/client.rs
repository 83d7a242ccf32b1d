//! An application: HTTP of the fewest lines, and a SIP user who publishes.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use crate::outside::PATIENCE;
use crate::outside::endpoint::Endpoint;
use crate::outside::server::{DOMAIN, Server};

/// An API on loopback.
pub const API: &str = "[api]\nlisten = \"127.0.0.1:0\"\n";

/// An application with a token.
pub struct Application {
    address: SocketAddr,
    token: String,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

/// A stream of events.
pub struct Events(BufReader<TcpStream>);

impl Application {
    /// One for which the command line makes a token of that role and level.
    pub fn new(server: &Server, name: &str, role: &str, level: &str) -> Self {
        let line = ["api", "token", "create", "--role", role, "--level", level, name];
        let output = server.command(&line);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Application::with_token(server, String::from_utf8(output.stdout).unwrap().trim())
    }

    /// One that shows this token, or none.
    pub fn with_token(server: &Server, token: &str) -> Self {
        Application { address: server.ready.api.unwrap(), token: token.to_owned() }
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
        let mut stream = self.send(method, path, &format!("Connection: close\r\n{lines}"), body);
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        Answer::read(&text)
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
        let mut reader = BufReader::new(self.send("GET", path, "", ""));
        let mut status = String::new();
        reader.read_line(&mut status).unwrap();
        assert!(status.starts_with("HTTP/1.1 200 "), "{status}");
        Events(reader)
    }

    fn send(&self, method: &str, path: &str, lines: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let authorization = match self.token.as_str() {
            "" => String::new(),
            token => format!("Authorization: Bearer {token}\r\n"),
        };
        let len = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}{lines}\
             Content-Length: {len}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        stream
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

/// Publishes what a standard client says: an activity such as `busy`, or none, and a note.
pub fn publish(endpoint: &mut Endpoint, activity: &str, note: &str) {
    let user = endpoint.user.clone();
    let activities = match activity {
        "" => "<rpid:activities/>".to_owned(),
        activity => format!("<rpid:activities><rpid:{activity}/></rpid:activities>"),
    };
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" \
         xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" \
         xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" entity=\"sip:{user}@{DOMAIN}\">\
         <dm:person id=\"p1\">{activities}<dm:note>{note}</dm:note></dm:person>\
         <tuple id=\"t1\"><status><basic>open</basic></status></tuple></presence>"
    );
    let lines = "Event: presence\r\nExpires: 600\r\nContent-Type: application/pidf+xml\r\n";
    let answer = endpoint.ask("PUBLISH", &user, lines, &body);
    assert_eq!(answer.status(), 200, "{}", answer.head);
}
