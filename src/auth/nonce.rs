//! Nonces that prove themselves: whoever holds the key reads back when, for which connection and
//! for which realm one was made, so none is stored and none can be made by a client.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::base::ids::ConnId;
use crate::base::seed::Seed;
use crate::base::time::Now;

/// Octets of the time: milliseconds since the Unix epoch fit in 48 bits until the year 10889.
const TIME_LEN: usize = 6;
/// Octets of chance, so that two nonces of one millisecond differ.
const CHANCE_LEN: usize = 8;
/// Octets of the truncated HMAC: 128 bits cannot be guessed within a connection's life.
const MAC_LEN: usize = 16;
const RAW_LEN: usize = TIME_LEN + CHANCE_LEN + MAC_LEN;

/// A nonce as text: 40 characters of the URL-safe base64 alphabet, which need no quoting.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Nonce([u8; Nonce::LEN]);

impl Nonce {
    /// Length of the text, always.
    pub const LEN: usize = RAW_LEN / 3 * 4;

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What tells one nonce of ours from another: when it was made and its chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NonceMark {
    /// When it was made, in milliseconds since the Unix epoch.
    pub unix_ms: u64,
    /// Its chance.
    pub chance: u64,
}

/// What a nonce turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonceCheck {
    /// Ours, made for this connection and realm, and in its time.
    Fresh(NonceMark),
    /// Ours, made for this connection and realm, but too old, or from before the clock was set
    /// back: answered with `stale=true` (RFC 7616 section 3.3).
    Stale,
    /// Not made by us, or for another connection or realm.
    Foreign,
}

/// The key nonces are made and checked with. A process has its own: a connection does not
/// outlive the process, so its nonces need not either.
#[derive(Clone)]
pub struct NonceKey(Hmac<Sha256>);

impl fmt::Debug for NonceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NonceKey([hidden])")
    }
}

impl NonceKey {
    /// The key made of `seed`, 32 octets nobody else knows.
    pub fn new(seed: [u8; 32]) -> Self {
        // HMAC takes a block of 64 octets; a shorter key is filled with zeros (RFC 2104 section 2).
        let mut block = [0; 64];
        for (to, from) in block.iter_mut().zip(seed) {
            *to = from;
        }
        NonceKey(Hmac::new(&block.into()))
    }

    /// A key out of the generator of a shard.
    pub fn from_seed(seed: &mut Seed) -> Self {
        let mut key = [0; 32];
        seed.fill(&mut key);
        NonceKey::new(key)
    }

    /// A new nonce for a challenge in `realm` on `conn`.
    pub fn mint(&self, now: Now, seed: &mut Seed, conn: ConnId, realm: &str) -> Nonce {
        let mut raw = [0; RAW_LEN];
        let (time, rest) = raw.split_at_mut(TIME_LEN);
        let (chance, mac) = rest.split_at_mut(CHANCE_LEN);
        let [_, _, ms @ ..] = now.unix_ms.to_be_bytes();
        time.copy_from_slice(&ms);
        chance.copy_from_slice(&seed.next_u64().to_be_bytes());
        mac.copy_from_slice(&self.mac(time, chance, conn, realm));
        let mut text = [0; Nonce::LEN];
        let written = URL_SAFE_NO_PAD.encode_slice(raw, &mut text);
        debug_assert_eq!(written, Ok(Nonce::LEN));
        Nonce(text)
    }

    /// What `nonce`, presented on `conn` for `realm`, is at `now`; `lifetime` is how long one is
    /// good. Takes the same time for every nonce of the right length.
    pub fn check(
        &self,
        now: Now,
        nonce: &[u8],
        conn: ConnId,
        realm: &str,
        lifetime: Duration,
    ) -> NonceCheck {
        let mut raw = [0; RAW_LEN];
        if nonce.len() != Nonce::LEN || URL_SAFE_NO_PAD.decode_slice(nonce, &mut raw) != Ok(RAW_LEN)
        {
            return NonceCheck::Foreign;
        }
        let (time, rest) = raw.split_at(TIME_LEN);
        let (chance, mac) = rest.split_at(CHANCE_LEN);
        if !bool::from(self.mac(time, chance, conn, realm).ct_eq(mac)) {
            return NonceCheck::Foreign;
        }
        let mark = NonceMark { unix_ms: big_endian(time), chance: big_endian(chance) };
        match now.unix_ms.checked_sub(mark.unix_ms) {
            Some(age) if u128::from(age) < lifetime.as_millis() => NonceCheck::Fresh(mark),
            _ => NonceCheck::Stale,
        }
    }

    /// All parts but the realm have a fixed length, so no two tuples give the same octets.
    fn mac(&self, time: &[u8], chance: &[u8], conn: ConnId, realm: &str) -> [u8; MAC_LEN] {
        let mut hmac = self.0.clone();
        hmac.update(time);
        hmac.update(chance);
        hmac.update(&conn.shard.0.to_be_bytes());
        hmac.update(&conn.slot.index.to_be_bytes());
        hmac.update(&conn.slot.generation.to_be_bytes());
        hmac.update(realm.as_bytes());
        let whole: [u8; 32] = hmac.finalize().into_bytes().into();
        let mut mac = [0; MAC_LEN];
        for (to, from) in mac.iter_mut().zip(whole) {
            *to = from;
        }
        mac
    }
}

