//! Which files are named in links and offers, by the ends of their names.

use super::links::Kind;
use crate::config::filter::EXTENSION_LEN_MAX;

/// Extensions of files that are not let through.
#[derive(Clone, Debug)]
pub(super) struct Extensions {
    /// In lower case, without dots, sorted.
    sorted: Vec<Box<[u8]>>,
}

impl Extensions {
    /// Extensions in lower case, without dots.
    pub(super) fn new(extensions: &[String]) -> Self {
        let mut sorted: Vec<Box<[u8]>> = extensions.iter().map(|e| e.as_bytes().into()).collect();
        sorted.sort_unstable();
        Extensions { sorted }
    }

    /// True if a file of this name is meant.
    pub(super) fn end(&self, name: &[u8]) -> bool {
        // Systems pass over blanks and dots at the end.
        let is_end = |octet: &u8| !matches!(octet, b' ' | b'\t' | b'.' | b'"' | b'\'');
        let len = name.iter().rposition(is_end).map_or(0, |last| last + 1);
        let name = name.get(..len).unwrap_or_default();
        let Some(dot) = memchr::memrchr(b'.', name) else { return false };
        let extension = name.get(dot + 1..).unwrap_or_default();
        let mut lower = [0; EXTENSION_LEN_MAX];
        let Some(lower) = lower.get_mut(..extension.len()) else { return false };
        lower.copy_from_slice(extension);
        lower.make_ascii_lowercase();
        self.contain(lower)
    }

    /// True if a link of this kind leads to such a file, given what follows its beginning: the
    /// name ends at the end of the link, or where parameters begin.
    pub(super) fn end_link(&self, kind: Kind, rest: &[u8]) -> bool {
        let path = path(kind, rest);
        if memchr::memchr(b'.', path).is_none() && memchr::memchr(b'%', path).is_none() {
            return false;
        }
        let mut name = Name::default();
        for octet in decoded(path) {
            match octet {
                b'.' => {
                    name.over |= self.contain(name.extension());
                    name.begin();
                }
                octet if octet.is_ascii_alphanumeric() || octet >= 0x80 => {
                    name.push(octet);
                }
                // What follows may belong to the name, and it may be all there is.
                b'/' | b'\\' | b'-' | b'_' | b'~' | b'+' => {
                    name.over |= self.contain(name.extension());
                    name.len = None;
                }
                _ if name.over || self.contain(name.extension()) => return true,
                _ => name.len = None,
            }
        }
        name.over || self.contain(name.extension())
    }

    fn contain(&self, extension: &[u8]) -> bool {
        self.sorted.binary_search_by(|known| (**known).cmp(extension)).is_ok()
    }
}

/// What was last read of a name that may end with an extension.
#[derive(Default)]
struct Name {
    octets: [u8; EXTENSION_LEN_MAX],
    /// Octets behind the last dot; `None` when there was none, or what follows is no extension.
    len: Option<usize>,
    /// It had a listed extension, and only signs since.
    over: bool,
}

impl Name {
    fn begin(&mut self) {
        self.len = Some(0);
    }

    fn push(&mut self, octet: u8) {
        self.over = false;
        let place = self.len.and_then(|len| self.octets.get_mut(len));
        self.len = match place {
            Some(place) => {
                *place = octet.to_ascii_lowercase();
                self.len.map(|len| len + 1)
            }
            None => None,
        };
    }

    /// What has been read behind the last dot; empty when it is no extension.
    fn extension(&self) -> &[u8] {
        self.len.and_then(|len| self.octets.get(..len)).unwrap_or_default()
    }
}

/// What of a link can name a file: all but the host.
fn path(kind: Kind, rest: &[u8]) -> &[u8] {
    let slashes = rest.iter().take_while(|octet| matches!(octet, b'/' | b'\\')).count();
    let behind = rest.get(slashes..).unwrap_or_default();
    let has_host = match kind {
        Kind::Attribute => match slashes {
            // A link within, if there is one, stands for itself.
            0 => return &[],
            1 => false,
            _ => true,
        },
        Kind::File => false,
        Kind::Host | Kind::Scheme => true,
    };
    if !has_host {
        return behind;
    }
    let is_end = |octet: &u8| matches!(octet, b'/' | b'\\' | b'?' | b'#');
    let len = behind.iter().position(is_end).unwrap_or(behind.len());
    behind.get(len..).unwrap_or_default()
}

/// The octets of a URI, those in percent notation decoded (RFC 3986 section 2.1).
fn decoded(text: &[u8]) -> impl Iterator<Item = u8> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (first, after) = rest.split_first()?;
        let hex = |octet: &u8| char::from(*octet).to_digit(16).map(|digit| digit as u8);
        if let (b'%', [high, low, after @ ..]) = (first, after)
            && let (Some(high), Some(low)) = (hex(high), hex(low))
        {
            rest = after;
            return Some(high << 4 | low);
        }
        rest = after;
        Some(*first)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extensions() -> Extensions {
        Extensions::new(&["exe", "com", "js"].map(str::to_owned))
    }

    #[test]
    fn names_are_known_by_their_end() {
        for name in ["a.exe", "A.EXE", "a.txt.exe", "a.exe. ", ".exe", "\"a.js\""] {
            assert!(extensions().end(name.as_bytes()), "{name}");
        }
        for name in ["", "exe", "a.exe.txt", "a.exe2", "a.", "a.0123456789abcdefg", "a.\u{e4}"] {
            assert!(!extensions().end(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn links_are_known_by_the_end_of_the_path_or_of_a_parameter() {
        for rest in [
            "//a.b/x.exe",
            "//a.b/x.ExE?c=d",
            "//a.b/x.exe#c",
            "//a.b/x.exe.",
            "//a.b/x.exe/",
            "//a.b/get?file=x.exe",
            "//a.b/get?file=x.exe&c=d",
            "//a.b/x%2eexe",
            "//a.b/x.e%78e",
            "//a.b/x.exe%20",
            "//a.b/(x.exe)",
            "a.b/x.exe",
            "\\\\a.b\\x.exe",
        ] {
            assert!(extensions().end_link(Kind::Scheme, rest.as_bytes()), "{rest}");
        }
        for rest in [
            "",
            "//example.com",
            "//example.com/",
            "//example.com:80?a",
            "//a.b/node.js/docs",
            "//a.b/x.exe.html",
            "//a.b/x.exe-notes",
            "//a.b/exe",
            "//a.b/x.exes",
            "bob@example.com",
            "//a.b/x.%",
        ] {
            assert!(!extensions().end_link(Kind::Scheme, rest.as_bytes()), "{rest}");
        }
    }

    #[test]
    fn a_path_alone_is_a_file_too() {
        for (kind, rest, is_file) in [
            (Kind::File, "x.exe", true),
            (Kind::File, "//server/x.exe", true),
            (Kind::Host, "example.com", false),
            (Kind::Host, "a.b/x.com", true),
            (Kind::Attribute, "/x.exe", true),
            (Kind::Attribute, "//a.com", false),
            (Kind::Attribute, "//a.com/x.exe", true),
            (Kind::Attribute, "http://a.com", false),
        ] {
            assert_eq!(extensions().end_link(kind, rest.as_bytes()), is_file, "{kind:?} {rest}");
        }
    }
}
