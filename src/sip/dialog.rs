//! A dialog as the element in the middle sees it (RFC 3261 section 12): both ends' tags, targets
//! and sequence numbers. Call-ID and tags pass through us unchanged.

use std::hash::{BuildHasher, Hasher};

use crate::base::side::Side;

/// A request's dialog identifier, hashed with a key no client knows. The edge computes it from
/// the message, the owner compares: equality means same Call-ID and both tags, in this
/// direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DialogHash(pub u64);

impl DialogHash {
    /// The hash of a request with this Call-ID, From tag and To tag.
    pub fn of(hasher: &ahash::RandomState, call_id: &[u8], from_tag: &[u8], to_tag: &[u8]) -> Self {
        let mut state = hasher.build_hasher();
        for part in [call_id, from_tag, to_tag] {
            state.write_usize(part.len());
            state.write(part);
        }
        DialogHash(state.finish())
    }
}

/// How a request's sequence number stands to those seen before from the same end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Higher than all before: to be relayed.
    Next,
    /// The last one again: a repetition, never relayed twice.
    Repeat,
    /// Lower: out of order, refused with 500 (RFC 3261 section 12.2.2).
    Old,
}

/// One end of the dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The tag this end put into From or To.
    pub tag: Box<[u8]>,
    /// The remote target this end gave in Contact, as it stood between the angle brackets.
    pub target: Box<[u8]>,
    /// The last sequence number seen from this end.
    pub cseq: u32,
    /// How its last request was finally answered; 0 while it is open.
    pub answered: u16,
}

impl End {
    /// An end that has sent the request numbered `cseq` so far.
    pub fn new(tag: &[u8], target: &[u8], cseq: u32) -> Self {
        End { tag: tag.into(), target: target.into(), cseq, answered: 0 }
    }
}

/// An established dialog between two ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialog {
    /// The Call-ID.
    pub call_id: Box<[u8]>,
    /// Caller and callee.
    pub ends: [End; 2],
    hashes: [DialogHash; 2],
}

impl Dialog {
    /// The dialog of these two ends.
    pub fn new(hasher: &ahash::RandomState, call_id: &[u8], caller: End, callee: End) -> Self {
        let hashes = [
            DialogHash::of(hasher, call_id, &caller.tag, &callee.tag),
            DialogHash::of(hasher, call_id, &callee.tag, &caller.tag),
        ];
        Dialog { call_id: call_id.into(), ends: [caller, callee], hashes }
    }

    /// The end that sent a request with this identifier; `None` if it is of another dialog.
    pub fn sender(&self, hash: DialogHash) -> Option<Side> {
        if hash == self.hashes[0] {
            Some(Side::Caller)
        } else if hash == self.hashes[1] {
            Some(Side::Callee)
        } else {
            None
        }
    }

    /// The end on `side`.
    pub fn end(&self, side: Side) -> &End {
        &self.ends[side.index()]
    }

    /// Takes note of a request numbered `cseq` from `side`. The first number an end uses is its
    /// own choice, so anything follows 0.
    pub fn order(&mut self, side: Side, cseq: u32) -> Order {
        let end = &mut self.ends[side.index()];
        if cseq > end.cseq || end.cseq == 0 {
            end.cseq = cseq;
            end.answered = 0;
            Order::Next
        } else if cseq == end.cseq {
            Order::Repeat
        } else {
            Order::Old
        }
    }

    /// Takes note of the final answer to the request numbered `cseq` from `side`.
    pub fn answered(&mut self, side: Side, cseq: u32, status: u16) {
        let end = &mut self.ends[side.index()];
        if end.cseq == cseq {
            end.answered = status;
        }
    }

    /// The next sequence number for a request we send on behalf of `side`.
    pub fn next_cseq(&mut self, side: Side) -> u32 {
        let end = &mut self.ends[side.index()];
        end.cseq = end.cseq.saturating_add(1);
        end.answered = 0;
        end.cseq
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialog() -> (ahash::RandomState, Dialog) {
        let hasher = ahash::RandomState::with_seeds(1, 2, 3, 4);
        let dialog = Dialog::new(
            &hasher,
            b"912Dg0044aB0FFi56DC",
            End::new(b"1262631541", b"sip:alice@example.test;gruu", 1),
            End::new(b"263165099", b"sip:bob@example.test;gruu", 0),
        );
        (hasher, dialog)
    }

    #[test]
    fn the_direction_tells_the_sender() {
        let (hasher, dialog) = dialog();
        let hash =
            |from: &[u8], to: &[u8]| DialogHash::of(&hasher, b"912Dg0044aB0FFi56DC", from, to);
        assert_eq!(dialog.sender(hash(b"1262631541", b"263165099")), Some(Side::Caller));
        assert_eq!(dialog.sender(hash(b"263165099", b"1262631541")), Some(Side::Callee));
        assert_eq!(dialog.sender(hash(b"126263154", b"1263165099")), None);
        assert_eq!(dialog.sender(hash(b"1262631541", b"")), None);
    }

    #[test]
    fn each_end_counts_for_itself() {
        let (_, mut dialog) = dialog();
        assert_eq!(dialog.order(Side::Caller, 2), Order::Next);
        assert_eq!(dialog.order(Side::Caller, 2), Order::Repeat);
        assert_eq!(dialog.order(Side::Caller, 1), Order::Old);
        assert_eq!(dialog.order(Side::Caller, 9), Order::Next, "jumps are allowed");
        assert_eq!(dialog.order(Side::Callee, 46_946), Order::Next, "its first number is free");
        assert_eq!(dialog.order(Side::Callee, 1), Order::Old);
    }

    #[test]
    fn a_repetition_is_told_how_the_first_ended() {
        let (_, mut dialog) = dialog();
        dialog.order(Side::Caller, 2);
        assert_eq!(dialog.end(Side::Caller).answered, 0);
        dialog.answered(Side::Caller, 2, 200);
        assert_eq!(dialog.end(Side::Caller).answered, 200);
        dialog.order(Side::Caller, 3);
        dialog.answered(Side::Caller, 2, 404);
        assert_eq!(dialog.end(Side::Caller).answered, 0, "a late answer to an older request");
    }
}
