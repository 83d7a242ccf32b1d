//! Cuts messages out of a stream (RFC 3261 section 18.3, RFC 5626 section 4.4.1).

use super::error::{Error, StreamError};
use super::head::{Cursor, Head};
use super::message::Message;
use super::rules;
use crate::base::limits::Limits;

/// The framing state of one connection. It keeps offsets, no octets: the caller hands the octets
/// it has not consumed again with more behind them.
///
/// However the octets are cut into calls, the same messages and the same error come out. An octet
/// is looked at once to find the end of the head, and at most twice more when the message came in
/// several calls, because the [`Head`] may have served another connection in between.
#[derive(Clone, Debug, Default)]
pub struct Framer {
    phase: Phase,
    /// One CRLF came that may become a ping with the next.
    half_ping: bool,
}

#[derive(Clone, Debug, Default)]
enum Phase {
    /// Between messages.
    #[default]
    Start,
    /// A message was begun; its head is not whole.
    Head(Cursor),
    /// The head is whole; the message has `len` octets in all.
    Body { len: usize },
}

/// What stands at the start of the octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framed {
    /// Nothing whole: more octets are needed.
    Incomplete,
    /// Keep-alives.
    KeepAlive {
        /// Octets to consume.
        consumed: usize,
        /// Complete CRLFCRLF pings: each is answered with one CRLF.
        pings: u32,
    },
    /// A whole message of `len` octets, indexed in the head. It keeps the rules of RFC 3261
    /// sections 8.1.1 and 20: a well-formed start line of SIP/2.0; exactly one Call-ID, CSeq, From
    /// and To, each well-formed; at most one Max-Forwards from 0 to 255; at least one Via; the
    /// CSeq's method is the request's.
    Message {
        /// Octets of the message.
        len: usize,
    },
    /// A whole message of `len` octets which breaks a message rule: refuse it, keep the stream.
    /// The head holds what could be indexed.
    Malformed {
        /// Octets of the message.
        len: usize,
        /// The first rule found broken.
        error: Error,
    },
}

impl Framer {
    /// A framer at the start of a stream.
    pub fn new() -> Self {
        Framer::default()
    }

    /// Looks at `buf`, which starts at the first octet not consumed yet. Call it again after
    /// octets were appended, or after the octets of the last result were removed.
    ///
    /// # Errors
    /// When the frame cannot be known. `head` holds the lines before the fault, for an answer;
    /// then the connection is to be closed, and another call gives the same error.
    pub fn next(
        &mut self,
        buf: &[u8],
        limits: &Limits,
        head: &mut Head,
    ) -> Result<Framed, StreamError> {
        let len = match self.phase {
            Phase::Body { len } => {
                if buf.len() < len {
                    return Ok(Framed::Incomplete);
                }
                head.index(buf, limits)?;
                len
            }
            Phase::Start => {
                if let Some(framed) = self.keep_alives(buf)? {
                    return Ok(framed);
                }
                self.half_ping = false;
                match self.head(Cursor::default(), buf, limits, head)? {
                    None => return Ok(Framed::Incomplete),
                    Some(len) => len,
                }
            }
            Phase::Head(cursor) => match self.head(cursor, buf, limits, head)? {
                None => return Ok(Framed::Incomplete),
                Some(len) => len,
            },
        };
        let Some(bytes) = buf.get(..len) else {
            self.phase = Phase::Body { len };
            return Ok(Framed::Incomplete);
        };
        self.phase = Phase::Start;
        Ok(match rules::check(Message::new(bytes, head)) {
            Ok(()) => Framed::Message { len },
            Err(error) => Framed::Malformed { len, error },
        })
    }

    /// Whether a message was begun and is not complete; its timer runs then.
    pub fn mid_message(&self) -> bool {
        !matches!(self.phase, Phase::Start)
    }

    /// Octets still missing of the current message when `buf_len` octets are there; `None` while
    /// its head is not whole.
    pub fn missing(&self, buf_len: usize) -> Option<usize> {
        match self.phase {
            Phase::Body { len } => Some(len.saturating_sub(buf_len)),
            Phase::Start | Phase::Head(_) => None,
        }
    }

    /// Takes the CRLFs before a message; `None` when a message starts here.
    fn keep_alives(&mut self, buf: &[u8]) -> Result<Option<Framed>, StreamError> {
        let (pairs, _) = buf.as_chunks::<2>();
        let count = pairs.iter().take_while(|pair| *pair == b"\r\n").count();
        if count > 0 {
            let halves = count + usize::from(self.half_ping);
            self.half_ping = halves % 2 == 1;
            let pings = u32::try_from(halves / 2).unwrap_or(u32::MAX);
            return Ok(Some(Framed::KeepAlive { consumed: count * 2, pings }));
        }
        match buf {
            [] | [b'\r'] => Ok(Some(Framed::Incomplete)),
            [b'\r' | b'\n', ..] => Err(StreamError::LineEnding),
            _ => Ok(None),
        }
    }

    /// Goes on with the head; the length of the message once its head is whole.
    fn head(
        &mut self,
        mut cursor: Cursor,
        buf: &[u8],
        limits: &Limits,
        head: &mut Head,
    ) -> Result<Option<usize>, StreamError> {
        let at_start = cursor == Cursor::default();
        if at_start {
            head.reset();
        }
        let whole = head.scan(&mut cursor, buf, limits);
        if whole == Ok(false) {
            self.phase = Phase::Head(cursor);
            return Ok(None);
        }
        let head_len = if at_start {
            whole?;
            head.close(buf, limits)?
        } else {
            match head.index(buf, limits)? {
                Some(head_len) => head_len,
                None => return Ok(None),
            }
        };
        Ok(Some(head_len.saturating_add(head.content_length())))
    }
}

#[cfg(test)]
mod tests;
