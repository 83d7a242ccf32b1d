//! Octet classes of RFC 3261 section 25.1, and the two scans everything rests on.

/// `token` of RFC 3261: method and header names, parameter names, transports.
pub(super) const TOKEN: u8 = 1 << 0;
/// `user` and `password` of a SIP URI without the escapes: unreserved and user-unreserved.
pub(super) const USER: u8 = 1 << 1;
/// Octets of a host name; the underscore is tolerated.
pub(super) const HOST: u8 = 1 << 2;
/// Octets that may stand in a URI at all: no blank, control, quote or angle bracket.
pub(super) const URI: u8 = 1 << 3;
/// Octets of a URI's parameters: those of a URI but `?`, which ends them, and `@`, which has to be
/// escaped there.
pub(super) const URI_PARAMS: u8 = 1 << 4;
/// Octets of a Call-ID: `word` of RFC 3261, and `@`.
pub(super) const WORD: u8 = 1 << 5;
/// Octets of a parameter name: `token`, and what a URI's parameter may hold besides.
pub(super) const PARAM_NAME: u8 = 1 << 6;
/// Octets of a parameter value without quotes: those of a URI but semicolon and comma.
pub(super) const PARAM_VALUE: u8 = 1 << 7;

const fn classes() -> [u8; 256] {
    let mut table = [0u8; 256];
    let mut i = 0usize;
    while i < 256 {
        let b = i as u8;
        let alnum = b.is_ascii_alphanumeric();
        let mut class = 0;
        if alnum || within(b, b"-.!%*_+`'~") {
            class |= TOKEN | PARAM_NAME;
        }
        if alnum || within(b, b"-_.!~*'()") {
            class |= USER;
        }
        if within(b, b"&=+$,;?/") {
            class |= USER;
        }
        if alnum || within(b, b"-._") {
            class |= HOST;
        }
        if b > 0x20 && b < 0x7f && !within(b, b"\"<>\\^`{|}") {
            class |= URI;
            if !within(b, b";,") {
                class |= PARAM_VALUE;
            }
            if !within(b, b"?@") {
                class |= URI_PARAMS;
            }
        }
        if within(b, b"[]/:&$") {
            class |= PARAM_NAME;
        }
        if alnum || within(b, b"-.!%*_+`'~()<>:\\\"/[]?{}@") {
            class |= WORD;
        }
        table[i] = class;
        i += 1;
    }
    table
}

const fn within(octet: u8, set: &[u8]) -> bool {
    let mut i = 0;
    while i < set.len() {
        if set[i] == octet {
            return true;
        }
        i += 1;
    }
    false
}

static CLASSES: [u8; 256] = classes();

/// Whether the octet is of the class, which is one of the bits above.
#[inline(always)]
pub(super) fn is(octet: u8, class: u8) -> bool {
    classes_of(octet) & class != 0
}

#[inline(always)]
fn classes_of(octet: u8) -> u8 {
    CLASSES[usize::from(octet)]
}

/// Whether all octets are of the class.
#[inline]
pub(super) fn all(bytes: &[u8], class: u8) -> bool {
    span(bytes, class) == bytes.len()
}

/// Number of leading octets of the class.
#[inline]
pub(super) fn span(bytes: &[u8], class: u8) -> usize {
    take(bytes, class).0.len()
}

/// Cuts the longest prefix of octets of the class; four at a time, because four octets have the
/// bit of a class in common exactly when each has it.
#[inline]
pub(super) fn take(bytes: &[u8], class: u8) -> (&[u8], &[u8]) {
    let mut rest = bytes;
    while let Some((&[a, b, c, d], tail)) = rest.split_first_chunk::<4>()
        && classes_of(a) & classes_of(b) & classes_of(c) & classes_of(d) & class != 0
    {
        rest = tail;
    }
    while let Some((&octet, tail)) = rest.split_first()
        && is(octet, class)
    {
        rest = tail;
    }
    let len = bytes.len() - rest.len();
    (bytes.get(..len).unwrap_or(&[]), rest)
}

