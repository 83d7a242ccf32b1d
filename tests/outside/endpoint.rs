//! A standard SIP endpoint of the fewest lines that sign in and talk.

use std::fmt::Write;

use md5::{Digest, Md5};

use super::server::{DOMAIN, PASSWORD, Server};
use super::stream::{Message, Stream};

/// A user's endpoint on one connection.
pub struct Endpoint {
    pub user: String,
    pub stream: Stream,
    /// Of the last request.
    pub cseq: u32,
}

impl Endpoint {
    /// Signs in over plain TCP.
    pub fn tcp(server: &Server, user: &str) -> Self {
        Endpoint::sign_in(Stream::tcp(server), user, PASSWORD)
    }

    /// Signs in over TLS.
    pub fn tls(server: &Server, user: &str) -> Self {
        Endpoint::sign_in(Stream::tls(server), user, PASSWORD)
    }

    /// Signs in; panics when it is refused.
    pub fn sign_in(stream: Stream, user: &str, password: &str) -> Self {
        let mut endpoint = Endpoint { user: user.to_owned(), stream, cseq: 0 };
        let answer = endpoint.register(password);
        assert_eq!(answer.status(), 200, "{}", answer.head);
        endpoint
    }

    /// Tries to sign in once; the answer to the credentials.
    pub fn register(&mut self, password: &str) -> Message {
        let contact = format!("Contact: {}\r\n", self.contact());
        let challenge = self.ask("REGISTER", DOMAIN, &contact, "");
        if challenge.status() != 401 {
            return challenge;
        }
        let credentials = credentials(&challenge, &self.user, password, "REGISTER");
        self.ask("REGISTER", DOMAIN, &format!("{contact}{credentials}"), "")
    }

    /// Where requests for it go; the server uses the connection anyway.
    pub fn contact(&self) -> String {
        format!("<sip:{}@{};transport=tcp>", self.user, self.stream.local())
    }

    /// A request with these header lines and this body, and no tag in To. `to` is a user, or the
    /// domain for REGISTER.
    pub fn request(&mut self, method: &str, to: &str, lines: &str, body: &str) -> String {
        self.cseq += 1;
        let user = &self.user;
        let uri = if to == DOMAIN { DOMAIN.to_owned() } else { format!("{to}@{DOMAIN}") };
        let to = if to == DOMAIN { user } else { to };
        let mut text = head(method, &uri, user, to, self.cseq, &self.stream.local().to_string());
        text.push_str(lines);
        let _ = write!(text, "Content-Length: {}\r\n\r\n{body}", body.len());
        text
    }

    /// Sends a request and waits for its final answer.
    pub fn ask(&mut self, method: &str, to: &str, lines: &str, body: &str) -> Message {
        let request = self.request(method, to, lines, body);
        self.stream.write(request);
        self.final_answer()
    }

    /// Waits for a final answer, past provisional ones.
    pub fn final_answer(&mut self) -> Message {
        loop {
            let answer = self.stream.message();
            if answer.status() >= 200 {
                return answer;
            }
        }
    }

    /// Sends a pager-mode message and waits for its final answer.
    pub fn say(&mut self, to: &str, text: &str) -> Message {
        self.ask("MESSAGE", to, "Content-Type: text/plain\r\n", text)
    }

    /// Asks for a conference of this name, 32 hexadecimal digits, and waits for the final answer.
    /// The subject stands there as XML; `expiry` is a time as XML Schema writes it.
    pub fn ask_for_conference(&mut self, id: &str, subject: &str, expiry: &str) -> Message {
        let request = self.conference_request(id, subject, expiry);
        self.stream.write(request);
        self.final_answer()
    }

    /// The request for it.
    pub fn conference_request(&mut self, id: &str, subject: &str, expiry: &str) -> String {
        self.cseq += 1;
        let user = &self.user;
        let uri = format!("{user}@{DOMAIN};gruu;opaque=app:conf:focusfactory");
        let sent_by = self.stream.local().to_string();
        let mut text = head("SERVICE", &uri, user, user, self.cseq, &sent_by);
        let body = format!(
            "<request xmlns=\"urn:ietf:params:xml:ns:cccp\" C3PVersion=\"1\" requestId=\"1\" \
             from=\"sip:{user}@{DOMAIN}\" to=\"sip:{uri}\"><addConference>\
             <conference-info xmlns=\"urn:ietf:params:xml:ns:conference-info\" entity=\"\" \
             xmlns:m=\"http://schemas.microsoft.com/rtc/2005/08/confinfoextensions\">\
             <conference-description><subject>{subject}</subject>\
             <m:conference-id>{id}</m:conference-id><m:expiry-time>{expiry}</m:expiry-time>\
             </conference-description></conference-info></addConference></request>"
        );
        let len = body.len();
        let _ = write!(
            text,
            "Content-Type: application/cccp+xml\r\nContent-Length: {len}\r\n\r\n{body}"
        );
        text
    }

