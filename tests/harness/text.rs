//! Messages as text: written line by line, read line by line.

use std::fmt;

/// A message that a client received.
#[derive(Clone, PartialEq, Eq)]
pub struct Text {
    octets: Vec<u8>,
    head_len: usize,
}

impl Text {
    /// The message in `octets`, whole.
    pub fn new(octets: &[u8]) -> Self {
        let blank = octets.windows(4).position(|w| w == b"\r\n\r\n").expect("a blank line");
        Text { octets: octets.to_vec(), head_len: blank + 4 }
    }

    /// All of it. Every message of these tests is UTF-8.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.octets).expect("UTF-8")
    }

    /// Its octets.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Start line.
    pub fn start_line(&self) -> &str {
        self.as_str().split("\r\n").next().unwrap_or_default()
    }

    /// The body.
    pub fn body(&self) -> &str {
        &self.as_str()[self.head_len..]
    }

    /// The header lines, `(name, value)`.
    pub fn lines(&self) -> impl Iterator<Item = (&str, &str)> {
        let head = &self.as_str()[..self.head_len - 4];
        head.split("\r\n").skip(1).map(|line| line.split_once(": ").unwrap_or((line, "")))
    }

    /// Values of all lines of that name.
    pub fn headers(&self, name: &str) -> Vec<&str> {
        self.lines().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v).collect()
    }

    /// The value of the first line of that name; empty without one.
    pub fn header(&self, name: &str) -> &str {
        self.headers(name).first().copied().unwrap_or_default()
    }

    /// True if there is such a line.
    pub fn has(&self, name: &str) -> bool {
        !self.headers(name).is_empty()
    }

    /// True for a response.
    pub fn is_response(&self) -> bool {
        self.start_line().starts_with("SIP/2.0 ")
    }

    /// Status of a response, 0 for a request.
    pub fn status(&self) -> u16 {
        let line = self.start_line();
        line.strip_prefix("SIP/2.0 ").and_then(|l| l.get(..3)?.parse().ok()).unwrap_or(0)
    }

    /// Method of a request; of a response that of its CSeq.
    pub fn method(&self) -> &str {
        if self.is_response() {
            return self.header("CSeq").rsplit(' ').next().unwrap_or_default();
        }
        self.start_line().split(' ').next().unwrap_or_default()
    }

    /// Request-URI.
    pub fn uri(&self) -> &str {
        self.start_line().split(' ').nth(1).unwrap_or_default()
    }

    /// Number of the CSeq.
    pub fn cseq(&self) -> u32 {
        let number = self.header("CSeq").split(' ').next().unwrap_or_default();
        number.parse().expect("a CSeq")
    }

    /// The branch of the top Via.
    pub fn branch(&self) -> &str {
        parameter(self.header("Via"), "branch")
    }

    /// The tag of From.
    #[allow(clippy::wrong_self_convention, reason = "From is the header")]
    pub fn from_tag(&self) -> &str {
        parameter(self.header("From"), "tag")
    }

    /// The tag of To.
    pub fn to_tag(&self) -> &str {
        parameter(self.header("To"), "tag")
    }

    /// The URI of Contact.
    pub fn contact(&self) -> &str {
        bracketed(self.header("Contact"))
    }

    /// A response to this request as a client makes it: Via, From, To, Call-ID, CSeq and
    /// Record-Route copied, `tag` added to To if it has none.
    pub fn answer(&self, status: u16, tag: &str) -> Request {
        let mut answer = Request::raw(&format!("SIP/2.0 {status} {}", phrase(status)));
        for (name, value) in self.lines() {
            let copied = ["Via", "From", "Call-ID", "CSeq", "Record-Route"];
            if copied.iter().any(|c| c.eq_ignore_ascii_case(name)) {
                answer = answer.header(name, value);
            } else if name.eq_ignore_ascii_case("To") {
                let whole = value.contains(";tag=") || tag.is_empty();
                let to = if whole { value.to_owned() } else { format!("{value};tag={tag}") };
                answer = answer.header(name, &to);
            }
        }
        answer
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{}", String::from_utf8_lossy(&self.octets))
    }
}

/// The value of `;name=value` in a header value.
pub fn parameter<'a>(value: &'a str, name: &str) -> &'a str {
    let mark = format!(";{name}=");
    let Some(at) = value.find(&mark) else { return "" };
    let rest = &value[at + mark.len()..];
    rest.split([';', ',', '>']).next().unwrap_or_default().trim_matches('"')
}

/// The value of `name="value"` in a challenge.
pub fn quoted<'a>(value: &'a str, name: &str) -> &'a str {
    let mark = format!("{name}=\"");
    let Some(at) = value.find(&mark) else { return "" };
    value[at + mark.len()..].split('"').next().unwrap_or_default()
}

/// What stands between the first angle brackets.
pub fn bracketed(value: &str) -> &str {
    value.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(uri, _)| uri)
}

fn phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        200 => "OK",
        480 => "Temporarily Unavailable",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        603 => "Decline",
        _ => "Answer",
    }
}

/// A message in the making, request or response.
#[derive(Clone, Debug)]
pub struct Request {
    start: String,
    lines: Vec<(String, String)>,
    body: String,
}

impl Request {
    /// A request with this start line's parts.
    pub fn new(method: &str, uri: &str) -> Self {
        Request::raw(&format!("{method} {uri} SIP/2.0"))
    }

    /// A message with this start line.
    pub fn raw(start: &str) -> Self {
        Request { start: start.to_owned(), lines: Vec::new(), body: String::new() }
    }

    /// Adds a line.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.lines.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a line before all others.
    pub fn first(mut self, name: &str, value: &str) -> Self {
        self.lines.insert(0, (name.to_owned(), value.to_owned()));
        self
    }

    /// Replaces the first line of that name, or adds one.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        match self.lines.iter_mut().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
            Some(line) => {
                line.1 = value.to_owned();
                self
            }
            None => self.header(name, value),
        }
    }

    /// Leaves out all lines of that name.
    pub fn without(mut self, name: &str) -> Self {
        self.lines.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        self
    }

    /// The body and its type.
    pub fn body(self, content_type: &str, body: &str) -> Self {
        let mut request = self.with("Content-Type", content_type);
        request.body = body.to_owned();
        request
    }

    /// The value of the first line of that name.
    pub fn value(&self, name: &str) -> &str {
        let line = self.lines.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        line.map_or("", |(_, value)| value)
    }

    /// The message with its Content-Length, unless it has a line of that name.
    pub fn octets(&self) -> Vec<u8> {
        let mut out = format!("{}\r\n", self.start);
        for (name, value) in &self.lines {
            out += &format!("{name}: {value}\r\n");
        }
        if self.value("Content-Length").is_empty() {
            out += &format!("Content-Length: {}\r\n", self.body.len());
        }
        out += "\r\n";
        out += &self.body;
        out.into_bytes()
    }
}
