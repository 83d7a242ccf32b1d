//! Which transaction a request belongs to (RFC 3261 section 17.2.3).

use ahash::RandomState;

use crate::base::ids::ConnId;
use crate::base::seed::Seed;

/// What the branch of a client of RFC 3261 begins with (section 8.1.1.7).
const MAGIC_COOKIE: &[u8] = b"z9hG4bK";

/// The parts of a request that tell its transaction.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyParts<'a> {
    /// The connection it came on. A transaction is never matched from another: nobody acknowledges
    /// or cancels what somebody else asked for.
    pub conn: ConnId,
    /// Method.
    pub method: &'a [u8],
    /// `branch` of the top Via.
    pub branch: Option<&'a [u8]>,
    /// Host and port of the top Via.
    pub sent_by: &'a [u8],
    /// The whole top Via.
    pub top_via: &'a [u8],
    /// Call-ID.
    pub call_id: &'a [u8],
    /// Number of the CSeq.
    pub cseq: u32,
    /// Tag of From.
    pub from_tag: Option<&'a [u8]>,
    /// Tag of To.
    pub to_tag: Option<&'a [u8]>,
    /// Request-URI.
    pub request_uri: &'a [u8],
}

/// Names a server transaction: a keyed hash of 128 bits, the same size whatever a client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TransactionKey(u64, u64);

/// Makes transaction keys. Its seed is secret, so that nobody can make two that are equal.
#[derive(Clone, Debug)]
pub struct TransactionKeys(RandomState, RandomState);

impl TransactionKeys {
    /// Keys of one shard.
    pub fn new(seed: &mut Seed) -> Self {
        let mut state = || {
            let mut next = || seed.next_u64();
            RandomState::with_seeds(next(), next(), next(), next())
        };
        TransactionKeys(state(), state())
    }

    /// The transaction a request belongs to. An ACK belongs to that of its INVITE if the INVITE
    /// was refused; else its key is that of no transaction that still waits for one.
    pub fn key(&self, parts: &KeyParts<'_>) -> TransactionKey {
        match parts.method {
            b"ACK" => self.key_of(parts, b"INVITE"),
            method => self.key_of(parts, method),
        }
    }

    /// The transaction a CANCEL means (RFC 3261 section 9.2): the INVITE like it. Nothing else is
    /// ever cancelled.
    pub fn cancelled(&self, parts: &KeyParts<'_>) -> TransactionKey {
        self.key_of(parts, b"INVITE")
    }

    fn key_of(&self, parts: &KeyParts<'_>, method: &[u8]) -> TransactionKey {
        match parts.branch {
            Some(branch) if is_unique(branch) => {
                self.hash((parts.conn, method, branch, parts.sent_by))
            }
            _ => self.key_without_branch(parts, method),
        }
    }

    /// The rule of RFC 2543. The Lync client leaves the branch out of every request of a dialog.
    ///
    /// An INVITE is told by its Call-ID, CSeq, From tag and Via alone: its ACK and CANCEL are to
    /// be found with the same key, and an ACK has a To tag that the INVITE had not, and with this
    /// client another Request-URI.
    fn key_without_branch(&self, parts: &KeyParts<'_>, method: &[u8]) -> TransactionKey {
        let common = (parts.conn, method, parts.call_id, parts.cseq, parts.from_tag, parts.top_via);
        if method == b"INVITE" {
            self.hash(common)
        } else {
            self.hash((common, parts.to_tag, parts.request_uri))
        }
    }

    fn hash(&self, parts: impl std::hash::Hash) -> TransactionKey {
        TransactionKey(self.0.hash_one(&parts), self.1.hash_one(&parts))
    }
}

