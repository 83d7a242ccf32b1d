//! `mynah trace`

mod capture;

use std::fs::File;
use std::io::{self, BufRead, BufWriter, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::http;
use super::inquiry;
use super::server_address::ServerAddress;
use super::text::shown;
use crate::admin::trace::{EndReport, Line, MESSAGES_MAX, MessageReport, TIME_MAX};
use crate::config::quantity::read_time;
use crate::directory::Address;
use capture::Capture;

/// Longest line of the answer: a message in base64 and what is said of it.
const LINE_LEN_MAX: u64 = 256 * 1024;

/// `mynah trace`
#[derive(Args, Debug)]
pub struct Trace {
    /// Whose messages: alice@example.test, or alice for the first domain of the server
    #[arg(long, value_name = "USER", value_parser = user)]
    user: String,
    /// Readable text, or a file for Wireshark and tshark
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// How long: 30s, 5m, 2h; at most a day
    #[arg(long = "for", value_name = "TIME", default_value = "5m", value_parser = time)]
    time: Duration,
    /// End after so many messages
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=MESSAGES_MAX))]
    max: u64,
    /// Write to a file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    server: ServerAddress,
}

/// How messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// As they are, each below a line that says when and between whom.
    Text,
    /// As packets of a capture.
    Pcap,
}

impl Trace {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let stdout = io::stdout();
        if self.format == Format::Pcap && self.output.is_none() && stdout.is_terminal() {
            bail!("a capture is not for a terminal: give --output FILE, or pipe it to tshark -r -");
        }
        let address = self.server.find()?;
        let (user, seconds, max) = (&self.user, self.time.as_secs(), self.max);
        let path = format!("/trace/{user}?seconds={seconds}&messages={max}");
        let mut lines = http::stream(address, &path)?;
        if lines.status != 200 {
            return inquiry::read(address, &path, lines.status, &lines.rest()?);
        }
        let out: Box<dyn Write> = match &self.output {
            Some(path) => Box::new(File::create(path).with_context(|| path.display().to_string())?),
            None => Box::new(stdout),
        };
        let mut writer = Writer::new(self.format, BufWriter::new(out))?;
        eprintln!("mynah: listening to {user} for at most {seconds} s and {max} messages");
        let end = follow(address, &mut lines.body, &mut writer)?;
        let lost = match end.lost {
            0 => String::new(),
            lost => format!(", {lost} more came too fast and are missing"),
        };
        let EndReport { reason, .. } = end;
        eprintln!("mynah: {} messages{lost}; ended by: {reason}", writer.messages);
        Ok(())
    }
}

/// Writes message after message, up to the end of the trace.
fn follow(
    address: SocketAddr,
    body: &mut impl BufRead,
    writer: &mut Writer<impl Write>,
) -> Result<EndReport> {
    let mut line = Vec::new();
    loop {
        line.clear();
        io::Read::take(&mut *body, LINE_LEN_MAX).read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            bail!("http://{address}: the server has gone");
        }
        if line == b"\n" {
            continue;
        }
        let read = serde_json::from_slice(&line);
        match read.with_context(|| format!("http://{address}: a server of another version?"))? {
            Line::Message(message) => writer.message(&message)?,
            Line::End(end) => return Ok(end),
        }
    }
}

/// Where messages go. Each is out before the next is waited for.
struct Writer<W> {
    out: W,
    capture: Option<Capture>,
    messages: u64,
}

impl<W: Write> Writer<W> {
    fn new(format: Format, mut out: W) -> io::Result<Self> {
        let capture = (format == Format::Pcap).then(Capture::default);
        if capture.is_some() {
            out.write_all(&Capture::head())?;
            out.flush()?;
        }
        Ok(Writer { out, capture, messages: 0 })
    }

    fn message(&mut self, message: &MessageReport) -> Result<()> {
        let octets = STANDARD.decode(&message.octets).context("a message is not base64")?;
        self.messages += 1;
        match &mut self.capture {
            Some(capture) => self.out.write_all(&capture.packets(message, &octets)?)?,
            None => self.out.write_all(text(message, &octets).as_bytes())?,
        }
        Ok(self.out.flush()?)
    }
}

