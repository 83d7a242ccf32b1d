//! What waits to leave on one connection: plaintext not encrypted yet, and octets that the socket
//! did not take. A flush encrypts all that waits in as few records as fit and sends it at once;
//! memory is held only while the peer does not read.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::net::TcpStream;

use bytes::Bytes;

use super::tls::{Session, TlsError};

/// Plaintext encrypted and sent in one go; the rest waits unencrypted until the socket has taken
/// it, so that a slow reader holds little ciphertext.
const CHUNK: usize = 64 * 1024;

/// The queue of one connection.
#[derive(Debug, Default)]
pub struct Outbound {
    plain: VecDeque<Bytes>,
    plain_len: usize,
    /// In the form of the wire; everything before `sent` has left.
    unsent: Vec<u8>,
    sent: usize,
}

/// Buffers of the core that a flush borrows.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Plaintext of several messages, side by side.
    pub gather: Vec<u8>,
    /// Octets for the wire.
    pub outgoing: Vec<u8>,
}

/// Where octets go.
pub struct Wire<'a> {
    /// The socket.
    pub stream: &'a TcpStream,
    /// The session that encrypts, unless the connection is plain.
    pub tls: Option<&'a mut Session>,
    /// Octets that the socket has taken.
    pub sent: u64,
}

/// Why a flush failed.
#[derive(Debug, thiserror::Error)]
pub enum FlushError {
    /// The socket failed.
    #[error(transparent)]
    Socket(#[from] io::Error),
    /// The session failed.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl Outbound {
    /// Queues a message. `spare` gives the memory for the queue when it was empty.
    pub fn push(&mut self, bytes: Bytes, spare: impl FnOnce() -> VecDeque<Bytes>) {
        if self.plain.capacity() == 0 {
            self.plain = spare();
        }
        self.plain_len += bytes.len();
        self.plain.push_back(bytes);
    }

    /// Octets that wait.
    pub fn len(&self) -> usize {
        self.plain_len + self.unsent.len() - self.sent
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True when the socket was full at the last attempt.
    pub fn is_blocked(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Forgets everything that waits.
    pub fn clear(&mut self) {
        *self = Outbound::default();
    }

    /// Takes the queue's memory back once it is empty.
    pub fn spare(&mut self) -> Option<VecDeque<Bytes>> {
        (self.plain.is_empty() && self.plain.capacity() > 0)
            .then(|| std::mem::take(&mut self.plain))
    }

    /// Sends what waits, as far as the socket takes it; the plaintext octets that were encrypted
    /// or sent are the result.
    pub fn flush(
        &mut self,
        wire: &mut Wire<'_>,
        scratch: &mut Scratch,
    ) -> Result<usize, FlushError> {
        let mut moved = 0;
        loop {
            self.send_unsent(wire)?;
            if self.is_blocked() || self.plain.is_empty() {
                return Ok(moved);
            }
            moved += self.send_chunk(wire, scratch)?;
        }
    }

    /// Sends octets that are in the form of the wire already, after what waits in that form.
    pub fn send_raw(&mut self, wire: &mut Wire<'_>, octets: &[u8]) -> io::Result<()> {
        if self.is_blocked() {
            self.unsent.extend_from_slice(octets);
            return Ok(());
        }
        let sent = send(wire, octets)?;
        if let Some(rest) = octets.get(sent..)
            && !rest.is_empty()
        {
            self.unsent = rest.to_vec();
            self.sent = 0;
        }
        Ok(())
    }

    fn send_unsent(&mut self, wire: &mut Wire<'_>) -> io::Result<()> {
        if let Some(rest) = self.unsent.get(self.sent..)
            && !rest.is_empty()
        {
            self.sent += send(wire, rest)?;
        }
        if self.sent >= self.unsent.len() {
            self.unsent = Vec::new();
            self.sent = 0;
        }
        Ok(())
    }

    fn send_chunk(
        &mut self,
        wire: &mut Wire<'_>,
        scratch: &mut Scratch,
    ) -> Result<usize, FlushError> {
        let mut len = 0;
        let mut count = 0;
        for bytes in &self.plain {
            if count > 0 && len + bytes.len() > CHUNK {
                break;
            }
            len += bytes.len();
            count += 1;
        }
        scratch.gather.clear();
        scratch.outgoing.clear();
        let plain = match self.plain.front() {
            Some(one) if count == 1 => one,
            _ => {
                let front = self.plain.iter().take(count);
                front.for_each(|bytes| scratch.gather.extend_from_slice(bytes));
                &scratch.gather[..]
            }
        };
        let octets = match &mut wire.tls {
            Some(tls) => {
                tls.encrypt(plain, &mut scratch.outgoing)?;
                &scratch.outgoing[..]
            }
            None => plain,
        };
        let sent = send(wire, octets)?;
        if let Some(rest) = octets.get(sent..)
            && !rest.is_empty()
        {
            self.unsent = rest.to_vec();
            self.sent = 0;
        }
        self.plain.drain(..count);
        self.plain_len -= len;
        Ok(len)
    }
}

/// Sends until the socket is full; the octets it took. A socket that was full is ready again once
/// it takes more.
fn send(wire: &mut Wire<'_>, octets: &[u8]) -> io::Result<usize> {
    let mut stream = wire.stream;
    let mut sent = 0;
    while let Some(rest) = octets.get(sent..)
        && !rest.is_empty()
    {
        match stream.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                sent += n;
                wire.sent += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}
