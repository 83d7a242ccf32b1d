//! An address-of-record as a directory key.

use std::fmt;

use crate::base::host_name::is_host_name;

/// Longest user part, in octets; the figure of RFC 5321 section 4.5.3.1.1, so that an address of
/// record can also be a mail address.
pub const USER_LEN_MAX: usize = 64;

/// What is wrong with an address-of-record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No `@`, or more than one.
    #[error("write the address as user@domain")]
    Shape,
    /// The user part is empty, too long or has a character that SIP would have to escape.
    #[error(
        "the part before @ must be 1 to 64 letters, digits or any of - _ . ! ~ * ' ( ) & = + $"
    )]
    User,
    /// The domain is not a host name.
    #[error(
        "the part after @ must be a domain name: labels of letters, digits and - joined by dots"
    )]
    Domain,
}

/// A valid address-of-record: `user@domain`, lower case throughout because the product does not
/// tell case apart, without scheme, port, parameters or escapes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    text: String,
    at: usize,
}

impl Address {
    /// Reads `user@domain`; a leading `sip:` is allowed because people paste it.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.strip_prefix("sip:").unwrap_or(text);
        let (user, domain) = text.split_once('@').ok_or(AddressError::Shape)?;
        if domain.contains('@') {
            return Err(AddressError::Shape);
        }
        if !is_user(user) {
            return Err(AddressError::User);
        }
        if !is_host_name(domain) {
            return Err(AddressError::Domain);
        }
        Ok(Address { text: text.to_ascii_lowercase(), at: user.len() })
    }

    /// The part before `@`.
    pub fn user(&self) -> &str {
        self.text.get(..self.at).unwrap_or_default()
    }

    /// The part after `@`: also the realm of the user's secrets.
    pub fn domain(&self) -> &str {
        self.text.get(self.at + 1..).unwrap_or_default()
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The whole address.
    pub fn into_string(self) -> String {
        self.text
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// `unreserved` of RFC 3261 section 25.1 and those of `user-unreserved` that no shell, XML or URI
/// gives a meaning of its own.
fn is_user(user: &str) -> bool {
    (1..=USER_LEN_MAX).contains(&user.len())
        && user.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.!~*'()&=+$".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_lower_case_and_knows_its_parts() {
        let address = Address::parse("sip:Alice.O'Neil@Example.TEST").unwrap();
        assert_eq!(address.as_str(), "alice.o'neil@example.test");
        assert_eq!(address.user(), "alice.o'neil");
        assert_eq!(address.domain(), "example.test");
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_part_at_fault() {
        let long_user = format!("{}@example.test", "a".repeat(USER_LEN_MAX + 1));
        for (text, error) in [
            ("", AddressError::Shape),
            ("alice", AddressError::Shape),
            ("a@b@c", AddressError::Shape),
            ("@example.test", AddressError::User),
            ("al ice@example.test", AddressError::User),
            ("al%69ce@example.test", AddressError::User),
            ("al\"ice@example.test", AddressError::User),
            ("al:ice@example.test", AddressError::User),
            ("al\nice@example.test", AddressError::User),
            ("zo\u{eb}@example.test", AddressError::User),
            (long_user.as_str(), AddressError::User),
            ("alice@", AddressError::Domain),
            ("alice@example..test", AddressError::Domain),
            ("alice@-example.test", AddressError::Domain),
            ("alice@example-.test", AddressError::Domain),
            ("alice@example.test:5061", AddressError::Domain),
            ("alice@[::1]", AddressError::Domain),
        ] {
            assert_eq!(Address::parse(text), Err(error), "{text:?}");
        }
    }
}
