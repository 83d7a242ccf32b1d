//! The text of an instant message: who sent it, which one it is and when it was meant to be sent,
//! so that the receiver can tell losses, repetitions and delays; then filler.

use crate::clock::Moment;
use crate::number::{push_number, read_number};

/// What a text says about its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The run that sent it.
    pub run: u64,
    /// The pair of users, or the user whose state it is.
    pub pair: u32,
    /// Which message of the pair, or which state of the user, from 1.
    pub number: u32,
    /// When it was meant to be sent.
    pub intended: Moment,
}

const FILLER: &[u8] = b"The quick brown fox jumps over the lazy dog. ";

impl Stamp {
    /// Appends the text, filled up to `length` octets when it is shorter.
    pub fn write(&self, length: usize, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(b"lg");
        for value in [self.run, u64::from(self.pair), u64::from(self.number), self.intended.0] {
            out.push(b' ');
            push_number(out, value);
        }
        out.push(b' ');
        while out.len() < start + length {
            let rest = start + length - out.len();
            out.extend_from_slice(&FILLER[..rest.min(FILLER.len())]);
        }
    }

    /// Reads a text; `None` when it is not one of ours.
    pub fn read(text: &[u8]) -> Option<Stamp> {
        let mut words = text.split(|&byte| byte == b' ');
        if words.next()? != b"lg" {
            return None;
        }
        let run = read_number(words.next()?)?;
        let pair = u32::try_from(read_number(words.next()?)?).ok()?;
        let number = u32::try_from(read_number(words.next()?)?).ok()?;
        let intended = Moment(read_number(words.next()?)?);
        Some(Stamp { run, pair, number, intended })
    }

    /// Reads every text of ours that is the whole content of an element of an XML document; the
    /// same one repeated at once counts once.
    pub fn read_all(document: &[u8]) -> impl Iterator<Item = Stamp> {
        let mut last = None;
        memchr::memmem::find_iter(document, b">lg ").filter_map(move |at| {
            let text = document.get(at + 1..)?;
            let stamp = Stamp::read(text.get(..memchr::memchr(b'<', text)?)?.trim_ascii_end())?;
            (last.replace(stamp) != Some(stamp)).then_some(stamp)
        })
    }
}

/// How a message stands to those that arrived before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The newest so far.
    InOrder,
    /// Older than another that is here already.
    Late,
    /// Here already.
    Repeated,
}

/// Which messages of one pair have arrived: the newest and a window of 64 before it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Arrivals {
    newest: u32,
    /// Bit n: message `newest - n` is here.
    seen: u64,
}

impl Arrivals {
    /// The newest number that has arrived; 0 before the first.
    pub fn newest(&self) -> u32 {
        self.newest
    }

    /// Notes the arrival of message `number`.
    pub fn note(&mut self, number: u32) -> Arrival {
        if number > self.newest {
            let step = number - self.newest;
            self.seen = self.seen.checked_shl(step).unwrap_or(0) | 1;
            self.newest = number;
            return Arrival::InOrder;
        }
        let Some(bit) = 1u64.checked_shl(self.newest - number) else { return Arrival::Late };
        if self.seen & bit != 0 {
            return Arrival::Repeated;
        }
        self.seen |= bit;
        Arrival::Late
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_survives_and_fills_the_length() {
        let stamp = Stamp { run: u64::MAX, pair: 3, number: 9, intended: Moment(77) };
        for length in [0, 30, 100, 1000] {
            let mut text = b"x".to_vec();
            stamp.write(length, &mut text);
            assert!(text.len() > length && (length < 40 || text.len() == length + 1));
            assert_eq!(Stamp::read(&text[1..]), Some(stamp));
        }
    }

    #[test]
    fn other_texts_are_not_ours() {
        for text in ["", "hello", "lg", "lg 1 2 3", "lg 1 2 3 x", "lg 1 5000000000 3 4"] {
            assert_eq!(Stamp::read(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn stamps_are_found_in_documents_once() {
        let document = b"<a>lg </a><b> lg 1 2 3 4</b><c>lg 1 2 3 4 </c><d>lg 1 2 3 4</d>\
            <e>lg 1 2 4 5</e><f>lg 1 2 3";
        let stamp = |number, at| Stamp { run: 1, pair: 2, number, intended: Moment(at) };
        let found: Vec<_> = Stamp::read_all(document).collect();
        assert_eq!(found, [stamp(3, 4), stamp(4, 5)]);
    }

    #[test]
    fn repetitions_and_late_ones_are_told_apart() {
        let mut arrivals = Arrivals::default();
        assert_eq!(arrivals.note(1), Arrival::InOrder);
        assert_eq!(arrivals.note(4), Arrival::InOrder);
        assert_eq!(arrivals.note(2), Arrival::Late);
        assert_eq!(arrivals.note(2), Arrival::Repeated);
        assert_eq!(arrivals.note(1), Arrival::Repeated);
        assert_eq!(arrivals.note(4), Arrival::Repeated);
        assert_eq!(arrivals.note(200), Arrival::InOrder);
        assert_eq!(arrivals.note(3), Arrival::Late);
        assert_eq!(arrivals.note(200), Arrival::Repeated);
    }
}
