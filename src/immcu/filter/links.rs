//! Where links stand in a text. Every octet is looked at a bounded number of times, whatever the
//! text.

use std::ops::Range;

/// Longest label of a host name (RFC 1035 section 2.3.4).
const LABEL_LEN_MAX: usize = 63;

/// The beginnings by which links are known, by the octet at which each is looked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Prefixes {
    /// `http:`
    schemes: Vec<Box<[u8]>>,
    /// First labels of host names, `ftp` of `ftp.`; true where any may follow, as in `www*.`
    labels: Vec<(Box<[u8]>, bool)>,
    /// `href`
    attributes: Vec<Box<[u8]>>,
}

/// What a link begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The name of an attribute; its value follows.
    Attribute,
    /// The scheme of files.
    File,
    /// The first label of a host name.
    Host,
    /// Any other scheme.
    Scheme,
}

/// A link in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// What it begins with.
    pub(super) kind: Kind,
    /// Where it begins.
    pub(super) start: usize,
    /// What follows its beginning, up to the next link if that follows without a gap.
    pub(super) rest: Range<usize>,
    /// Where the word it stands in ends.
    pub(super) word_end: usize,
}

impl Link {
    /// True if an underscore before it keeps clients from taking it for a link.
    pub(super) fn is_inactive(&self, text: &[u8]) -> bool {
        self.start.checked_sub(1).and_then(|before| text.get(before)) == Some(&b'_')
    }

    /// True if it leads to a host whose name has no dot. What could be read in another way, such
    /// as a user before the host or a number for an address, is not local.
    pub(super) fn is_local(&self, text: &[u8]) -> bool {
        let rest = text.get(self.rest.start..self.word_end).unwrap_or_default();
        match self.kind {
            Kind::File | Kind::Scheme => is_local_host(rest),
            Kind::Host => false,
            Kind::Attribute => {
                let colon = rest.iter().position(|octet| !octet.is_ascii_alphabetic());
                let after = colon.and_then(|at| rest.get(at..)?.strip_prefix(b":"));
                after.is_some_and(is_local_host)
            }
        }
    }
}

impl Prefixes {
    /// Beginnings in lower case: with `:` or `.` at the end, or the name of an attribute.
    pub(super) fn new<'a>(prefixes: impl Iterator<Item = &'a str>) -> Self {
        let mut sorted = Prefixes::default();
        for prefix in prefixes {
            let octets = |text: &str| text.as_bytes().into();
            if prefix.ends_with(':') {
                sorted.schemes.push(octets(prefix));
            } else if let Some(label) = prefix.strip_suffix("*.") {
                sorted.labels.push((octets(label), true));
            } else if let Some(label) = prefix.strip_suffix('.') {
                sorted.labels.push((octets(label), false));
            } else {
                sorted.attributes.push(octets(prefix));
            }
        }
        sorted
    }

    /// The links of `text`, in order.
    pub(super) fn links<'a>(&'a self, text: &'a [u8]) -> Links<'a> {
        Links { prefixes: self, text, at: 0, word_end: 0, last: None }
    }

    /// The scheme that ends with the colon at `at`: where it begins.
    fn scheme(&self, text: &[u8], at: usize) -> Option<(Kind, usize)> {
        let (before, after) = text.split_at_checked(at + 1)?;
        if after.first().is_none_or(|octet| ends_word(*octet)) {
            return None;
        }
        let ends_with = |scheme: &[u8]| {
            let tail = before.len().checked_sub(scheme.len()).and_then(|at| before.get(at..));
            tail.is_some_and(|tail| tail.eq_ignore_ascii_case(scheme))
        };
        let found = self.schemes.iter().filter(|scheme| ends_with(scheme));
        let scheme = found.max_by_key(|scheme| scheme.len())?;
        let start = before.len().checked_sub(scheme.len())?;
        // Clients look for `http://` in the middle of words, and for `tel:` not in `hotel:`.
        let in_word = preceding(text, start).is_some_and(|octet| octet.is_ascii_alphanumeric());
        let kind = if **scheme == *b"file:" { Kind::File } else { Kind::Scheme };
        (!in_word || after.starts_with(b"//")).then_some((kind, start))
    }

    /// The label that ends before the dot at `at`, if it begins a host name that is a link.
    fn label(&self, text: &[u8], at: usize) -> Option<(Kind, usize)> {
        let follows = text.get(at + 1)?;
        if !(follows.is_ascii_alphanumeric() || *follows >= 0x80) {
            return None;
        }
        let label = name_before(text, at, LABEL_LEN_MAX)?;
        let is_prefix = |(prefix, open): &(Box<[u8]>, bool)| match open {
            true => label.get(..prefix.len()).is_some_and(|l| l.eq_ignore_ascii_case(prefix)),
            false => label.eq_ignore_ascii_case(prefix),
        };
        let start = at - label.len();
        let in_name = matches!(preceding(text, start), Some(b'.' | b'@'));
        (!in_name && self.labels.iter().any(is_prefix)).then_some((Kind::Host, start))
    }

    /// The attribute whose name ends before the equals sign at `at`.
    fn attribute(&self, text: &[u8], at: usize) -> Option<(Kind, usize)> {
        let before = text.get(..at)?.trim_ascii_end();
        let name = name_before(text, before.len(), LABEL_LEN_MAX)?;
        let known = self.attributes.iter().any(|attribute| attribute.eq_ignore_ascii_case(name));
        known.then_some((Kind::Attribute, before.len() - name.len()))
    }
}

