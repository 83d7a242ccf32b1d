//! Tokens by which other applications prove themselves to the API, and what each may do.
//!
//! A token is a name for the table of tokens, which is no secret, and 256 random bits, which are. Of
//! those only the SHA-256 is kept: nobody who reads the database can make a token of it, and as the
//! bits are random, no slow hash is needed.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// What tokens begin with, so that they are known for what they are where they should not be.
const PREFIX: &str = "mynah_";
/// Octets of the secret part.
pub const SECRET_LEN: usize = 32;
/// Hexadecimal digits of the name of a token.
const ID_DIGITS: usize = 16;

/// What a token is kept under. No secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenId(pub u64);

/// A token as an application shows it.
#[derive(Clone)]
pub struct Token {
    id: TokenId,
    secret: Zeroizing<[u8; SECRET_LEN]>,
}

/// What an application may do. Each role may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Fetch presence icons; the only one whose token may stand in a URL.
    Icon,
    /// Read presence.
    Read,
    /// List users, let them in and keep them out, sign them out, change their passwords.
    HelpDesk,
    /// Add and remove users.
    Admin,
}

/// A token as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptToken {
    /// What it is kept under.
    pub id: TokenId,
    /// What the operator calls the application: as a policy is named.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The container that decides what it sees of users.
    pub level: u32,
    /// SHA-256 of the secret part.
    pub hash: [u8; SECRET_LEN],
    /// When it was made, in milliseconds since 1970.
    pub created_unix_ms: u64,
}

impl Token {
    /// The token of these parts, which the caller draws from a cryptographic generator.
    pub fn new(id: TokenId, secret: [u8; SECRET_LEN]) -> Self {
        Token { id, secret: Zeroizing::new(secret) }
    }

    /// Reads the text form; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        if id.len() != ID_DIGITS || !is_hex(id) || secret.len() != 2 * SECRET_LEN || !is_hex(secret)
        {
            return None;
        }
        let mut octets = Zeroizing::new([0; SECRET_LEN]);
        for (octet, at) in octets.iter_mut().zip((0..).step_by(2)) {
            *octet = u8::from_str_radix(secret.get(at..at + 2)?, 16).ok()?;
        }
        Some(Token { id: TokenId(u64::from_str_radix(id, 16).ok()?), secret: octets })
    }

    /// The text form, which is shown once.
    pub fn text(&self) -> Zeroizing<String> {
        use std::fmt::Write;

        let mut text = Zeroizing::new(String::with_capacity(128));
        // Writing to a String cannot fail.
        let _ = write!(text, "{PREFIX}{:016x}_", self.id.0);
        for octet in self.secret.iter() {
            let _ = write!(text, "{octet:02x}");
        }
        text
    }

    /// What it is kept under.
    pub fn id(&self) -> TokenId {
        self.id
    }

    /// What is kept of its secret part.
    pub fn hash(&self) -> [u8; SECRET_LEN] {
        Sha256::digest(self.secret.as_slice()).into()
    }

    /// True if it is the one that was kept; takes as long for any other.
    pub fn proves(&self, kept: &KeptToken) -> bool {
        self.id == kept.id && bool::from(self.hash().ct_eq(&kept.hash))
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Role {
    /// All, from the least to the most.
    pub const ALL: [Role; 4] = [Role::Icon, Role::Read, Role::HelpDesk, Role::Admin];

    /// The word on the command line and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Icon => "icon",
            Role::Read => "read",
            Role::HelpDesk => "help-desk",
            Role::Admin => "admin",
        }
    }

    /// The role of that [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Role::ALL.into_iter().find(|role| role.name() == name)
    }

    /// True if it may do what `needed` may.
    pub fn covers(self, needed: Role) -> bool {
        self >= needed
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> Token {
        Token::new(TokenId(0x0123_4567_89ab_cdef), [0xa5; SECRET_LEN])
    }

    fn kept(token: &Token) -> KeptToken {
        KeptToken {
            id: token.id(),
            name: "intranet".to_owned(),
            role: Role::Read,
            level: 200,
            hash: token.hash(),
            created_unix_ms: 0,
        }
    }

    #[test]
    fn a_token_survives_its_text() {
        let text = token().text();
        assert_eq!(*text, format!("mynah_0123456789abcdef_{}", "a5".repeat(SECRET_LEN)));
        let read = Token::parse(&text).unwrap();
        assert_eq!((read.id(), read.hash()), (token().id(), token().hash()));
    }

    #[test]
    fn anything_else_is_no_token() {
        let text = token().text();
        let upper = text.replace("a5", "A5");
        for bad in ["", "mynah_", "mynah__", &text[1..], &text[..text.len() - 1], &upper, "\u{e9}"]
        {
            assert!(Token::parse(bad).is_none(), "{bad}");
        }
        assert!(Token::parse(&text.replacen("a5", "\u{e9}", 1)).is_none());
        assert!(Token::parse(&format!("{}+5", &text[..text.len() - 2])).is_none());
    }

    #[test]
    fn only_the_whole_secret_under_its_name_proves() {
        let kept = kept(&token());
        assert!(token().proves(&kept));
        let mut secret = [0xa5; SECRET_LEN];
        secret[SECRET_LEN - 1] ^= 1;
        assert!(!Token::new(token().id(), secret).proves(&kept));
        assert!(!Token::new(TokenId(1), [0xa5; SECRET_LEN]).proves(&kept));
    }

    #[test]
    fn roles_rise() {
        assert!(Role::ALL.is_sorted());
        for role in Role::ALL {
            assert_eq!(Role::from_name(role.name()), Some(role));
            assert!(role.covers(Role::Icon) && Role::Admin.covers(role));
        }
        assert!(!Role::Read.covers(Role::HelpDesk) && !Role::Icon.covers(Role::Read));
        assert_eq!(Role::from_name("root"), None);
    }

    #[test]
    fn debug_shows_no_secret() {
        assert!(!format!("{:?}", token()).contains("165"));
    }
}
