//! `mynah user import`

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use serde::Deserialize;

use super::config_file::Place;
use super::person::PersonOptions;
use crate::config::Settings;
use crate::directory::{Address, User};
use crate::store::UserChange;

/// `mynah user import`
#[derive(Args, Debug)]
pub struct Import {
    /// File with the columns address, password and, if wanted, display name, login, title,
    /// department, company, office, email, phone work, phone mobile, phone home, photo url, photo
    /// hash and policy, named so in its first line; - reads standard input
    file: PathBuf,
    #[command(flatten)]
    place: Place,
}

/// A line of the file.
#[derive(Deserialize)]
struct Line {
    address: String,
    password: String,
    #[serde(default, rename = "display name", alias = "display-name")]
    display_name: String,
    login: Option<String>,
    title: Option<String>,
    department: Option<String>,
    company: Option<String>,
    office: Option<String>,
    email: Option<String>,
    #[serde(rename = "phone work", alias = "phone-work")]
    phone_work: Option<String>,
    #[serde(rename = "phone mobile", alias = "phone-mobile")]
    phone_mobile: Option<String>,
    #[serde(rename = "phone home", alias = "phone-home")]
    phone_home: Option<String>,
    #[serde(rename = "photo url", alias = "photo-url")]
    photo_url: Option<String>,
    #[serde(rename = "photo hash", alias = "photo-hash")]
    photo_hash: Option<String>,
    policy: Option<String>,
}

impl Line {
    fn user(self, settings: Option<&Settings>) -> Result<User> {
        let address = Address::parse(&self.address)?;
        super::user::check_domain(&address, settings)?;
        let login = self.login.as_deref().filter(|login| !login.is_empty());
        let (aor, realm) = (address.as_str(), address.domain());
        let mut user = User::with_password(aor, login, &self.display_name, realm, &self.password)?;
        let person = PersonOptions {
            title: self.title,
            department: self.department,
            company: self.company,
            office: self.office,
            email: self.email,
            phone_work: self.phone_work,
            phone_mobile: self.phone_mobile,
            phone_home: self.phone_home,
            photo_url: self.photo_url,
            photo_hash: self.photo_hash,
            policy: self.policy,
        };
        person.check_policy(settings)?;
        person.apply(&mut user)?;
        Ok(user)
    }
}

impl Import {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let settings = self.place.settings()?;
        let name = self.file.display().to_string();
        let changes = match self.file.as_os_str() == "-" {
            true => read(io::stdin().lock(), settings.as_ref()).context("standard input")?,
            false => {
                let file = File::open(&self.file).with_context(|| name.clone())?;
                read(file, settings.as_ref()).context(name)?
            }
        };
        let mut database = self.place.open(settings.as_ref(), true)?;
        database.change_users(&changes)?;
        println!("{} users added", changes.len());
        Ok(())
    }
}

/// The users of a file; the first line at fault is named.
pub(super) fn read(file: impl Read, settings: Option<&Settings>) -> Result<Vec<UserChange>> {
    let mut users = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(file);
    let lines = users.deserialize::<Line>();
    lines
        .map(|line| {
            // The reader's own errors name their line.
            let line = line?;
            let address = line.address.clone();
            line.user(settings).map(UserChange::Add).context(address)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(text: &str) -> Result<Vec<UserChange>> {
        read(text.as_bytes(), None)
    }

    #[test]
    fn names_and_logins_are_optional() {
        let read = users(
            "address,password,display name\nalice@example.test,\"a,b\",Alice\nbob@example.test,x,\n",
        )
        .unwrap();
        let expected =
            [("alice", "a,b", "Alice"), ("bob", "x", "")].map(|(user, password, name)| {
                let aor = format!("{user}@example.test");
                UserChange::Add(
                    User::with_password(&aor, None, name, "example.test", password).unwrap(),
                )
            });
        assert_eq!(read, expected);
    }

    #[test]
    fn what_is_known_of_a_person_is_read_whatever_it_looks_like() {
        let read = users(
            "address,password,phone work,photo-url,photo hash,title,policy\n\
             a@b.test,x,+1 425 555 0100,https://b.test/a,00,12,sales\nb@b.test,x,,,,,\n",
        )
        .unwrap();
        let [UserChange::Add(a), UserChange::Add(b)] = &read[..] else { panic!("{read:?}") };
        assert_eq!((&*a.person.phone_work, &*a.person.title), ("+1 425 555 0100", "12"));
        assert_eq!((&*a.person.photo_url, &*a.person.photo_hash), ("https://b.test/a", "00"));
        assert_eq!((a.policy.as_str(), b.policy.as_str()), ("sales", ""));
        assert_eq!(*b.person, crate::directory::Person::default());
    }

    #[test]
    fn the_line_at_fault_is_named() {
        for (text, fault) in [
            ("address,password\nalice,x\n", "alice"),
            ("address,password\nalice@example.test,\n", "alice@example.test"),
            ("address\nalice@example.test\n", "password"),
            ("address,password\na@example.test,x,y\n", "line: 2"),
            ("address,password,photo hash\na@example.test,x,y\n", "a@example.test: the photo"),
        ] {
            let error = format!("{:#}", users(text).unwrap_err());
            assert!(error.contains(fault), "{error}");
        }
    }
}
