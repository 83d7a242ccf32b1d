//! One request to the admin listener: enough HTTP for pages of our own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// For the connection, and for each read of the answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Longest answer: the largest of conferences, with names as long as may be, has half of it.
const ANSWER_LEN_MAX: u64 = 16 << 20;
/// Longest head of an answer.
const HEAD_LEN_MAX: u64 = 16 << 10;

/// No connection can be made.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("nothing answers at http://{0}: is the server running?")]
pub struct NothingAnswers(SocketAddr);

/// Status and body of `path`.
pub fn get(address: SocketAddr, path: &str) -> Result<(u16, String)> {
    request(address, "GET", path)
}

/// Status and body of the answer to the order that `path` is.
pub fn post(address: SocketAddr, path: &str) -> Result<(u16, String)> {
    request(address, "POST", path)
}

/// An answer that comes little by little.
pub struct Stream {
    /// Its status.
    pub status: u16,
    /// Its body, up to the end of the connection. A read waits for five seconds at most.
    pub body: BufReader<TcpStream>,
}

impl Stream {
    /// What is left of the body.
    pub fn rest(self) -> Result<String> {
        let mut rest = String::new();
        self.body.take(ANSWER_LEN_MAX).read_to_string(&mut rest)?;
        Ok(rest)
    }
}

/// The answer to `path` as it comes.
pub fn stream(address: SocketAddr, path: &str) -> Result<Stream> {
    let mut body = BufReader::new(send(address, "GET", path)?);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut limited = body.by_ref().take(HEAD_LEN_MAX.saturating_sub(head.len() as u64));
        if limited.read_until(b'\n', &mut head)? == 0 {
            break;
        }
    }
    let (status, _) = read(&head).ok_or_else(|| NotMynah(address, path.to_owned()))?;
    Ok(Stream { status, body })
}

fn request(address: SocketAddr, method: &str, path: &str) -> Result<(u16, String)> {
    let stream = send(address, method, path)?;
    let mut answer = Vec::new();
    let context = || format!("http://{address}{path}");
    stream.take(ANSWER_LEN_MAX + 1).read_to_end(&mut answer).with_context(context)?;
    if answer.len() as u64 > ANSWER_LEN_MAX {
        bail!("http://{address}{path}: the answer is too long: is this the server's http address?");
    }
    Ok(read(&answer).ok_or_else(|| NotMynah(address, path.to_owned()))?)
}

/// What answers is something else.
#[derive(Debug, thiserror::Error)]
#[error("http://{0}{1}: not an answer of Mynah: is this the server's http address?")]
struct NotMynah(SocketAddr, String);

fn send(address: SocketAddr, method: &str, path: &str) -> Result<TcpStream> {
    let mut stream =
        TcpStream::connect_timeout(&address, TIMEOUT).context(NothingAnswers(address))?;
    let context = || format!("http://{address}{path}");
    stream.set_read_timeout(Some(TIMEOUT)).with_context(context)?;
    stream.set_write_timeout(Some(TIMEOUT)).with_context(context)?;
    // Version 1.0: the answer ends with the connection and comes in one piece.
    let request =
        format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(request.as_bytes()).with_context(context)?;
    Ok(stream)
}

fn read(answer: &[u8]) -> Option<(u16, String)> {
    let answer = std::str::from_utf8(answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let mut words = head.lines().next()?.split(' ');
    if !words.next()?.starts_with("HTTP/1.") {
        return None;
    }
    Some((words.next()?.parse().ok()?, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_body_are_read() {
        let answer = b"HTTP/1.0 503 Service Unavailable\r\ncontent-length: 2\r\n\r\n{}";
        assert_eq!(read(answer), Some((503, "{}".to_owned())));
        for bad in
            [&b""[..], b"SIP/2.0 400\r\n\r\n", b"HTTP/1.1 x\r\n\r\n", b"HTTP/1.1 200", b"\xff"]
        {
            assert_eq!(read(bad), None);
        }
    }
}
