//! What is said in a conference, as each member's client can show it.
//!
//! A body goes out unchanged where it can. Whose client does not take it gets the alternative it
//! takes, or HTML turned into text; whose client does not know Ms-Sender gets text that begins
//! with the author's name.

mod html;

use std::borrow::Cow;

use bytes::Bytes;

use super::text;
use crate::base::limits::Limits;
use crate::immcu::conference::{Accepts, Speech};
use crate::wire::mime::content_type::ContentType;
use crate::wire::mime::multipart;

/// A message as it is written to a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendition {
    /// Its Content-Type, parameters included.
    pub content_type: Bytes,
    /// Its body.
    pub body: Bytes,
}

/// The renditions of one message: each is made once, however many members get it.
#[derive(Debug)]
pub struct Renditions<'a> {
    speech: &'a Speech,
    limits: &'a Limits,
    made: [Option<Option<Rendition>>; 8],
}

impl<'a> Renditions<'a> {
    /// Makes none yet.
    pub fn new(speech: &'a Speech, limits: &'a Limits) -> Self {
        Renditions { speech, limits, made: Default::default() }
    }

    /// The one for a client that accepts this; `None` when it can show none.
    pub fn of(&mut self, accepts: Accepts) -> Option<&Rendition> {
        let index = usize::from(accepts.html)
            | usize::from(accepts.alternative) << 1
            | usize::from(accepts.sender) << 2;
        let (speech, limits) = (self.speech, self.limits);
        let made = self.made.get_mut(index)?;
        made.get_or_insert_with(|| render(speech, accepts, limits)).as_ref()
    }
}

/// The message for a client that accepts this; `None` when it can show nothing of it.
pub fn render(speech: &Speech, accepts: Accepts, limits: &Limits) -> Option<Rendition> {
    let content_type = ContentType::parse(&speech.content_type);
    if content_type.is("multipart/alternative") {
        if accepts.alternative && accepts.sender {
            return Some(unchanged(speech));
        }
        let parts = multipart::parts(content_type, &speech.body, limits).ok()?;
        return alternative(speech, &parts, accepts);
    }
    let whole = Part { content_type: &speech.content_type, body: &speech.body };
    match whole.shown(accepts)? {
        Shown::Unchanged if accepts.sender => Some(unchanged(speech)),
        Shown::Unchanged => signed(speech, text_of(whole)?),
        Shown::Text(text) if accepts.sender => Some(plain(text)),
        Shown::Text(text) => signed(speech, text),
    }
}

#[derive(Clone, Copy)]
struct Part<'a> {
    content_type: &'a [u8],
    body: &'a [u8],
}

/// How a client can show a part.
enum Shown<'a> {
    Unchanged,
    Text(Cow<'a, str>),
}

impl<'a> Part<'a> {
    /// `None` when it cannot.
    fn shown(self, accepts: Accepts) -> Option<Shown<'a>> {
        let content_type = ContentType::parse(self.content_type);
        if content_type.is("text/plain") {
            return Some(Shown::Unchanged);
        }
        if !content_type.is("text/html") {
            return None;
        }
        if accepts.html && accepts.sender {
            return Some(Shown::Unchanged);
        }
        Some(Shown::Text(html::to_text(unicode(self)?).into()))
    }
}

/// The last alternative is the best (RFC 2046 section 5.1.4); but text that the author's client
/// wrote is better than what we make of HTML.
fn alternative(
    speech: &Speech,
    parts: &[multipart::Part<'_>],
    accepts: Accepts,
) -> Option<Rendition> {
    let mut made = None;
    for part in parts.iter().rev() {
        let part = Part { content_type: part.content_type, body: part.body };
        match part.shown(accepts) {
            Some(Shown::Unchanged) if accepts.sender => {
                return Some(Rendition {
                    content_type: Bytes::copy_from_slice(part.content_type),
                    body: speech.body.slice_ref(part.body),
                });
            }
            Some(Shown::Unchanged) => return signed(speech, text_of(part)?),
            Some(Shown::Text(text)) if made.is_none() => made = Some(text),
            _ => {}
        }
    }
    let text = made?;
    if accepts.sender { Some(plain(text)) } else { signed(speech, text) }
}

fn unchanged(speech: &Speech) -> Rendition {
    Rendition { content_type: speech.content_type.clone(), body: speech.body.clone() }
}

fn plain(text: Cow<'_, str>) -> Rendition {
    let body = Bytes::from(text.into_owned());
    Rendition { content_type: Bytes::from_static(text::PLAIN.as_bytes()), body }
}

/// The text with the author's name before it. Only what has no control characters is part of the
/// name: nobody speaks for others by a name with a line end in it.
fn signed(speech: &Speech, text: Cow<'_, str>) -> Option<Rendition> {
    let name = match &*speech.name {
        "" => speech.author.as_str(),
        name => name,
    };
    let mut all = String::with_capacity(name.len() + 2 + text.len());
    all.extend(name.chars().filter(|c| !c.is_control()));
    all.push_str(": ");
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        all.push(character);
        let is_crlf = character == '\r' && characters.peek() == Some(&'\n');
        if breaks_lines(character) && !is_crlf {
            // Further lines stand apart, or one could look like the beginning of another's.
            all.push_str("  ");
        }
    }
    Some(plain(all.into()))
}

/// True for whatever some client begins a line after (Unicode Standard Annex 14, mandatory breaks).
fn breaks_lines(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// The text of a plain part; `None` when it is not in UTF-8.
fn text_of(part: Part<'_>) -> Option<Cow<'_, str>> {
    let text = text::plain(Some(part.content_type), part.body)?;
    std::str::from_utf8(text).ok().map(Cow::Borrowed)
}

/// The text of a part whose charset is UTF-8 or not said.
fn unicode(part: Part<'_>) -> Option<&str> {
    let charset = ContentType::parse(part.content_type).param("charset").unwrap_or(b"utf-8");
    let known = charset.eq_ignore_ascii_case(b"utf-8") || charset.eq_ignore_ascii_case(b"us-ascii");
    std::str::from_utf8(part.body).ok().filter(|_| known)
}

#[cfg(test)]
mod tests;