/// Whether `bytes` is a token: not empty, and token octets only.
#[inline]
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && all(bytes, TOKEN)
}

/// `unreserved`: an escape of such an octet means the octet itself.
#[inline]
pub(super) fn is_unreserved(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || within(octet, b"-_.!~*'()")
}

/// SP, HTAB, and the CR and LF of a fold; the framer has proved that each CR or LF inside a value
/// belongs to a fold.
#[inline(always)]
pub(super) fn is_lws(octet: u8) -> bool {
    octet <= b' ' && matches!(octet, b' ' | b'\t' | b'\r' | b'\n')
}

/// `bytes` without leading linear white space.
#[inline]
pub(super) fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes
        && is_lws(*first)
    {
        bytes = rest;
    }
    bytes
}

/// `bytes` without trailing linear white space.
#[inline]
pub(super) fn trim_end(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., last] = bytes
        && is_lws(*last)
    {
        bytes = rest;
    }
    bytes
}

/// `bytes` without linear white space around it.
#[inline]
pub(super) fn trim(bytes: &[u8]) -> &[u8] {
    trim_end(trim_start(bytes))
}

/// `1*DIGIT`, saturating at `u32::MAX`; `None` when anything else stands there, or nothing.
#[inline]
pub(super) fn digits(bytes: &[u8]) -> Option<u32> {
    if bytes.is_empty() {
        return None;
    }
    let mut number = 0u32;
    for &octet in bytes {
        let digit = octet.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number.saturating_mul(10).saturating_add(u32::from(digit));
    }
    Some(number)
}

