//! Passwords that the server thinks of.

use zeroize::Zeroizing;

/// What they are made of: nothing that is mistaken for something else when it is read out.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Characters in one group.
const GROUP: usize = 5;
/// Groups: 100 bits in all.
const GROUPS: usize = 4;

/// A password that nobody guesses, in groups that are read out one by one.
pub fn generate() -> Zeroizing<String> {
    let mut random = Zeroizing::new([0u8; GROUP * GROUPS]);
    rand::fill(&mut random[..]);
    let mut password = Zeroizing::new(String::with_capacity(GROUPS * (GROUP + 1)));
    for (index, octet) in random.iter().enumerate() {
        if index > 0 && index.is_multiple_of(GROUP) {
            password.push('-');
        }
        let letter = ALPHABET.get(usize::from(octet % 32)).copied().unwrap_or(b'x');
        password.push(char::from(letter));
    }
    password
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_read_out_in_groups_and_never_the_same() {
        let (one, other) = (generate(), generate());
        assert_ne!(one, other);
        for group in one.split('-') {
            assert_eq!(group.len(), GROUP);
            assert!(group.bytes().all(|octet| ALPHABET.contains(&octet)), "{group}");
        }
        assert_eq!(one.split('-').count(), GROUPS);
    }
}
