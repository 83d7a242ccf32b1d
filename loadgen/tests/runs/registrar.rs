//! A tiny SIP registrar and relay on loopback, with faults on demand. It reads messages in its
//! own simple way, so that generator and server do not share mistakes.

mod focus;
pub mod tls;

use focus::Conferences;
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// What the server does wrong, or asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// The status of the challenge, 401 or 407; none when zero.
    pub challenge: u16,
    /// Offers SHA-256 beside MD5.
    pub sha256: bool,
    /// Swallows every n-th answer to a MESSAGE.
    pub drop_answer_every: u64,
    /// Answers 200 to every n-th MESSAGE without delivering it.
    pub swallow_every: u64,
    /// Answers every n-th MESSAGE with 500.
    pub fail_every: u64,
    /// Stands still once, from `.0` after the first MESSAGE, for `.1`.
    pub stall: Option<(Duration, Duration)>,
    /// Refuses REGISTER of users from this number on; of none when zero.
    pub refuse_from: u32,
    /// Hangs up at the n-th MESSAGE.
    pub hang_up_at: u64,
    /// Ends a line with LF alone in the answer to the n-th MESSAGE.
    pub garble_at: u64,
    /// Adds Record-Route to INVITE.
    pub record_route: bool,
}

#[derive(Debug, Default)]
struct State {
    connections: HashMap<String, Arc<Mutex<Box<dyn Stream>>>>,
    log: Vec<String>,
    /// Who answered a message of a conference.
    answers: Vec<String>,
    first_message: Option<Instant>,
}

/// What a connection is written to.
pub trait Stream: Write + Send + std::fmt::Debug {}
impl<T: Write + Send + std::fmt::Debug> Stream for T {}

/// The server; its threads end with the test.
#[derive(Clone, Debug)]
pub struct Registrar {
    /// Where it listens.
    pub address: SocketAddr,
    conferences: Arc<Mutex<Conferences>>,
    faults: Faults,
    messages: Arc<AtomicU64>,
    state: Arc<Mutex<State>>,
}

