//! What users may write to one another: links and names of files in messages, and the clients
//! they may use.
//!
//! A [`Filter`] is what a policy says, prepared once. It is held against each message before it
//! goes anywhere, so that it holds for sessions, conferences and pager mode alike.

mod client_version;
mod extension;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod html;
mod links;
#[cfg(test)]
mod tests;

pub use client_version::{Clients, Judgement};

use crate::base::limits::Limits;
use crate::config::{FileAction, LinkAction, Policy};
use crate::wire::mime::content_type::ContentType;
use crate::wire::mime::multipart;
use extension::Extensions;
use html::Resolved;
use links::Prefixes;

/// Bodies of several parts within one another; clients write two.
const DEPTH_MAX: usize = 4;

/// What is done with links and files in messages.
#[derive(Clone, Debug)]
pub struct Filter {
    prefixes: Prefixes,
    ignore_local: bool,
    links: LinkAction,
    /// Stands before a message that was changed, or is let through with a warning.
    notice: Option<Notice>,
    /// Links to these files block a message, and so do offers.
    files: Option<Extensions>,
    /// Offers of all other files do too.
    all_files: bool,
}

/// A text in the forms in which it can stand before a message.
#[derive(Clone, Debug)]
struct Notice {
    /// In UTF-8.
    plain: Vec<u8>,
    /// In any other charset.
    ascii: Vec<u8>,
    html: Vec<u8>,
}

/// What becomes of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on as it is.
    Pass,
    /// It goes on with this body, under the same Content-Type.
    Replace(Vec<u8>),
    /// It goes no further.
    Block(Blocked),
}

/// Why a message goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blocked {
    /// It offers a file that may not be sent, or links to one.
    File,
    /// It has a link.
    Link,
    /// It has more links than `links_per_message_max`.
    TooManyLinks,
    /// It may have links that are not seen, or cannot carry the notice it must have.
    Unreadable,
}

/// How the body of a message is read.
enum Form {
    Html,
    Multipart,
    /// An offer of a file, as Lync clients make it.
    Offer,
    Plain,
    /// Nothing that people read.
    Signal,
    /// Text whose form is not known: a notice before it could be anything.
    Verbatim,
}

impl Filter {
    /// What a policy wants done; `None` if it lets everything through.
    pub fn new(policy: &Policy) -> Option<Self> {
        let (im, files) = (&policy.im_filter, &policy.file_filter);
        if im.action == LinkAction::Off && files.action == FileAction::Off {
            return None;
        }
        let notice = match im.action {
            LinkAction::Allow => &im.allow_message,
            LinkAction::Warn => &im.warn_message,
            LinkAction::Block | LinkAction::Off => "",
        };
        let filters_files = files.action != FileAction::Off;
        Some(Filter {
            prefixes: Prefixes::new(im.prefixes.iter().map(String::as_str)),
            ignore_local: im.ignore_local,
            links: im.action,
            notice: (!notice.is_empty()).then(|| Notice::new(notice)),
            files: filters_files.then(|| Extensions::new(&files.extensions)),
            all_files: files.action == FileAction::All,
        })
    }

    /// Looks at the body of a message. Takes time in proportion to its length; of plain text in
    /// which nothing is found, no memory.
    pub fn check(&self, content_type: Option<&[u8]>, body: &[u8], limits: &Limits) -> Verdict {
        match self.checked(content_type.unwrap_or(b"text/plain"), body, limits, DEPTH_MAX) {
            Ok(None) => Verdict::Pass,
            Ok(Some(body)) => Verdict::Replace(body),
            Err(blocked) => Verdict::Block(blocked),
        }
    }

    /// The new body, if it must be another one.
    fn checked(
        &self,
        content_type: &[u8],
        body: &[u8],
        limits: &Limits,
        depth: usize,
    ) -> Result<Option<Vec<u8>>, Blocked> {
        let content_type = ContentType::parse(content_type);
        let form = form(content_type);
        if matches!(form, Form::Html | Form::Offer | Form::Plain | Form::Verbatim)
            && !has_ascii(content_type)
        {
            return Err(Blocked::Unreadable);
        }
        match form {
            Form::Html => {
                let resolved = Resolved::new(body);
                let mut links = self.links(&resolved.text, limits)?;
                links.iter_mut().for_each(|at| *at = resolved.origin(*at));
                self.changed(body, &links, |notice| Some(&notice.html))
            }
            Form::Multipart => self.multipart(content_type, body, limits, depth),
            Form::Offer => self.offer(body).map(|()| None),
            Form::Plain => {
                let links = self.links(body, limits)?;
                let is_utf_8 = is_utf_8(content_type);
                self.changed(body, &links, |notice| {
                    Some(if is_utf_8 { &notice.plain } else { &notice.ascii })
                })
            }
            Form::Signal => Ok(None),
            Form::Verbatim => {
                let links = self.links(body, limits)?;
                self.changed(body, &links, |_| None)
            }
        }
    }

    /// Where the links of a text begin with which something must be done.
    fn links(&self, text: &[u8], limits: &Limits) -> Result<Vec<usize>, Blocked> {
        let (mut found, mut count) = (Vec::new(), 0);
        for link in self.prefixes.links(text) {
            if self.ignore_local && link.is_local(text) {
                continue;
            }
            count += 1;
            if count > limits.links_per_message_max {
                return Err(Blocked::TooManyLinks);
            }
            let rest = text.get(link.rest.clone()).unwrap_or_default();
            if self.files.as_ref().is_some_and(|files| files.end_link(link.kind, rest)) {
                return Err(Blocked::File);
            }
            match self.links {
                LinkAction::Allow if link.is_inactive(text) => {}
                LinkAction::Allow | LinkAction::Warn => found.push(link.start),
                LinkAction::Block => return Err(Blocked::Link),
                LinkAction::Off => {}
            }
        }
        Ok(found)
    }