/// True when a branch is unique, as RFC 3261 promises; the bare cookie promises nothing.
fn is_unique(branch: &[u8]) -> bool {
    branch.len() > MAGIC_COOKIE.len() && branch.starts_with(MAGIC_COOKIE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{ShardId, Slot};

    fn keys() -> TransactionKeys {
        TransactionKeys::new(&mut Seed::from_u64(1))
    }

    fn conn(index: u32) -> ConnId {
        ConnId::new(ShardId(0), Slot { index, generation: 1 })
    }

    /// The INVITE of the transcript `im-digest`, which has no branch.
    fn lync_invite() -> KeyParts<'static> {
        KeyParts {
            conn: conn(1),
            method: b"INVITE",
            branch: None,
            sent_by: b"127.0.0.1:41046",
            top_via: b"SIP/2.0/tls 127.0.0.1:41046",
            call_id: b"3A98gA04Fa0D08iD5CFmE602t3A44bF2CFx1EDFx",
            cseq: 1,
            from_tag: Some(b"3478763903"),
            to_tag: None,
            request_uri: b"sip:bob@example.test",
        }
    }

    /// A MESSAGE of the transcript `baresip`.
    fn baresip_message() -> KeyParts<'static> {
        KeyParts {
            conn: conn(2),
            method: b"MESSAGE",
            branch: Some(b"z9hG4bK5821ef28b9570e72"),
            sent_by: b"127.0.0.1:40587",
            top_via: b"SIP/2.0/TLS 127.0.0.1:40587;branch=z9hG4bK5821ef28b9570e72;rport",
            call_id: b"29df56bc11a5b10f",
            cseq: 232,
            from_tag: Some(b"a1adbe6a7a848d59"),
            to_tag: None,
            request_uri: b"sip:bob@example.test",
        }
    }

    #[test]
    fn a_branch_its_sender_and_the_method_tell_the_transaction() {
        let keys = keys();
        let message = baresip_message();
        let key = keys.key(&message);
        let same = KeyParts {
            call_id: b"other",
            cseq: 1,
            from_tag: None,
            to_tag: Some(b"t"),
            request_uri: b"sip:other",
            ..message
        };
        assert_eq!(keys.key(&same), key);
        for other in [
            KeyParts { branch: Some(b"z9hG4bK5821ef28b9570e73"), ..message },
            KeyParts { sent_by: b"127.0.0.1:40588", ..message },
            KeyParts { method: b"INFO", ..message },
            KeyParts { conn: conn(3), ..message },
        ] {
            assert_ne!(keys.key(&other), key, "{other:?}");
        }
    }

    #[test]
    fn without_a_branch_the_dialog_and_sequence_tell_it() {
        let keys = keys();
        let info = KeyParts { method: b"INFO", to_tag: Some(b"t"), ..lync_invite() };
        let key = keys.key(&info);
        for other in [
            KeyParts { conn: conn(2), ..info },
            KeyParts { method: b"MESSAGE", ..info },
            KeyParts { call_id: b"other", ..info },
            KeyParts { cseq: 2, ..info },
            KeyParts { from_tag: Some(b"other"), ..info },
            KeyParts { from_tag: None, ..info },
            KeyParts { to_tag: Some(b"other"), ..info },
            KeyParts { to_tag: None, ..info },
            KeyParts { request_uri: b"sip:other@example.test", ..info },
            KeyParts { top_via: b"SIP/2.0/tls 127.0.0.1:41047", ..info },
        ] {
            assert_ne!(keys.key(&other), key, "{other:?}");
        }
    }

    #[test]
    fn a_branch_of_rfc_2543_is_no_branch() {
        let keys = keys();
        for branch in [&b""[..], b"1", b"z9hG4bK"] {
            let first = KeyParts { branch: Some(branch), ..baresip_message() };
            let second = KeyParts { cseq: 233, ..first };
            assert_ne!(keys.key(&first), keys.key(&second));
        }
    }

    #[test]
    fn ack_and_cancel_find_their_invite() {
        let keys = keys();
        let branch = KeyParts { method: b"INVITE", ..baresip_message() };
        for invite in [lync_invite(), branch] {
            let key = keys.key(&invite);
            let ack = KeyParts {
                method: b"ACK",
                to_tag: Some(b"efff65b73b"),
                request_uri: b"sip:bob@example.test;opaque=user:epid:x;gruu",
                ..invite
            };
            assert_eq!(keys.key(&ack), key);
            let cancel = KeyParts { method: b"CANCEL", ..invite };
            assert_eq!(keys.cancelled(&cancel), key);
            assert_ne!(keys.key(&cancel), key, "a CANCEL is a transaction of its own");
            let stranger = KeyParts { conn: conn(9), ..cancel };
            assert_ne!(keys.cancelled(&stranger), key);
        }
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let keys = keys();
        let one = KeyParts { call_id: b"ab", from_tag: Some(b"c"), ..lync_invite() };
        let two = KeyParts { call_id: b"a", from_tag: Some(b"bc"), ..lync_invite() };
        assert_ne!(keys.key(&one), keys.key(&two));
    }
}
