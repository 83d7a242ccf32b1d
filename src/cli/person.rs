//! What is known of a user as a person, on the command line.

use anyhow::{Result, bail};
use clap::Args;

use crate::config::Settings;
use crate::directory::{Person, User, UserError};

/// What may be said of a user; an empty text forgets it.
#[derive(Args, Clone, Debug, Default)]
pub struct PersonOptions {
    /// Position
    #[arg(long)]
    pub title: Option<String>,
    /// Department
    #[arg(long)]
    pub department: Option<String>,
    /// Enterprise
    #[arg(long)]
    pub company: Option<String>,
    /// Office, as written on its door
    #[arg(long)]
    pub office: Option<String>,
    /// Mail address, where it is not the user's address
    #[arg(long)]
    pub email: Option<String>,
    /// Telephone at work, best in international form: +1 425 555 0100
    #[arg(long, value_name = "NUMBER")]
    pub phone_work: Option<String>,
    /// Telephone in the pocket
    #[arg(long, value_name = "NUMBER")]
    pub phone_mobile: Option<String>,
    /// Telephone at home
    #[arg(long, value_name = "NUMBER")]
    pub phone_home: Option<String>,
    /// Where the picture is
    #[arg(long, value_name = "URL")]
    pub photo_url: Option<String>,
    /// Its hash, by which clients know that they have it already
    #[arg(long, value_name = "HASH")]
    pub photo_hash: Option<String>,
    /// Policy of the configuration, as in [policy.NAME] [default: default]
    #[arg(long, value_name = "NAME")]
    pub policy: Option<String>,
}

impl PersonOptions {
    /// True when nothing is said.
    pub fn is_empty(&self) -> bool {
        self.policy.is_none() && self.texts().into_iter().all(|text| text.is_none())
    }

    /// Puts what is said in the place of what was known.
    pub fn apply(&self, user: &mut User) -> Result<(), UserError> {
        let mut person = Person::clone(&user.person);
        let places = [
            &mut person.title,
            &mut person.department,
            &mut person.company,
            &mut person.office,
            &mut person.email,
            &mut person.phone_work,
            &mut person.phone_mobile,
            &mut person.phone_home,
            &mut person.photo_url,
            &mut person.photo_hash,
        ];
        for (place, text) in places.into_iter().zip(self.texts()) {
            if let Some(text) = text {
                *place = text.as_str().into();
            }
        }
        user.set_person(person)?;
        match &self.policy {
            Some(policy) => user.set_policy(policy),
            None => Ok(()),
        }
    }

    /// With a configuration at hand a policy that is not there is a slip: the default one would
    /// govern the user.
    pub fn check_policy(&self, settings: Option<&Settings>) -> Result<()> {
        let (Some(policy), Some(settings)) = (self.policy.as_deref(), settings) else {
            return Ok(());
        };
        if policy.is_empty() || settings.policies.contains(policy) {
            return Ok(());
        }
        let names: Vec<&str> = settings.policies.iter().map(|(name, _)| name).collect();
        bail!(
            "{policy}: there is no such policy: use one of {}, or add a section [policy.NAME]",
            names.join(", ")
        )
    }

    fn texts(&self) -> [Option<&String>; 10] {
        [
            self.title.as_ref(),
            self.department.as_ref(),
            self.company.as_ref(),
            self.office.as_ref(),
            self.email.as_ref(),
            self.phone_work.as_ref(),
            self.phone_mobile.as_ref(),
            self.phone_home.as_ref(),
            self.photo_url.as_ref(),
            self.photo_hash.as_ref(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_replaces_what_was_known_and_no_more() {
        let mut user = User::with_password("a@b.test", None, "A", "b.test", "x").unwrap();
        user.person.title = "Tester".into();
        user.person.office = "2.17".into();
        let text = |text: &str| Some(text.to_owned());
        let options = PersonOptions {
            title: text(""),
            phone_home: text("+1 2"),
            photo_url: text("https://b.test/a"),
            photo_hash: text("h"),
            policy: text("sales"),
            ..PersonOptions::default()
        };
        assert!(!options.is_empty());
        options.apply(&mut user).unwrap();
        let person = &user.person;
        assert_eq!((&*person.title, &*person.office), ("", "2.17"));
        assert_eq!((&*person.phone_home, &*person.photo_hash), ("+1 2", "h"));
        assert_eq!(user.policy_name(), "sales");
        assert!(PersonOptions::default().is_empty());
    }

    #[test]
    fn what_cannot_be_is_refused_and_changes_nothing() {
        let mut user = User::with_password("a@b.test", None, "A", "b.test", "x").unwrap();
        let before = user.clone();
        let options = PersonOptions { photo_hash: Some("h".to_owned()), ..Default::default() };
        assert_eq!(options.apply(&mut user), Err(UserError::Photo));
        assert_eq!(user, before);
        assert_eq!(user.policy_name(), "default");
    }
}