/// The links of a text.
pub(super) struct Links<'a> {
    prefixes: &'a Prefixes,
    text: &'a [u8],
    /// Up to here all beginnings are known.
    at: usize,
    /// Where the word of the last link ends.
    word_end: usize,
    /// The last link found: where it ends depends on the next one.
    last: Option<Link>,
}

impl Links<'_> {
    /// The next link, as far as it is known without the one behind it.
    fn find(&mut self) -> Option<Link> {
        loop {
            let rest = self.text.get(self.at..)?;
            let at = self.at + memchr::memchr3(b':', b'.', b'=', rest)?;
            self.at = at + 1;
            let found = match self.text.get(at)? {
                b':' => self.prefixes.scheme(self.text, at),
                b'.' => self.prefixes.label(self.text, at),
                _ => self.prefixes.attribute(self.text, at),
            };
            let Some((kind, start)) = found else { continue };
            let behind = match kind {
                Kind::Attribute => value(self.text, at + 1),
                Kind::File | Kind::Host | Kind::Scheme => at + 1,
            };
            if start < self.word_end {
                // Part of the link before it, unless clients would see a new one there.
                let slashes = self.text.get(behind..).is_some_and(|rest| rest.starts_with(b"//"));
                if !slashes && !preceding(self.text, start).is_some_and(separates) {
                    continue;
                }
            } else {
                let rest = self.text.get(behind..).unwrap_or_default();
                let len = rest.iter().position(|octet| ends_word(*octet)).unwrap_or(rest.len());
                self.word_end = behind + len;
            }
            let rest = behind..self.word_end.max(behind);
            return Some(Link { kind, start, rest, word_end: self.word_end });
        }
    }
}

impl Iterator for Links<'_> {
    type Item = Link;

    fn next(&mut self) -> Option<Link> {
        let mut link = match self.last.take() {
            Some(link) => link,
            None => self.find()?,
        };
        self.last = self.find();
        if let Some(next) = &self.last {
            link.rest.end = link.rest.end.min(next.start).max(link.rest.start);
        }
        Some(link)
    }
}

/// The octet before `at`.
fn preceding(text: &[u8], at: usize) -> Option<u8> {
    at.checked_sub(1).and_then(|before| text.get(before)).copied()
}

/// The letters, digits and hyphens before `at`; `None` if there are none, or more than `max`.
fn name_before(text: &[u8], at: usize, max: usize) -> Option<&[u8]> {
    let before = text.get(..at)?;
    let is_part = |octet: &&u8| octet.is_ascii_alphanumeric() || **octet == b'-';
    let len = before.iter().rev().take(max + 1).take_while(is_part).count();
    let name = before.get(before.len() - len..)?;
    (1..=max).contains(&len).then_some(name)
}

/// Where the value of an attribute begins whose equals sign is right before `at`.
fn value(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let value = rest.trim_ascii_start();
    let value = value.strip_prefix(b"\"").or(value.strip_prefix(b"'")).unwrap_or(value);
    text.len() - value.len()
}

/// Whether no link goes on at this octet.
fn ends_word(octet: u8) -> bool {
    octet <= b' ' || matches!(octet, b'<' | b'>' | b'"' | b'`' | 0x7f)
}

/// Whether clients may end a link at this octet and begin another behind it.
fn separates(octet: u8) -> bool {
    matches!(octet, b',' | b';' | b'|' | b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'\'')
}

