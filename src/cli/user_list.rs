//! `mynah user list`

use std::io::{self, BufWriter, Write};

use anyhow::Result;
use clap::{Args, ValueEnum};

use super::config_file::Place;
use super::text::shown;
use crate::admin::account::Account;
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

impl List {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let users = super::user::open(&self.place)?.users()?;
        let mut out = BufWriter::new(io::stdout().lock());
        match self.format {
            Format::Json => {
                let accounts: Vec<_> = users.iter().map(Account::from).collect();
                serde_json::to_writer_pretty(&mut out, &accounts)?;
                writeln!(out)?;
            }
            Format::Table => table(&mut out, &users)?,
        }
        Ok(out.flush()?)
    }
}

fn table(out: &mut impl Write, users: &[User]) -> io::Result<()> {
    let width = |head: &str, column: fn(&User) -> &str| {
        let widest = users.iter().map(|user| column(user).chars().count()).max();
        widest.unwrap_or(0).max(head.len())
    };
    let aor = width("ADDRESS", |user| &user.aor);
    let login = width("LOGIN", |user| &user.login);
    let policy = width("POLICY", User::policy_name);
    let head = ["ADDRESS", "LOGIN", "STATE", "POLICY", "NAME"].map(str::to_owned);
    let rows = users.iter().map(|user| {
        let state = if user.disabled { "disabled" } else { "enabled" };
        [&*user.aor, &user.login, state, user.policy_name(), &user.display_name].map(shown)
    });
    for [address, name, state, under, display_name] in std::iter::once(head).chain(rows) {
        let line =
            format!("{address:aor$}  {name:login$}  {state:8}  {under:policy$}  {display_name}");
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
