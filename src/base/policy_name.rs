//! How a policy may be called.

/// Longest name, in octets.
const NAME_LEN_MAX: usize = 64;

/// True if `text` can name a policy: it stands in the configuration, in the directory and in the
/// path of a URL. Lower-case letters, digits and `-`, at most 64.
pub fn is_policy_name(text: &str) -> bool {
    (1..=NAME_LEN_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for name in ["default", "sales-2", "7", &"x".repeat(64)] {
            assert!(is_policy_name(name), "{name}");
        }
        for name in ["", "Sales", "a b", "a/b", "..", "\u{e9}", &"x".repeat(65)] {
            assert!(!is_policy_name(name), "{name}");
        }
    }
}