fn big_endian(octets: &[u8]) -> u64 {
    octets.iter().fold(0, |value, octet| (value << 8) | u64::from(*octet))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{ShardId, Slot};
    use proptest::prelude::*;

    const LIFETIME: Duration = Duration::from_secs(300);
    const REALM: &str = "example.test";

    fn at(unix_ms: u64) -> Now {
        Now { mono_ms: 0, unix_ms }
    }

    fn conn(shard: u16, index: u32, generation: u32) -> ConnId {
        ConnId::new(ShardId(shard), Slot { index, generation })
    }

    fn minted(unix_ms: u64) -> (NonceKey, Nonce) {
        let key = NonceKey::new([7; 32]);
        let nonce = key.mint(at(unix_ms), &mut Seed::from_u64(1), conn(1, 2, 3), REALM);
        (key, nonce)
    }

    #[test]
    fn a_nonce_is_forty_characters_that_need_no_quoting() {
        let (_, nonce) = minted(1_795_208_935_362);
        assert_eq!(nonce.as_str().len(), 40);
        assert!(nonce.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
    }

    #[test]
    fn two_nonces_of_one_millisecond_differ() {
        let key = NonceKey::new([7; 32]);
        let mut seed = Seed::from_u64(1);
        let mut mint = || key.mint(at(5), &mut seed, conn(1, 2, 3), REALM);
        assert_ne!(mint(), mint());
    }

    #[test]
    fn a_nonce_is_good_for_its_lifetime_and_then_stale() {
        let (key, nonce) = minted(1_000_000);
        let check = |unix_ms| {
            key.check(at(unix_ms), nonce.as_str().as_bytes(), conn(1, 2, 3), REALM, LIFETIME)
        };
        assert!(matches!(check(1_000_000), NonceCheck::Fresh(mark) if mark.unix_ms == 1_000_000));
        assert!(matches!(check(1_299_999), NonceCheck::Fresh(_)));
        assert_eq!(check(1_300_000), NonceCheck::Stale);
        assert_eq!(check(999_999), NonceCheck::Stale, "the clock was set back");
    }

    #[test]
    fn a_nonce_is_foreign_on_another_connection_realm_or_key() {
        let (key, nonce) = minted(1_000);
        let text = nonce.as_str().as_bytes();
        for other in [conn(2, 2, 3), conn(1, 3, 3), conn(1, 2, 4)] {
            assert_eq!(key.check(at(1_000), text, other, REALM, LIFETIME), NonceCheck::Foreign);
        }
        let here = conn(1, 2, 3);
        assert_eq!(key.check(at(1_000), text, here, "example.tess", LIFETIME), NonceCheck::Foreign);
        let other = NonceKey::new([8; 32]);
        assert_eq!(other.check(at(1_000), text, here, REALM, LIFETIME), NonceCheck::Foreign);
    }

    #[test]
    fn what_is_no_nonce_is_foreign() {
        let (key, nonce) = minted(1_000);
        let longer = format!("{nonce}A");
        for text in ["", "04ddf43288b31386", &nonce.as_str()[1..], &longer, &"=".repeat(40)] {
            let check = key.check(at(1_000), text.as_bytes(), conn(1, 2, 3), REALM, LIFETIME);
            assert_eq!(check, NonceCheck::Foreign, "{text}");
        }
    }

    #[test]
    fn a_key_does_not_show_itself() {
        assert_eq!(format!("{:?}", NonceKey::new([7; 32])), "NonceKey([hidden])");
    }

    proptest! {
        #[test]
        fn any_changed_octet_makes_it_foreign(index in 0..Nonce::LEN, octet in any::<u8>()) {
            let (key, nonce) = minted(1_000);
            let mut text = nonce.0;
            prop_assume!(text[index] != octet);
            text[index] = octet;
            let check = key.check(at(1_000), &text, conn(1, 2, 3), REALM, LIFETIME);
            prop_assert_eq!(check, NonceCheck::Foreign);
        }

        #[test]
        fn what_was_minted_is_fresh(
            unix_ms in 0..(1u64 << 48),
            shard in any::<u16>(),
            index in any::<u32>(),
            generation in any::<u32>(),
            realm in ".{0,40}",
            seed in any::<u64>(),
        ) {
            let key = NonceKey::from_seed(&mut Seed::from_u64(seed));
            let conn = conn(shard, index, generation);
            let nonce = key.mint(at(unix_ms), &mut Seed::from_u64(seed), conn, &realm);
            let check = key.check(at(unix_ms), nonce.as_str().as_bytes(), conn, &realm, LIFETIME);
            prop_assert!(matches!(check, NonceCheck::Fresh(mark) if mark.unix_ms == unix_ms));
        }
    }
}
