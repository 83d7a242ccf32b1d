//! `mynah user add|disable|enable|import|list|passwd|remove|set`

use anyhow::{Result, bail};
use clap::{Args, Subcommand};

use super::config_file::Place;
use super::password;
use super::person::PersonOptions;
use super::user_import::Import;
use super::user_list::List;
use crate::config::Settings;
use crate::directory::{Address, User as DirectoryUser};
use crate::store::{Database, StoreError, UserChange};

/// Commands about users. A running server applies them within a second or two.
#[derive(Debug, Subcommand)]
pub enum User {
    /// Add a user
    Add(Box<Add>),
    /// Keep a user from signing in
    Disable(Named),
    /// Let a disabled user sign in again
    Enable(Named),
    /// Add all users of a CSV file, or none of them
    Import(Import),
    /// List the users
    List(List),
    /// Change a user's password
    Passwd(Passwd),
    /// Forget a user; its call detail records stay
    Remove(Named),
    /// Change what others see of a user, and the user's policy
    Set(Box<Set>),
}

/// `mynah user add`
#[derive(Args, Debug)]
pub struct Add {
    /// Address, as in alice@example.test
    #[arg(value_parser = address)]
    address: Address,
    /// Name for signing in [default: the part before @]
    #[arg(long)]
    login: Option<String>,
    /// Name that others see
    #[arg(long, alias = "display-name", default_value = "", hide_default_value = true)]
    name: String,
    #[command(flatten)]
    person: PersonOptions,
    /// Read the password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
    #[command(flatten)]
    place: Place,
}

/// A command on one user.
#[derive(Args, Debug)]
pub struct Named {
    /// Address, as in alice@example.test
    #[arg(value_parser = address)]
    address: Address,
    #[command(flatten)]
    place: Place,
}

/// `mynah user passwd`
#[derive(Args, Debug)]
pub struct Passwd {
    /// Address, as in alice@example.test
    #[arg(value_parser = address)]
    address: Address,
    /// Read the password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
    #[command(flatten)]
    place: Place,
}

/// `mynah user set`
#[derive(Args, Debug)]
pub struct Set {
    /// Address, as in alice@example.test
    #[arg(value_parser = address)]
    address: Address,
    /// Name that others see
    #[arg(long, alias = "name", value_name = "NAME")]
    display_name: Option<String>,
    #[command(flatten)]
    person: PersonOptions,
    #[command(flatten)]
    place: Place,
}

impl User {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        match self {
            User::Add(add) => add.run(),
            User::Disable(named) => named.run(UserChange::Disable, "disabled"),
            User::Enable(named) => named.run(UserChange::Enable, "enabled"),
            User::Import(import) => import.run(),
            User::List(list) => list.run(),
            User::Passwd(passwd) => passwd.run(),
            User::Remove(named) => named.run(UserChange::Remove, "removed"),
            User::Set(set) => set.run(),
        }
    }
}

impl Add {
    fn run(self) -> Result<()> {
        let settings = self.place.settings()?;
        check_domain(&self.address, settings.as_ref())?;
        self.person.check_policy(settings.as_ref())?;
        let mut database = self.place.open(settings.as_ref(), true)?;
        let aor = self.address.as_str();
        if database.user(aor)?.is_some() {
            return Err(StoreError::UserExists(aor.to_owned()).into());
        }
        let password = password::read_new(aor, self.password_stdin)?;
        let login = self.login.as_deref();
        let mut user =
            DirectoryUser::with_password(aor, login, &self.name, self.address.domain(), &password)?;
        self.person.apply(&mut user)?;
        database.change_user(&UserChange::Add(user))?;
        println!("{aor} added");
        Ok(())
    }
}

impl Named {
    fn run(self, change: fn(String) -> UserChange, done: &str) -> Result<()> {
        let mut database = open(&self.place)?;
        database.change_user(&change(self.address.as_str().to_owned()))?;
        println!("{} {done}", self.address);
        Ok(())
    }
}

impl Passwd {
    fn run(self) -> Result<()> {
        let mut database = open(&self.place)?;
        let aor = self.address.as_str();
        let Some(mut user) = database.user(aor)? else {
            return Err(StoreError::NoSuchUser(aor.to_owned()).into());
        };
        let password = password::read_new(aor, self.password_stdin)?;
        user.set_password(self.address.domain(), &password)?;
        database.change_user(&UserChange::Update(user))?;
        println!("{aor}: password changed");
        Ok(())
    }
}

impl Set {
    fn run(self) -> Result<()> {
        if self.display_name.is_none() && self.person.is_empty() {
            bail!(
                "nothing to set: give --title, --policy or another option of `mynah user set -h`"
            );
        }
        let settings = self.place.settings()?;
        self.person.check_policy(settings.as_ref())?;
        let mut database = self.place.open(settings.as_ref(), false)?;
        let aor = self.address.as_str();
        let Some(mut user) = database.user(aor)? else {
            return Err(StoreError::NoSuchUser(aor.to_owned()).into());
        };
        if let Some(display_name) = &self.display_name {
            user.set_display_name(display_name)?;
        }
        self.person.apply(&mut user)?;
        database.change_user(&UserChange::Update(user))?;
        println!("{aor} changed");
        Ok(())
    }
}

pub(super) fn open(place: &Place) -> Result<Database> {
    place.open(place.settings()?.as_ref(), false)
}

/// With a configuration at hand an address of another domain is a slip: nobody could sign in.
pub(super) fn check_domain(address: &Address, settings: Option<&Settings>) -> Result<()> {
    let Some(settings) = settings else { return Ok(()) };
    if settings.domains.iter().any(|domain| domain == address.domain()) {
        return Ok(());
    }
    bail!(
        "{}: this server serves {}: use one of them, or add the domain to server.domains",
        address.domain(),
        settings.domains.join(", ")
    )
}

fn address(text: &str) -> Result<Address, String> {
    Address::parse(text).map_err(|error| error.to_string())
}
