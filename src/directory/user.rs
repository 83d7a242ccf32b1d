//! A user: who it is and what proves it.

use md4::Md4;
use md5::Md5;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::address::{Address, AddressError};
use super::person::Person;
use super::secret::Secret;
use crate::base::plain_text::is_plain_text;
use crate::base::policy_name::is_policy_name;
use crate::config::policy::DEFAULT;

/// Longest login name, display name or password, in octets.
pub const TEXT_LEN_MAX: usize = 256;

/// Why a user cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    /// The address-of-record is not one.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The login name would not survive a digest header.
    #[error("the login name must be 1 to 256 octets without : \" or control characters")]
    Login,
    /// The display name would not survive a header.
    #[error("the display name must be at most 256 octets without control characters")]
    DisplayName,
    /// No password, or one longer than any client sends.
    #[error("the password must be 1 to 256 octets")]
    Password,
    /// A text of the person is too long or would not survive XML.
    #[error("the {0} must be at most {1} octets without control characters")]
    Person(&'static str, usize),
    /// The picture is not where a client can fetch it.
    #[error("the photo url must begin with https:// or http://, and the photo hash needs one")]
    Photo,
    /// The name of the policy could not stand in the configuration.
    #[error("the policy must be 1 to 64 lower-case letters, digits or -")]
    Policy,
}

/// A user of the directory. Holds no password, but its hashes are as good as one to whoever reads
/// them: digest and NTLM both prove knowledge of the hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Address-of-record, `user@domain` in lower case: the key.
    pub aor: String,
    /// The name given to digest, as typed; the user part of the address unless set otherwise.
    pub login: String,
    /// The name other people see; may be empty.
    pub display_name: String,
    /// MD5(login ":" realm ":" password), HA1 of RFC 7616 section 3.4.2.
    pub ha1_md5: Secret<16>,
    /// SHA-256(login ":" realm ":" password), HA1 of RFC 8760.
    pub ha1_sha256: Secret<32>,
    /// MD4(UTF-16LE(password)), NTOWFv1 of MS-NLMP section 3.3.1.
    pub nt_hash: Secret<16>,
    /// A disabled user cannot sign in; the account and its records stay.
    pub disabled: bool,
    /// What else is known; in a box, for most who handle users do not look at it.
    pub person: Box<Person>,
    /// The policy of the configuration that governs the user; empty for the default one.
    pub policy: String,
}

impl User {
    /// The name of the policy that governs him.
    pub fn policy_name(&self) -> &str {
        if self.policy.is_empty() { DEFAULT } else { &self.policy }
    }

    /// A user who proves itself with `password`. `login` is the user part of `aor` when absent;
    /// `realm` is the domain the server names in its challenges.
    pub fn with_password(
        aor: &str,
        login: Option<&str>,
        display_name: &str,
        realm: &str,
        password: &str,
    ) -> Result<Self, UserError> {
        let address = Address::parse(aor)?;
        let login = login.unwrap_or(address.user());
        check_login(login)?;
        check_display_name(display_name)?;
        let mut user = User {
            login: login.to_owned(),
            display_name: display_name.to_owned(),
            ha1_md5: Secret::new([0; 16]),
            ha1_sha256: Secret::new([0; 32]),
            nt_hash: Secret::new([0; 16]),
            disabled: false,
            person: Box::default(),
            policy: String::new(),
            aor: address.into_string(),
        };
        user.set_password(realm, password)?;
        Ok(user)
    }

    /// Replaces all hashes by those of `password`.
    pub fn set_password(&mut self, realm: &str, password: &str) -> Result<(), UserError> {
        if password.is_empty() || password.len() > TEXT_LEN_MAX {
            return Err(UserError::Password);
        }
        let basis = Zeroizing::new(format!("{}:{realm}:{password}", self.login));
        let utf16: Zeroizing<Vec<u8>> =
            Zeroizing::new(password.encode_utf16().flat_map(u16::to_le_bytes).collect());
        self.ha1_md5 = Secret::new(Md5::digest(basis.as_bytes()).into());
        self.ha1_sha256 = Secret::new(Sha256::digest(basis.as_bytes()).into());
        self.nt_hash = Secret::new(Md4::digest(utf16.as_slice()).into());
        Ok(())
    }

    /// Gives the user another name.
    pub fn set_display_name(&mut self, display_name: &str) -> Result<(), UserError> {
        check_display_name(display_name)?;
        display_name.clone_into(&mut self.display_name);
        Ok(())
    }

