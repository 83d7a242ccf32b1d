//! Host names, as a domain is written in an address and in the settings.

/// Longest name, in octets (RFC 1035 section 2.3.4).
pub const LEN_MAX: usize = 253;
/// Longest label, in octets (RFC 1035 section 2.3.4).
const LABEL_LEN_MAX: usize = 63;

/// True for labels of letters, digits and inner hyphens, joined by dots: `hostname` of RFC 3261
/// section 25.1, less the trailing dot. Addresses in figures also pass.
pub fn is_host_name(name: &str) -> bool {
    name.len() <= LEN_MAX && name.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    (1..=LABEL_LEN_MAX).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_letters_digits_and_inner_hyphens() {
        let label = "a".repeat(LABEL_LEN_MAX);
        for good in ["localhost", "example.test", "FE-01.a.b", "10.0.0.1", &label] {
            assert!(is_host_name(good), "{good}");
        }
        let label = "a".repeat(LABEL_LEN_MAX + 1);
        let long = "a.".repeat(LEN_MAX / 2 + 1) + "test";
        for bad in
            ["", ".", "a.", ".a", "a..b", "-a", "a-.b", "a b", "a_b", "\u{e9}", "[::1]", "a:1"]
        {
            assert!(!is_host_name(bad), "{bad}");
        }
        assert!(!is_host_name(&label));
        assert!(!is_host_name(&long));
    }
}
