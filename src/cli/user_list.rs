//! `mynah user list`

use std::io::{self, BufWriter, Write};

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::config_file::Place;
use super::person::policy_of;
use super::text::shown;
use crate::directory::User;

/// `mynah user list`
#[derive(Args, Debug)]
pub struct List {
    /// Form of the listing; json has all that is known but for what proves a user
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Table,
    Json,
}

/// A user in json. The names are those of the columns of `mynah user import`.
#[derive(Serialize)]
struct Row<'a> {
    address: &'a str,
    login: &'a str,
    enabled: bool,
    display_name: &'a str,
    title: &'a str,
    department: &'a str,
    company: &'a str,
    office: &'a str,
    email: &'a str,
    phone_work: &'a str,
    phone_mobile: &'a str,
    phone_home: &'a str,
    photo_url: &'a str,
    photo_hash: &'a str,
    policy: &'a str,
}

impl List {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let users = super::user::open(&self.place)?.users()?;
        let mut out = BufWriter::new(io::stdout().lock());
        match self.format {
            Format::Json => {
                let rows: Vec<Row<'_>> = users.iter().map(Row::of).collect();
                serde_json::to_writer_pretty(&mut out, &rows)?;
                writeln!(out)?;
            }
            Format::Table => table(&mut out, &users)?,
        }
        Ok(out.flush()?)
    }
}

impl<'a> Row<'a> {
    fn of(user: &'a User) -> Self {
        let person = &user.person;
        Row {
            address: &user.aor,
            login: &user.login,
            enabled: !user.disabled,
            display_name: &user.display_name,
            title: &person.title,
            department: &person.department,
            company: &person.company,
            office: &person.office,
            email: &person.email,
            phone_work: &person.phone_work,
            phone_mobile: &person.phone_mobile,
            phone_home: &person.phone_home,
            photo_url: &person.photo_url,
            photo_hash: &person.photo_hash,
            policy: policy_of(user),
        }
    }
}

fn table(out: &mut impl Write, users: &[User]) -> io::Result<()> {
    let width = |head: &str, column: fn(&User) -> &str| {
        let widest = users.iter().map(|user| column(user).chars().count()).max();
        widest.unwrap_or(0).max(head.len())
    };
    let aor = width("ADDRESS", |user| &user.aor);
    let login = width("LOGIN", |user| &user.login);
    let policy = width("POLICY", policy_of);
    let head = ["ADDRESS", "LOGIN", "STATE", "POLICY", "NAME"].map(str::to_owned);
    let rows = users.iter().map(|user| {
        let state = if user.disabled { "disabled" } else { "enabled" };
        [&*user.aor, &user.login, state, policy_of(user), &user.display_name].map(shown)
    });
    for [address, name, state, under, display_name] in std::iter::once(head).chain(rows) {
        let line =
            format!("{address:aor$}  {name:login$}  {state:8}  {under:policy$}  {display_name}");
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
