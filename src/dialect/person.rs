//! From what the directory knows of a user to the card others see.

use std::sync::Arc;

use crate::directory::User;
use crate::presence::card::{Card, Phone, PhoneKind, Photo};

/// The card of a user, as far as the directory knows it. Without a mail address of his own his
/// address of record stands for it: the product makes them the same.
pub fn card(user: &User) -> Card {
    let person = &user.person;
    let email = if person.email.is_empty() { user.aor.as_str() } else { &person.email };
    let phones = [
        (PhoneKind::Work, &person.phone_work),
        (PhoneKind::Mobile, &person.phone_mobile),
        (PhoneKind::Home, &person.phone_home),
    ];
    let phones = phones.into_iter().filter(|(_, number)| !number.is_empty());
    Card {
        display_name: user.display_name.as_str().into(),
        email: email.into(),
        title: (*person.title).into(),
        company: (*person.company).into(),
        department: (*person.department).into(),
        office: (*person.office).into(),
        phones: phones.map(|(kind, number)| phone(kind, number)).collect(),
        photo: (!person.photo_url.is_empty())
            .then(|| Photo { uri: (*person.photo_url).into(), hash: (*person.photo_hash).into() }),
    }
}

fn phone(kind: PhoneKind, number: &str) -> Phone {
    Phone { kind, display: number.into(), uri: tel(number).unwrap_or_default() }
}

/// The `tel:` URI (RFC 3966) of a number in international form; of others only people know how to
/// dial them.
fn tel(number: &str) -> Option<Arc<str>> {
    let rest = number.trim().strip_prefix('+')?;
    let is_separator = |c: char| matches!(c, ' ' | '-' | '.' | '(' | ')' | '/');
    let digits: String = rest.chars().filter(|c| !is_separator(*c)).collect();
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| format!("tel:+{digits}").into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::Person;

    fn user(person: Person) -> User {
        let mut user =
            User::with_password("bob@example.test", None, "Bob Boyle", "r", "secret").unwrap();
        user.set_person(person).unwrap();
        user
    }

    #[test]
    fn a_card_says_what_the_directory_knows() {
        let card = card(&user(Person {
            title: "Tester".into(),
            department: "Quality".into(),
            company: "Ex".into(),
            office: "2.17".into(),
            email: "b.boyle@mail.test".into(),
            phone_work: "+1 (425) 555-0100".into(),
            phone_home: "extension 7".into(),
            photo_url: "https://example.test/b.jpg".into(),
            photo_hash: "h".into(),
            ..Person::default()
        }));
        assert_eq!((&*card.display_name, &*card.email), ("Bob Boyle", "b.boyle@mail.test"));
        assert_eq!((&*card.title, &*card.department), ("Tester", "Quality"));
        assert_eq!((&*card.company, &*card.office), ("Ex", "2.17"));
        let phones: Vec<_> = card.phones.iter().map(|p| (p.kind, &*p.display, &*p.uri)).collect();
        assert_eq!(
            phones,
            [
                (PhoneKind::Work, "+1 (425) 555-0100", "tel:+14255550100"),
                (PhoneKind::Home, "extension 7", ""),
            ]
        );
        let photo = card.photo.unwrap();
        assert_eq!((&*photo.uri, &*photo.hash), ("https://example.test/b.jpg", "h"));
    }

    #[test]
    fn who_is_hardly_known_has_name_and_address() {
        let card = card(&user(Person::default()));
        let expected = Card {
            display_name: "Bob Boyle".into(),
            email: "bob@example.test".into(),
            ..Card::default()
        };
        assert_eq!(card, expected);
    }
}
