//! As much XML as this program reads: elements by name and their attributes, in documents of
//! which it knows the form. Prefixes are passed over.

use memchr::{memchr, memchr_iter};

/// Local name and text, without angle brackets, of every start tag.
pub fn tags(document: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    starts(document).map(|(name, tag, _)| (name, tag))
}

/// Local name of every start tag and the text between it and the next tag, without blanks around.
pub fn texts(document: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    starts(document)
        .filter_map(|(name, _, rest)| Some((name, rest.get(..memchr(b'<', rest)?)?.trim_ascii())))
}

/// Local name and text of every start tag, and all that follows it.
fn starts(document: &[u8]) -> impl Iterator<Item = (&[u8], &[u8], &[u8])> {
    memchr_iter(b'<', document).filter_map(move |at| {
        let rest = document.get(at + 1..)?;
        let (tag, rest) = rest.split_at_checked(memchr(b'>', rest)?)?;
        let end = tag.iter().position(|&b| b.is_ascii_whitespace() || b == b'/');
        let qualified = tag.get(..end.unwrap_or(tag.len()))?;
        let local = qualified.rsplit(|&b| b == b':').next()?;
        (!local.is_empty()).then_some((local, tag, rest.get(1..)?))
    })
}

/// Value of an attribute of a tag, as it stands.
pub fn attribute<'a>(tag: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut rest = tag;
    loop {
        let equals = memchr(b'=', rest)?;
        let (before, after) = rest.split_at_checked(equals)?;
        let after = after.get(1..)?.trim_ascii_start();
        let quote = *after.first().filter(|b| matches!(b, b'"' | b'\''))?;
        let text = after.get(1..)?;
        let end = memchr(quote, text)?;
        let found = before.trim_ascii_end().rsplit(u8::is_ascii_whitespace).next()?;
        if found == name {
            return text.get(..end);
        }
        rest = text.get(end + 1..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values<'a>(document: &'a [u8], name: &'static str) -> Vec<Option<&'a [u8]>> {
        let items = tags(document).filter(|(element, _)| *element == b"item");
        items.map(|(_, tag)| attribute(tag, name.as_bytes())).collect()
    }

    #[test]
    fn elements_are_found_with_and_without_prefix() {
        let document =
            b"<a><c:item n='1'/><item  n = \"2\" m=\"a=b n='9'\">x</item></a><items n='3'/>";
        assert_eq!(values(document, "n"), [Some(&b"1"[..]), Some(&b"2"[..])]);
        assert_eq!(values(document, "m"), [None, Some(&b"a=b n='9'"[..])]);
    }

    #[test]
    fn a_text_ends_at_the_next_tag() {
        let found: Vec<_> = texts(b"<a> one <b:c n='>'>two</b:c><d/>three<e>").collect();
        let expected = [("a", "one"), ("c", "'>two"), ("d", "three")];
        assert_eq!(found, expected.map(|(name, text)| (name.as_bytes(), text.as_bytes())));
    }

    #[test]
    fn broken_tags_hold_nothing() {
        for document in ["<", "<item", "<item n>", "<item n=>", "<item n='>", "<item n=\"1>"] {
            assert!(values(document.as_bytes(), "n").iter().all(Option::is_none), "{document}");
        }
    }
}