    /// Waits for a request of `method` and answers it with `status`, a tag in To and the lines.
    pub fn answer(&mut self, method: &str, status: u16, lines: &str) -> Message {
        let request = self.stream.message();
        assert_eq!(request.method(), method, "{}", request.head);
        self.respond(&request, status, lines, "");
        request
    }

    /// Answers a request.
    pub fn respond(&mut self, request: &Message, status: u16, lines: &str, body: &str) {
        let mut text = format!("SIP/2.0 {status} Answer\r\n");
        for name in ["Via", "Record-Route", "From", "Call-ID", "CSeq"] {
            for value in request.headers(name) {
                let _ = write!(text, "{name}: {value}\r\n");
            }
        }
        let to = request.header("To").unwrap();
        let tag = if to.contains(";tag=") { "" } else { ";tag=answer" };
        let _ =
            write!(text, "To: {to}{tag}\r\n{lines}Content-Length: {}\r\n\r\n{body}", body.len());
        self.stream.write(text);
    }
}

/// The head of a request up to, and without, Content-Length.
pub fn head(method: &str, uri: &str, from: &str, to: &str, cseq: u32, sent_by: &str) -> String {
    format!(
        "{method} sip:{uri} SIP/2.0\r\n\
         Via: SIP/2.0/TCP {sent_by};branch=z9hG4bK-{method}-{cseq}\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:{from}@{DOMAIN}>;tag=of-{from}\r\n\
         To: <sip:{to}@{DOMAIN}>\r\n\
         Call-ID: {method}-{cseq}-{sent_by}\r\n\
         CSeq: {cseq} {method}\r\n"
    )
}

/// The header line that answers the MD5 challenge in a 401 or 407.
pub fn credentials(challenge: &Message, user: &str, password: &str, method: &str) -> String {
    let (asks, answers) = match challenge.status() {
        401 => ("WWW-Authenticate", "Authorization"),
        _ => ("Proxy-Authenticate", "Proxy-Authorization"),
    };
    let challenges = challenge.headers(asks);
    let challenge = challenges.iter().find(|value| value.contains("algorithm=MD5"));
    let challenge = challenge.unwrap_or_else(|| panic!("no MD5 among {challenges:?}"));
    let nonce = parameter(challenge, "nonce");
    let realm = parameter(challenge, "realm");
    let uri = format!("sip:{DOMAIN}");
    let response = digest(&Proof { user, password, realm, nonce, method, uri: &uri, nc: 1 });
    format!(
        "{answers}: Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", \
         uri=\"{uri}\", qop=auth, nc=00000001, cnonce=\"cnonce\", algorithm=MD5, \
         response=\"{response}\"\r\n"
    )
}

/// What an MD5 digest with qop=auth and the client nonce `cnonce` is made of.
pub struct Proof<'a> {
    pub user: &'a str,
    pub password: &'a str,
    pub realm: &'a str,
    pub nonce: &'a str,
    pub method: &'a str,
    pub uri: &'a str,
    pub nc: u32,
}

/// The response of RFC 2617 section 3.2.2.
pub fn digest(proof: &Proof<'_>) -> String {
    let Proof { user, password, realm, nonce, method, uri, nc } = proof;
    let a1 = md5_hex(&format!("{user}:{realm}:{password}"));
    let a2 = md5_hex(&format!("{method}:{uri}"));
    md5_hex(&format!("{a1}:{nonce}:{nc:08x}:cnonce:auth:{a2}"))
}

/// The value of a quoted parameter; panics when it is not there.
pub fn parameter<'a>(header: &'a str, name: &str) -> &'a str {
    let start = header.find(&format!("{name}=\"")).unwrap_or_else(|| panic!("{header}"));
    let value = &header[start + name.len() + 2..];
    &value[..value.find('"').unwrap()]
}

fn md5_hex(text: &str) -> String {
    Md5::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, octet| {
        let _ = write!(hex, "{octet:02x}");
        hex
    })
}
