//! Addresses-of-record and the shard that is home to each.

use std::fmt;

use std::sync::Arc;

use super::ids::ShardId;

/// An address-of-record (RFC 3261 section 10) as `user@domain`, lower case, without scheme,
/// port or parameters. Cheap to clone; may cross cores.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Aor(Arc<str>);

impl Aor {
    /// The address `text`, folded to lower case.
    pub fn new(text: &str) -> Self {
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            Aor(text.to_ascii_lowercase().into())
        } else {
            Aor(text.into())
        }
    }

    /// `user@domain`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the at sign.
    pub fn user(&self) -> &str {
        self.0.rsplit_once('@').map_or(&*self.0, |(user, _)| user)
    }

    /// The part after the at sign.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }

    /// A number that equal addresses share and others seldom do, the same on every core.
    pub fn tag(&self) -> u32 {
        (seeded().hash_one(&*self.0) >> 32) as u32
    }

    /// The shard that owns this user, of `shards`.
    pub fn home(&self, shards: u16) -> ShardId {
        home(&self.0, shards)
    }
}

impl fmt::Display for Aor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Aor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::borrow::Borrow<str> for Aor {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// The shard, of `shards`, that owns whatever `key` names.
pub fn home(key: impl std::hash::Hash, shards: u16) -> ShardId {
    ShardId((seeded().hash_one(key) % u64::from(shards.max(1))) as u16)
}

/// The seed is fixed, so every core answers alike.
const fn seeded() -> ahash::RandomState {
    ahash::RandomState::with_seeds(0x6d79_6e61, 0x6820_686f, 0x6d65_2073, 0x6861_7264)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_does_not_make_another_user() {
        assert_eq!(Aor::new("Alice@Example.Test"), Aor::new("alice@example.test"));
        assert_eq!(Aor::new("alice@example.test").user(), "alice");
        assert_eq!(Aor::new("alice@example.test").domain(), "example.test");
    }

    #[test]
    fn a_tag_is_of_the_address() {
        let alice = Aor::new("alice@example.test");
        assert_eq!(alice.tag(), Aor::new("Alice@example.test").tag());
        assert_ne!(alice.tag(), Aor::new("bob@example.test").tag());
    }

    #[test]
    fn every_shard_is_home_to_somebody() {
        let mut seen = [0u32; 4];
        for i in 0..1_000 {
            seen[usize::from(Aor::new(&format!("user{i}@example.test")).home(4).0)] += 1;
        }
        assert!(seen.iter().all(|&n| n > 150), "{seen:?}");
    }
}