/// Whether what follows a scheme is a host whose name has no dot.
fn is_local_host(rest: &[u8]) -> bool {
    let Some(host) = rest.strip_prefix(b"//") else { return false };
    let is_name = |octet: &&u8| octet.is_ascii_alphanumeric() || **octet == b'-';
    let len = host.iter().take_while(is_name).count();
    let Some((name, after)) = host.split_at_checked(len) else { return false };
    let after = match after.strip_prefix(b":") {
        Some(port) => {
            // Without digits it may be the colon of another link.
            let digits = port.iter().take_while(|octet| octet.is_ascii_digit()).count();
            port.get(digits..).filter(|_| digits > 0).unwrap_or(b":")
        }
        None => after,
    };
    name.first().is_some_and(u8::is_ascii_alphabetic)
        && matches!(after.first(), None | Some(b'/' | b'?' | b'#'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::filter::PREFIXES;

    /// The links of a text: what each begins with and what follows.
    fn links(text: &str) -> Vec<(Kind, &str)> {
        let prefixes = Prefixes::new(PREFIXES.into_iter());
        prefixes.links(text.as_bytes()).map(|l| (l.kind, &text[l.start..l.rest.end])).collect()
    }

    #[test]
    fn the_prefixes_of_the_product_begin_links_whatever_the_case() {
        for link in [
            "callto:bob",
            "FTP://a",
            "gopher:a",
            "Http:a",
            "https://example.test/a?b#c",
            "ldap:a",
            "mailto:bob@example.test",
            "news:a",
            "nntp:a",
            "sip:a",
            "sips:a",
            "tel:1",
            "telnet:a",
        ] {
            assert_eq!(links(&format!("see {link} or <b>")), [(Kind::Scheme, link)]);
        }
        assert_eq!(links("file:a.exe"), [(Kind::File, "file:a.exe")]);
        for link in ["www.a", "WWW2.example.test", "www-old.a/b", "ftp.a", "www.\u{e4}"] {
            assert_eq!(links(&format!("({link} )")), [(Kind::Host, link)]);
        }
        assert_eq!(
            links("<a HREF = \"/a\" href=b>"),
            [(Kind::Attribute, "HREF = \"/a"), (Kind::Attribute, "href=b")]
        );
    }

    #[test]
    fn words_are_no_links() {
        for text in [
            "",
            "hotel:5 gossip:a xwww.a",
            "news: rain. tel: none, sip:",
            "the href attribute, thehref=a",
            "www. www ftp. a.www.b a@www.b www..",
            "a=b c:d e.f :.=",
            "http:",
        ] {
            assert_eq!(links(text), [], "{text}");
        }
        let long = format!("www{}.example.test", "x".repeat(61));
        assert_eq!(links(&long), [], "no label is that long");
    }

    #[test]
    fn what_clients_see_in_the_middle_of_words_is_a_link() {
        assert_eq!(links("xhttp://a"), [(Kind::Scheme, "http://a")]);
        assert_eq!(
            links("http://a/http://b,www.c"),
            [(Kind::Scheme, "http://a/"), (Kind::Scheme, "http://b,"), (Kind::Host, "www.c")]
        );
        assert_eq!(links("http://www.a/?u=www.b"), [(Kind::Scheme, "http://www.a/?u=www.b")]);
        assert_eq!(
            links("href='http://a'"),
            [(Kind::Attribute, "href='"), (Kind::Scheme, "http://a'")]
        );
    }

    #[test]
    fn only_plain_names_without_a_dot_are_local() {
        let is_local = |text: &str| {
            let prefixes = Prefixes::new(PREFIXES.into_iter());
            let link = prefixes.links(text.as_bytes()).next().unwrap();
            link.is_local(text.as_bytes())
        };
        for local in [
            "http://intranet",
            "https://intranet/a.b",
            "http://intra-2:8080/",
            "http://intranet?a",
            "file://server/share",
            "href=\"http://intranet/\"",
        ] {
            assert!(is_local(local), "{local}");
        }
        for other in [
            "http://a.b/",
            "http:intranet",
            "http:///a",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://intranet@a.b/",
            "http://intranet:80@a.b/",
            "http://intranet\\@a.b",
            "http://intranet%2eb/",
            "http://intranet://a.b/",
            "http://intranet\u{3002}b/",
            "http://[::1]/",
            "mailto:bob",
            "www.intranet",
            "href=intranet",
            "href=http://a.b",
        ] {
            assert!(!is_local(other), "{other}");
        }
    }
}
