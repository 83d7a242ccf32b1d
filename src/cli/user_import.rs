//! `mynah user import`

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use serde::Deserialize;

use super::config_file::Place;
use crate::config::Settings;
use crate::directory::{Address, User};
use crate::store::UserChange;

/// `mynah user import`
#[derive(Args, Debug)]
pub struct Import {
    /// File with the columns address, password and, if wanted, display name and login, named so
    /// in its first line; - reads standard input
    file: PathBuf,
    #[command(flatten)]
    place: Place,
}

/// A line of the file.
#[derive(Deserialize)]
struct Line {
    address: String,
    password: String,
    #[serde(default, rename = "display name")]
    display_name: String,
    #[serde(default)]
    login: Option<String>,
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
fn read(file: impl Read, settings: Option<&Settings>) -> Result<Vec<UserChange>> {
    let mut users = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(file);
    let lines = users.deserialize::<Line>();
    lines
        .map(|line| {
            // The reader's own errors name their line.
            let line = line?;
            let address = Address::parse(&line.address).with_context(|| line.address.clone())?;
            super::user::check_domain(&address, settings)?;
            let login = line.login.as_deref().filter(|login| !login.is_empty());
            let (aor, realm) = (address.as_str(), address.domain());
            let user = User::with_password(aor, login, &line.display_name, realm, &line.password)
                .with_context(|| line.address.clone())?;
            Ok(UserChange::Add(user))
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
    fn the_line_at_fault_is_named() {
        for (text, fault) in [
            ("address,password\nalice,x\n", "alice"),
            ("address,password\nalice@example.test,\n", "alice@example.test"),
            ("address\nalice@example.test\n", "password"),
            ("address,password\na@example.test,x,y\n", "line: 2"),
        ] {
            let error = format!("{:#}", users(text).unwrap_err());
            assert!(error.contains(fault), "{error}");
        }
    }
}