/// Offset of the closing quote in `bytes`, which starts behind the opening one. An escaped octet
/// (RFC 3261 `quoted-pair`) does not close.
#[inline]
pub(super) fn closing_quote(bytes: &[u8]) -> Option<usize> {
    let mut at = 0usize;
    loop {
        let found = memchr::memchr2(b'"', b'\\', bytes.get(at..)?);
        #[cfg(test)]
        steps::add(found.unwrap_or(bytes.len() - at) + 1);
        let found = found?;
        let here = at.checked_add(found)?;
        if bytes.get(here) == Some(&b'"') {
            return Some(here);
        }
        at = here.checked_add(2)?;
    }
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Offset at or after `from` of the first control octet (below 0x20, HTAB included, or 0x7f), or
/// the length of `bytes`. Blocks without one are passed by a check without branches, which the
/// compiler turns into vector instructions.
#[inline]
pub(super) fn next_control(bytes: &[u8], from: usize) -> usize {
    let Some(rest) = bytes.get(from..) else { return bytes.len() };
    let (blocks, tail) = rest.as_chunks::<BLOCK>();
    let mut at = from;
    for block in blocks {
        #[cfg(test)]
        steps::add(BLOCK);
        if has_control(block) {
            return at + first_control(block);
        }
        at += BLOCK;
    }
    at + tail.iter().position(|&octet| is_control(octet)).unwrap_or(tail.len())
}

/// Octets that [`next_control`] checks at once.
const BLOCK: usize = 16;

#[inline(always)]
fn is_control(octet: u8) -> bool {
    (octet < 0x20) | (octet == 0x7f)
}

#[inline(always)]
fn has_control(block: &[u8; BLOCK]) -> bool {
    block.iter().fold(false, |any, &octet| any | is_control(octet))
}

/// Offset of the first control octet of a block that has one.
#[inline(always)]
fn first_control(block: &[u8; BLOCK]) -> usize {
    // The lowest bit of a mask is exact: borrows only travel towards higher octets.
    let offset = |mask: u64| (mask.trailing_zeros() / 8) as usize;
    let (words, _) = block.as_chunks::<8>();
    let mut masks = words.iter().map(|word| control_mask(u64::from_le_bytes(*word)));
    match (masks.next(), masks.next()) {
        (Some(0), Some(second)) => 8 + offset(second),
        (Some(first), _) => offset(first),
        _ => 0,
    }
}

/// High bit of each octet that is below 0x20 or is 0x7f; only the lowest one is exact.
#[inline(always)]
fn control_mask(word: u64) -> u64 {
    let below = word.wrapping_sub(LOW * 0x20) & !word;
    let delete = word ^ (LOW * 0x7f);
    let is_delete = delete.wrapping_sub(LOW) & !delete;
    (below | is_delete) & HIGH
}

/// Octets looked at by the scans, counted in tests to show that work is linear.
#[cfg(test)]
pub(super) mod steps {
    use std::cell::Cell;

    thread_local!(static STEPS: Cell<u64> = const { Cell::new(0) });

    /// Counts some octets.
    pub fn add(octets: usize) {
        STEPS.set(STEPS.get() + octets as u64);
    }

    /// The octets counted on this thread since the last call.
    pub fn take() -> u64 {
        STEPS.replace(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_control_finds_every_control_octet_at_every_place() {
        for len in 0..40usize {
            for at in 0..len {
                for octet in 0..=255u8 {
                    let mut bytes = vec![b'x'; len];
                    bytes[at] = octet;
                    let control = octet < 0x20 || octet == 0x7f;
                    let expected = if control { at } else { len };
                    assert_eq!(next_control(&bytes, 0), expected, "{octet:#x} at {at} of {len}");
                }
            }
        }
    }

    #[test]
    fn span_counts_the_leading_octets_of_a_class() {
        for len in 0..20 {
            for at in 0..=len {
                let mut bytes = vec![b'x'; len];
                if let Some(octet) = bytes.get_mut(at) {
                    *octet = b' ';
                }
                assert_eq!(span(&bytes, TOKEN), at);
                assert_eq!(all(&bytes, TOKEN), at == len);
            }
        }
    }

    #[test]
    fn next_control_starts_where_it_is_told() {
        let bytes = b"\rabc\n\xff\x80\x7f";
        assert_eq!(next_control(bytes, 0), 0);
        assert_eq!(next_control(bytes, 1), 4);
        assert_eq!(next_control(bytes, 5), 7);
        assert_eq!(next_control(bytes, 8), 8);
        assert_eq!(next_control(bytes, 99), 8);
    }

    #[test]
    fn a_quote_closes_at_the_first_unescaped_quote() {
        assert_eq!(closing_quote(b"ab\" c"), Some(2));
        assert_eq!(closing_quote(br#"a\"b" c"#), Some(4));
        assert_eq!(closing_quote(br#"a\\" c"#), Some(3));
        assert_eq!(closing_quote(br"a\"), None);
        assert_eq!(closing_quote(b""), None);
    }

    #[test]
    fn digits_saturate_and_refuse_everything_else() {
        assert_eq!(digits(b"0"), Some(0));
        assert_eq!(digits(b"4294967295"), Some(u32::MAX));
        assert_eq!(digits(b"99999999999999999999"), Some(u32::MAX));
        for bad in [&b""[..], b"-1", b"+5", b"1e3", b"0x10", b" 5", b"5 "] {
            assert_eq!(digits(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn classes_hold_the_octets_of_the_grammar() {
        assert!(is_token(b"z9hG4bK-.!%*_+`'~"));
        for bad in [&b""[..], b"a b", b"a:b", b"a\"", b"a@b", b"a/b", b"\xc3\xa4"] {
            assert!(!is_token(bad), "{bad:?}");
        }
        assert!(all(b"!#$%&'()*+,-./:;=?@[]_~", URI));
        assert!(!all(b"a b", URI) && !all(b"<", URI) && !all(b"\"", URI) && !all(b"\x7f", URI));
    }
}
