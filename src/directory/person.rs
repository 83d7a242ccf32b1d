//! What is known of a user as a person.

use super::user::{TEXT_LEN_MAX, UserError};
use crate::base::plain_text::is_plain_text;

/// Longest address of a picture, in octets.
pub const PHOTO_URL_LEN_MAX: usize = 1024;

/// What colleagues may learn of a user, each according to his access level. Empty text means
/// unknown. Every text is at most [`TEXT_LEN_MAX`] octets without control characters, the address
/// of the picture [`PHOTO_URL_LEN_MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// Position.
    pub title: Box<str>,
    /// Department.
    pub department: Box<str>,
    /// Enterprise.
    pub company: Box<str>,
    /// Office, as written on its door.
    pub office: Box<str>,
    /// Mail address.
    pub email: Box<str>,
    /// Telephone at work, as people read it.
    pub phone_work: Box<str>,
    /// Telephone in the pocket.
    pub phone_mobile: Box<str>,
    /// Telephone at home.
    pub phone_home: Box<str>,
    /// Where the picture is.
    pub photo_url: Box<str>,
    /// Its hash, by which a client knows that it has it already.
    pub photo_hash: Box<str>,
}

impl Person {
    /// Each text within its bounds.
    pub fn check(&self) -> Result<(), UserError> {
        for (name, text, len_max) in [
            ("title", &self.title, TEXT_LEN_MAX),
            ("department", &self.department, TEXT_LEN_MAX),
            ("company", &self.company, TEXT_LEN_MAX),
            ("office", &self.office, TEXT_LEN_MAX),
            ("email", &self.email, TEXT_LEN_MAX),
            ("work phone", &self.phone_work, TEXT_LEN_MAX),
            ("mobile phone", &self.phone_mobile, TEXT_LEN_MAX),
            ("home phone", &self.phone_home, TEXT_LEN_MAX),
            ("photo url", &self.photo_url, PHOTO_URL_LEN_MAX),
            ("photo hash", &self.photo_hash, TEXT_LEN_MAX),
        ] {
            if text.len() > len_max || !is_plain_text(text) {
                return Err(UserError::Person(name, len_max));
            }
        }
        let url = &*self.photo_url;
        let fetched = url.starts_with("https://") || url.starts_with("http://");
        match (fetched, url.is_empty() && self.photo_hash.is_empty()) {
            (false, false) => Err(UserError::Photo),
            (true, _) | (false, true) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_bounded_and_plain() {
        assert_eq!(Person::default().check(), Ok(()));
        let good = Person {
            title: "T\u{e9}st".repeat(51).into(),
            photo_url: "https://example.test/a.jpg".into(),
            photo_hash: "abc".into(),
            ..Person::default()
        };
        assert_eq!(good.check(), Ok(()));
        let title = |title: &str| Person { title: title.into(), ..Person::default() }.check();
        let refused = Err(UserError::Person("title", TEXT_LEN_MAX));
        assert_eq!(title(&"x".repeat(TEXT_LEN_MAX)), Ok(()));
        assert_eq!(title(&"x".repeat(TEXT_LEN_MAX + 1)), refused);
        assert_eq!(title("a\nb"), refused);
        assert_eq!(title("\u{ffff}"), refused);
        let long = format!("https://example.test/{}", "x".repeat(PHOTO_URL_LEN_MAX));
        let person = Person { photo_url: long.into(), ..Person::default() };
        assert_eq!(person.check(), Err(UserError::Person("photo url", PHOTO_URL_LEN_MAX)));
    }

    #[test]
    fn a_photo_is_a_place_on_the_web_and_a_hash_needs_one() {
        for (url, hash) in [("file:///etc/passwd", ""), ("javascript:x", "h"), ("", "h")] {
            let person =
                Person { photo_url: url.into(), photo_hash: hash.into(), ..Person::default() };
            assert_eq!(person.check(), Err(UserError::Photo), "{url}");
        }
    }
}