    /// A body with links at these places as it goes on: behind the form of the notice that fits.
    fn changed<'a>(
        &'a self,
        body: &[u8],
        links: &[usize],
        form: impl FnOnce(&'a Notice) -> Option<&'a Vec<u8>>,
    ) -> Result<Option<Vec<u8>>, Blocked> {
        if links.is_empty() {
            return Ok(None);
        }
        let notice = match &self.notice {
            Some(notice) => form(notice).ok_or(Blocked::Unreadable)?.as_slice(),
            None => &[],
        };
        let mut changed = Vec::with_capacity(notice.len() + body.len() + links.len());
        changed.extend_from_slice(notice);
        let mut from = 0;
        if self.links == LinkAction::Allow {
            for at in links {
                changed.extend_from_slice(body.get(from..*at).unwrap_or_default());
                changed.push(b'_');
                from = *at;
            }
        }
        changed.extend_from_slice(body.get(from..).unwrap_or_default());
        Ok(Some(changed))
    }

    /// Each part on its own; what is around them stays, and may have no links: a client that
    /// reads the boundary in another way would show it.
    fn multipart(
        &self,
        content_type: ContentType<'_>,
        body: &[u8],
        limits: &Limits,
        depth: usize,
    ) -> Result<Option<Vec<u8>>, Blocked> {
        let depth = depth.checked_sub(1).ok_or(Blocked::Unreadable)?;
        let sections =
            |body| multipart::sections(content_type, body, limits).map_err(|_| Blocked::Unreadable);
        let read = sections(body)?;
        let mut changed: Option<Vec<u8>> = None;
        let (mut from, mut gap) = (0, 0);
        for section in &read {
            let part_type = match section.part.content_type {
                b"" => b"text/plain",
                content_type => content_type,
            };
            self.gap(body.get(gap..section.body.start), limits)?;
            gap = section.body.end;
            let is_signal = matches!(form(ContentType::parse(part_type)), Form::Signal);
            if !is_signal && !is_bare(section.transfer_encoding) {
                return Err(Blocked::Unreadable);
            }
            let part = self.checked(part_type, section.part.body, limits, depth)?;
            let Some(part) = part else { continue };
            let out = changed.get_or_insert_with(|| Vec::with_capacity(body.len() + part.len()));
            out.extend_from_slice(body.get(from..section.body.start).unwrap_or_default());
            out.extend_from_slice(&part);
            from = section.body.end;
        }
        self.gap(body.get(gap..), limits)?;
        let Some(mut changed) = changed else { return Ok(None) };
        changed.extend_from_slice(body.get(from..).unwrap_or_default());
        // A boundary that stands in the notice would hide the notice.
        let again = sections(&changed)?.len();
        if again == read.len() { Ok(Some(changed)) } else { Err(Blocked::Unreadable) }
    }

    /// What stands around parts.
    fn gap(&self, text: Option<&[u8]>, limits: &Limits) -> Result<(), Blocked> {
        match self.links(text.unwrap_or_default(), limits)?.as_slice() {
            [] => Ok(()),
            _ => Err(Blocked::Unreadable),
        }
    }

    /// An offer of a file, or another word about its transfer.
    fn offer(&self, body: &[u8]) -> Result<(), Blocked> {
        let Some(files) = &self.files else { return Ok(()) };
        let mut names = body.split(|octet| *octet == b'\n').filter_map(|line| {
            let colon = memchr::memchr(b':', line)?;
            let (name, value) = line.split_at_checked(colon)?;
            let is_file = name.trim_ascii().eq_ignore_ascii_case(b"Application-File");
            is_file.then(|| value.get(1..).unwrap_or_default().trim_ascii())
        });
        let is_blocked = names.any(|name| self.all_files || files.end(name));
        if is_blocked { Err(Blocked::File) } else { Ok(()) }
    }
}

impl Notice {
    fn new(text: &str) -> Self {
        let text = text.trim_end();
        let plain = format!("{text}\r\n");
        let ascii = plain.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect::<String>();
        Notice { plain: plain.into_bytes(), ascii: ascii.into_bytes(), html: html::lines(text) }
    }
}

fn form(content_type: ContentType<'_>) -> Form {
    let is_of = |media: &str| {
        let head = content_type.media.get(..media.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(media.as_bytes()))
    };
    if content_type.is("text/plain") {
        Form::Plain
    } else if content_type.is("text/html") {
        Form::Html
    } else if content_type.is("text/x-msmsgsinvite") {
        Form::Offer
    } else if is_of("multipart/") {
        Form::Multipart
    } else if is_of("text/") || content_type.is("message/cpim") {
        Form::Verbatim
    } else {
        Form::Signal
    }
}

fn is_utf_8(content_type: ContentType<'_>) -> bool {
    content_type.param("charset").is_none_or(|charset| charset.eq_ignore_ascii_case(b"utf-8"))
}

/// Whether the octets of ASCII stand for themselves.
fn has_ascii(content_type: ContentType<'_>) -> bool {
    let Some(charset) = content_type.param("charset") else { return true };
    let charset = charset.to_ascii_lowercase();
    matches!(&*charset, b"utf-8" | b"us-ascii" | b"ascii")
        || charset.starts_with(b"iso-8859-")
        || charset.starts_with(b"windows-12")
}

/// Whether a part stands in the body as it is (RFC 2045 section 6.2).
fn is_bare(transfer_encoding: &[u8]) -> bool {
    let encoding = transfer_encoding.to_ascii_lowercase();
    matches!(&*encoding, b"" | b"7bit" | b"8bit" | b"binary")
}
