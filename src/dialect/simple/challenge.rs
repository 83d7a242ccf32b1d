//! What a standard client makes of a challenge.

/// True for a client that fails at the sight of an algorithm other than MD5 instead of ignoring
/// that challenge, as RFC 7616 section 3.7 wants: baresip before 3.11. Offered MD5 alone, it
/// signs in.
pub fn stumbles_over_algorithms(user_agent: &[u8]) -> bool {
    const FIRST_GOOD: (u32, u32) = (3, 11);
    let version = user_agent.strip_prefix(b"baresip v").and_then(|rest| {
        let mut numbers = rest.split(|octet| !octet.is_ascii_digit()).map(number);
        Some((numbers.next()??, numbers.next()??))
    });
    version.is_some_and(|version| version < FIRST_GOOD)
}

fn number(digits: &[u8]) -> Option<u32> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_versions_of_baresip_stumble() {
        for old in ["baresip v1.0.0 (x86_64/linux)", "baresip v0.6.5", "baresip v3.10.1 (x)"] {
            assert!(stumbles_over_algorithms(old.as_bytes()), "{old}");
        }
        for good in ["baresip v3.11.0 (x)", "baresip v4.0.0", "baresip", "baresip v", "v1.0", ""] {
            assert!(!stumbles_over_algorithms(good.as_bytes()), "{good}");
        }
        assert!(!stumbles_over_algorithms(b"baresip v99999999999.1"));
        assert!(!stumbles_over_algorithms(b"baresip v\xff.\xff"));
    }
}