    /// Replaces what else is known.
    pub fn set_person(&mut self, person: Person) -> Result<(), UserError> {
        person.check()?;
        *self.person = person;
        Ok(())
    }

    /// Puts the user under another policy; empty for the default one.
    pub fn set_policy(&mut self, policy: &str) -> Result<(), UserError> {
        if !policy.is_empty() && !is_policy_name(policy) {
            return Err(UserError::Policy);
        }
        policy.clone_into(&mut self.policy);
        Ok(())
    }

    /// The domain of the address-of-record: the realm of the hashes.
    pub fn realm(&self) -> &str {
        self.aor.split_once('@').map_or("", |(_, domain)| domain)
    }
}

pub(super) fn check_login(text: &str) -> Result<(), UserError> {
    let fits = (1..=TEXT_LEN_MAX).contains(&text.len())
        && !text.chars().any(|c| c.is_control() || c == ':' || c == '"');
    if fits { Ok(()) } else { Err(UserError::Login) }
}

pub(super) fn check_display_name(text: &str) -> Result<(), UserError> {
    match text.len() > TEXT_LEN_MAX || !is_plain_text(text) {
        true => Err(UserError::DisplayName),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(octets: &[u8]) -> String {
        octets.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    #[test]
    fn hashes_are_those_of_the_specifications() {
        // RFC 7616 section 3.9.1 has user, realm and password; the address is ours.
        let user = User::with_password(
            "Mufasa@example.org",
            Some("Mufasa"),
            "Mufasa",
            "http-auth@example.org",
            "Circle of Life",
        )
        .unwrap();
        assert_eq!(hex(&*user.ha1_md5), "3d78807defe7de2157e2b0b6573a855f");
        assert_eq!(
            hex(&*user.ha1_sha256),
            "7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232"
        );
        // MS-NLMP section 4.2.2.1.2: NTOWFv1 of "Password".
        let user = User::with_password("user@example.test", None, "", "d", "Password").unwrap();
        assert_eq!(hex(&*user.nt_hash), "a4f49c406510bdcab6824ee7c30fd852");
    }

    #[test]
    fn the_login_is_the_user_part_unless_given() {
        let user = User::with_password("Alice@Example.test", None, "Alice", "r", "secret").unwrap();
        assert_eq!((user.aor.as_str(), user.login.as_str()), ("alice@example.test", "alice"));
        assert_eq!(user.realm(), "example.test");
        assert!(!user.disabled);
        let user =
            User::with_password("alice@example.test", Some("CORP\\alice"), "", "r", "s").unwrap();
        assert_eq!(user.login, "CORP\\alice");
    }

    #[test]
    fn bad_parts_are_refused_each_with_its_reason() {
        let make = |aor, login, display, password| {
            User::with_password(aor, login, display, "example.test", password).unwrap_err()
        };
        let long = "x".repeat(TEXT_LEN_MAX + 1);
        assert_eq!(make("alice", None, "", "p"), UserError::Address(AddressError::Shape));
        for login in ["", "a:b", "a\"b", "a\nb", long.as_str()] {
            assert_eq!(make("a@b.test", Some(login), "", "p"), UserError::Login, "{login:?}");
        }
        for display in ["a\r\nb", "\0", long.as_str()] {
            assert_eq!(make("a@b.test", None, display, "p"), UserError::DisplayName);
        }
        for password in ["", long.as_str()] {
            assert_eq!(make("a@b.test", None, "", password), UserError::Password);
        }
    }

    #[test]
    fn name_and_policy_can_change() {
        let mut user = User::with_password("a@b.test", None, "", "r", "secret").unwrap();
        user.set_display_name("Alice \u{e9}").unwrap();
        user.set_policy("sales-2").unwrap();
        assert_eq!((user.display_name.as_str(), user.policy.as_str()), ("Alice \u{e9}", "sales-2"));
        assert_eq!(user.set_display_name("a\nb"), Err(UserError::DisplayName));
        assert_eq!(user.set_policy("No Such"), Err(UserError::Policy));
        user.set_policy("").unwrap();
        assert_eq!(user.policy, "");
    }

    #[test]
    fn debug_shows_no_secret() {
        let user = User::with_password("alice@example.test", None, "", "r", "secret").unwrap();
        let text = format!("{user:?}");
        assert_eq!(text.matches("[hidden]").count(), 3, "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
}