impl Registrar {
    /// Listens on a port of the kernel's choice.
    pub fn start(faults: Faults) -> Registrar {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let registrar = Registrar {
            address: listener.local_addr().unwrap(),
            conferences: Arc::default(),
            faults,
            messages: Arc::default(),
            state: Arc::default(),
        };
        let shared = registrar.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (shared, stream) = (shared.clone(), stream.unwrap());
                thread::spawn(move || shared.serve(stream));
            }
        });
        registrar
    }

    /// Start lines and Request-URIs seen, in order.
    pub fn log(&self) -> Vec<String> {
        self.state.lock().unwrap().log.clone()
    }

    /// Users who answered a message of a conference, in order.
    pub fn answers(&self) -> Vec<String> {
        self.state.lock().unwrap().answers.clone()
    }

    /// Users that are signed in.
    pub fn signed_in(&self) -> usize {
        self.state.lock().unwrap().connections.len()
    }

    fn serve(&self, mut stream: TcpStream) {
        let out: Arc<Mutex<Box<dyn Stream>>> =
            Arc::new(Mutex::new(Box::new(stream.try_clone().unwrap())));
        let mut buffer = String::new();
        let mut chunk = [0; 65_536];
        while let Ok(length @ 1..) = stream.read(&mut chunk) {
            let Ok(text) = std::str::from_utf8(&chunk[..length]) else { break };
            buffer.push_str(text);
            while let Some(message) = cut(&mut buffer) {
                if !self.handle(&message, &out) {
                    let _ = stream.shutdown(std::net::Shutdown::Both);
                    return;
                }
            }
        }
        let _ = stream.shutdown(std::net::Shutdown::Both);
        let mut state = self.state.lock().unwrap();
        state.connections.retain(|_, known| !Arc::ptr_eq(known, &out));
    }

    /// False hangs up.
    fn handle(&self, message: &str, out: &Arc<Mutex<Box<dyn Stream>>>) -> bool {
        let start = message.lines().next().unwrap().to_owned();
        if start.starts_with("SIP/2.0") {
            return self.relay_answer(message, &start);
        }
        self.state.lock().unwrap().log.push(message.to_owned());
        let method = start.split(' ').next().unwrap().to_owned();
        let uri = start.split(' ').nth(1).unwrap();
        if uri.contains(";opaque=app:conf:") {
            let number = self.messages.fetch_add(1, Ordering::SeqCst) + 1;
            self.confer(message, uri, out, number);
            return true;
        }
        match method.as_str() {
            "REGISTER" => self.register(message, out),
            "MESSAGE" => return self.message(message, &start, out),
            _ => self.relay(message, &start, out),
        }
        true
    }

    fn register(&self, request: &str, out: &Arc<Mutex<Box<dyn Stream>>>) {
        let authorized = header(request, "Authorization").is_some()
            || header(request, "Proxy-Authorization").is_some();
        let wrong = request.contains("username=\"mallory");
        if (!authorized || wrong) && self.faults.challenge != 0 {
            let name = match self.faults.challenge {
                401 => "WWW-Authenticate",
                _ => "Proxy-Authenticate",
            };
            let md5 = format!(
                "{name}: Digest realm=\"example.test\", nonce=\"e41260d00e0419c7\", qop=\"auth\", \
                 algorithm=MD5\r\n"
            );
            let sha =
                if self.faults.sha256 { md5.replace("MD5", "SHA-256") } else { String::new() };
            let status = format!("{} Unauthorized", self.faults.challenge);
            return write(out, &answer(request, &status, &format!("{sha}{md5}")));
        }
        let user = user_of(&header(request, "From").unwrap());
        let number = user.trim_start_matches(char::is_alphabetic).parse::<u32>();
        if self.faults.refuse_from > 0 && number.is_ok_and(|n| n >= self.faults.refuse_from) {
            return write(out, &answer(request, "403 Forbidden", ""));
        }
        let mut state = self.state.lock().unwrap();
        if header(request, "Expires").as_deref() == Some("0") {
            state.connections.remove(&user);
        } else {
            state.connections.insert(user.clone(), Arc::clone(out));
        }
        drop(state);
        let contact = header(request, "Contact").unwrap();
        let more = format!(
            "Contact: {contact};expires=3600;gruu=\"sip:{user}@example.test;opaque=user:epid:x;gruu\"\r\n\
             Expires: 3600\r\n"
        );
        write(out, &answer(request, "200 OK", &more));
    }

    fn message(&self, request: &str, start: &str, out: &Arc<Mutex<Box<dyn Stream>>>) -> bool {
        let number = self.messages.fetch_add(1, Ordering::SeqCst) + 1;
        let every = |n: u64| n > 0 && number.is_multiple_of(n);
        if let Some((after, pause)) = self.faults.stall {
            let first = *self.state.lock().unwrap().first_message.get_or_insert_with(Instant::now);
            let due = first.elapsed() >= after && first.elapsed() < after + pause;
            if due {
                thread::sleep((after + pause).saturating_sub(first.elapsed()));
            }
        }
        if self.faults.hang_up_at == number {
            return false;
        }
        if self.faults.garble_at == number {
            write(out, &answer(request, "200 OK", "Server: garbled\n"));
        } else if every(self.faults.fail_every) {
            write(out, &answer(request, "500 Server Internal Error", ""));
        } else if every(self.faults.swallow_every) {
            write(out, &answer(request, "200 OK", ""));
        } else {
            self.relay(request, start, out);
        }
        true
    }

    /// Passes a request on to the user of its Request-URI, with a Via of its own on top.
    fn relay(&self, request: &str, start: &str, out: &Arc<Mutex<Box<dyn Stream>>>) {
        let user = user_of(start.split(' ').nth(1).unwrap());
        let from = user_of(&header(request, "From").unwrap());
        let target = self.state.lock().unwrap().connections.get(&user).cloned();
        let Some(target) = target else {
            if !start.starts_with("ACK") {
                write(out, &answer(request, "480 Temporarily Unavailable", ""));
            }
            return;
        };
        let (first, rest) = request.split_once("\r\n").unwrap();
        let route = match self.faults.record_route && start.starts_with("INVITE") {
            true => "Record-Route: <sip:127.0.0.1;lr>\r\n",
            false => "",
        };
        let rest: String =
            rest.split_inclusive("\r\n").filter(|line| !line.starts_with("Route:")).collect();
        let via = format!("Via: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKx;to={from}\r\n");
        write(&target, &format!("{first}\r\n{via}{route}{rest}"));
    }

    /// Passes an answer back to whom the top Via names.
    fn relay_answer(&self, answer: &str, start: &str) -> bool {
        let via = header(answer, "Via").unwrap();
        if !via.contains(";to=") {
            if header(answer, "CSeq").unwrap().ends_with("MESSAGE") {
                let user = user_of(&header(answer, "To").unwrap());
                self.state.lock().unwrap().answers.push(user);
            }
            return true;
        }
        let user = via.rsplit(";to=").next().unwrap().to_owned();
        if header(answer, "CSeq").unwrap().ends_with("MESSAGE") {
            let number = self.messages.load(Ordering::SeqCst);
            let every = self.faults.drop_answer_every;
            if every > 0 && number.is_multiple_of(every) {
                return true;
            }
        }
        let top = format!("Via: {via}\r\n");
        let rest = answer.replacen(&top, "", 1);
        assert!(rest.starts_with(start));
        let target = self.state.lock().unwrap().connections.get(&user).cloned();
        if let Some(target) = target {
            write(&target, &rest);
        }
        true
    }
}

fn write(out: &Arc<Mutex<Box<dyn Stream>>>, text: &str) {
    // Whoever hung up does not read it.
    let _ = out.lock().unwrap().write_all(text.as_bytes());
}

/// Takes the first whole message off the buffer.
fn cut(buffer: &mut String) -> Option<String> {
    let skip = buffer.len() - buffer.trim_start_matches(['\r', '\n']).len();
    buffer.drain(..skip);
    let head = buffer.find("\r\n\r\n")? + 4;
    let length: usize = header(&buffer[..head], "Content-Length").unwrap().parse().unwrap();
    if buffer.len() < head + length {
        return None;
    }
    Some(buffer.drain(..head + length).collect())
}

fn header(message: &str, name: &str) -> Option<String> {
    let head = message.split("\r\n\r\n").next().unwrap();
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::to_owned)
}

/// `user` of an address with `sip:user@…`.
fn user_of(text: &str) -> String {
    let at = text.find("sip:").unwrap() + 4;
    text[at..].split(['@', ';', '>']).next().unwrap().to_owned()
}

fn answer(request: &str, status: &str, more: &str) -> String {
    let copied: String = request
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| {
            ["Via:", "From:", "Call-ID:", "CSeq:"].iter().any(|name| line.starts_with(name))
        })
        .map(|line| format!("{line}\r\n"))
        .collect();
    let to = header(request, "To").unwrap();
    let tag = if to.contains(";tag=") { "" } else { ";tag=srv" };
    format!("SIP/2.0 {status}\r\n{copied}To: {to}{tag}\r\n{more}Content-Length: 0\r\n\r\n")
}
