//! The rules a message must keep before anybody looks at it (RFC 3261 sections 8.1.1, 8.2 and 20).

use super::error::Error;
use super::header::HeaderName;
use super::message::Message;

/// The headers every request and response carries.
const MANDATORY: [HeaderName; 5] =
    [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq];

/// Checks what `Framed::Message` promises; the first rule broken, in the order of the message for
/// faults of the lines, then in the order of this function.
pub(super) fn check(message: Message<'_>) -> Result<(), Error> {
    if let Some(error) = message.head().error() {
        return Err(error);
    }
    for name in MANDATORY {
        if message.head().first(name).is_none() {
            return Err(Error::MissingHeader(name));
        }
    }
    message.call_id()?;
    let cseq = message.cseq()?;
    if message.is_request() && cseq.method != message.method_text() {
        return Err(Error::CSeqMethod);
    }
    message.from()?;
    message.to()?;
    message.max_forwards()?;
    Ok(())
}

#[cfg(test)]
mod tests;