/// A message for people.
fn text(message: &MessageReport, octets: &[u8]) -> String {
    let MessageReport { received, connection, peer, local, transport, len, .. } = message;
    let millis = i64::try_from(message.unix_ms).unwrap_or(i64::MAX);
    let time = Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX);
    let way = if *received { "received from" } else { "sent to" };
    let mut text = format!("== {time:.3} {way} {peer} at {local}, {transport} {connection}\n");
    let body = String::from_utf8_lossy(octets).replace("\r\n", "\n");
    text.extend(body.lines().flat_map(|line| [shown(line), "\n".to_owned()]));
    if octets.len() < *len {
        text += &format!("[{} octets more]\n", len - octets.len());
    }
    text.push('\n');
    text
}

fn time(text: &str) -> Result<Duration, String> {
    let time = read_time(text).ok_or("write a number and a unit, as in 30s, 5m or 2h")?;
    match time.as_secs() {
        0 => Err("at least a second".to_owned()),
        _ if time > TIME_MAX => Err("at most a day".to_owned()),
        _ => Ok(time),
    }
}

fn user(text: &str) -> Result<String, String> {
    let whole = if text.contains('@') { text.to_owned() } else { format!("{text}@example.test") };
    Address::parse(&whole).map_err(|error| error.to_string())?;
    Ok(text.strip_prefix("sip:").unwrap_or(text).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn message(received: bool, octets: &[u8]) -> MessageReport {
        MessageReport {
            unix_ms: 1_800_000_000_123,
            received,
            connection: "00000000000700000001".to_owned(),
            peer: "192.0.2.7:40000".parse().unwrap(),
            local: "192.0.2.1:5061".parse().unwrap(),
            transport: "tls".to_owned(),
            octets: STANDARD.encode(octets),
            len: octets.len(),
        }
    }

    #[test]
    fn text_says_when_and_between_whom_and_shows_no_tricks() {
        let octets = b"BYE sip:a SIP/2.0\r\nX: \x1b[1m\r\n\r\n";
        let mut writer = Writer::new(Format::Text, Vec::new()).unwrap();
        writer.message(&MessageReport { len: 100, ..message(true, octets) }).unwrap();
        writer.message(&message(false, b"SIP/2.0 200 OK\r\n\r\n")).unwrap();
        assert_eq!(
            String::from_utf8(writer.out).unwrap(),
            "== 2027-01-15T08:00:00.123Z received from 192.0.2.7:40000 at 192.0.2.1:5061, tls \
             00000000000700000001\nBYE sip:a SIP/2.0\nX: \u{fffd}[1m\n\n[70 octets more]\n\n\
             == 2027-01-15T08:00:00.123Z sent to 192.0.2.7:40000 at 192.0.2.1:5061, tls \
             00000000000700000001\nSIP/2.0 200 OK\n\n\n"
        );
        assert_eq!(writer.messages, 2);
    }

    #[test]
    fn a_trace_is_followed_to_its_end() {
        let end = Line::End(EndReport { reason: "time".to_owned(), lost: 2 });
        let lines = [
            "\n".to_owned(),
            serde_json::to_string(&Line::Message(message(true, b"x"))).unwrap() + "\n",
            serde_json::to_string(&end).unwrap() + "\n",
        ];
        let address = "127.0.0.1:1".parse().unwrap();
        let mut writer = Writer::new(Format::Text, Vec::new()).unwrap();
        let ended = follow(address, &mut lines.concat().as_bytes(), &mut writer).unwrap();
        assert_eq!(end, Line::End(ended));
        assert_eq!(writer.messages, 1);
        let cut = follow(address, &mut &b"\n{"[..], &mut writer).unwrap_err();
        assert!(cut.to_string().ends_with("the server has gone"), "{cut}");
    }

    #[test]
    fn users_and_times_are_checked_before_anybody_is_asked() {
        assert_eq!(user("sip:alice@example.test").unwrap(), "alice@example.test");
        assert_eq!(user("alice").unwrap(), "alice");
        assert!(user("a/b").is_err() && user("").is_err());
        assert_eq!(time("5m").unwrap(), Duration::from_secs(300));
        assert!(time("5").is_err() && time("10ms").is_err() && time("2d").is_err());
    }
}
