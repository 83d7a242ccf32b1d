//! `mynah api token create|list|revoke`

use std::io::{self, BufWriter, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::config_file::Place;
use crate::auth::api_token::{KeptToken, Role as TokenRole, SECRET_LEN, Token as Secret, TokenId};
use crate::base::policy_name::is_policy_name;
use crate::presence::container::ContainerId;

/// Commands about the API.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Tokens by which applications prove themselves; a running server knows them at once
    #[command(subcommand)]
    Token(Token),
}

/// Commands about tokens.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Make a token and show it, once
    Create(Create),
    /// List the tokens: names, roles and levels
    List(List),
    /// Make a token worthless
    Revoke(Revoke),
}

/// `mynah api token create`
#[derive(Args, Debug)]
pub struct Create {
    /// What the application may do
    #[arg(long, value_enum)]
    role: Role,
    /// Access level that decides what the application sees of users
    #[arg(long, value_enum, default_value_t = Level::External)]
    level: Level,
    /// What to call the application: 1 to 64 lower-case letters, digits or -
    #[arg(value_parser = name)]
    name: String,
    #[command(flatten)]
    place: Place,
}

/// `mynah api token list`
#[derive(Args, Debug)]
pub struct List {
    #[command(flatten)]
    place: Place,
}

/// `mynah api token revoke`
#[derive(Args, Debug)]
pub struct Revoke {
    /// What the application is called
    #[arg(value_parser = name)]
    name: String,
    #[command(flatten)]
    place: Place,
}

/// What an application may do; each role what those before it may, too.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Role {
    /// Fetch presence icons; the token may stand in web pages
    Icon,
    /// Read presence
    Read,
    /// List users, enable and disable them, change passwords, sign users out
    HelpDesk,
    /// Add and remove users
    Admin,
}

/// An access level, by name or number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Level {
    /// Name and mail address, no state
    #[value(alias = "0")]
    Everybody,
    /// Availability; title, company, office
    #[value(alias = "100")]
    External,
    /// Activity and place, notes, work telephone
    #[value(alias = "200")]
    Colleagues,
    /// Also meetings and mobile telephone
    #[value(alias = "300")]
    Workgroup,
    /// All telephones, but not meetings
    #[value(alias = "400")]
    Friends,
}

impl Command {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        match self {
            Command::Token(Token::Create(create)) => create.run(),
            Command::Token(Token::List(list)) => list.run(),
            Command::Token(Token::Revoke(revoke)) => revoke.run(),
        }
    }
}

impl Create {
    fn run(self) -> Result<()> {
        let settings = self.place.settings()?;
        let mut database = self.place.open(settings.as_ref(), true)?;
        let mut secret = Zeroizing::new([0; SECRET_LEN]);
        rand::fill(&mut secret[..]);
        let token = Secret::new(TokenId(rand::random()), *secret);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        database.add_api_token(&KeptToken {
            id: token.id(),
            name: self.name,
            role: self.role.into(),
            level: ContainerId::from(self.level).0,
            hash: token.hash(),
            created_unix_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
        })?;
        // Alone on standard output, for scripts; it can not be shown again.
        println!("{}", token.text().as_str());
        Ok(())
    }
}

impl List {
    fn run(self) -> Result<()> {
        let settings = self.place.settings()?;
        let tokens = self.place.open(settings.as_ref(), false)?.api_tokens()?;
        let mut out = BufWriter::new(io::stdout().lock());
        let width = tokens.iter().map(|token| token.name.len()).max().unwrap_or(0).max(4);
        writeln!(out, "{:width$}  {:9}  {:>5}  CREATED", "NAME", "ROLE", "LEVEL")?;
        for KeptToken { name, role, level, created_unix_ms, .. } in tokens {
            let second = i64::try_from(created_unix_ms / 1000).unwrap_or(i64::MAX);
            let created = Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
            writeln!(out, "{name:width$}  {:9}  {level:>5}  {created}", role.name())?;
        }
        Ok(out.flush()?)
    }
}

impl Revoke {
    fn run(self) -> Result<()> {
        let settings = self.place.settings()?;
        let mut database = self.place.open(settings.as_ref(), false)?;
        database.revoke_api_token(&self.name)?;
        println!("{} revoked", self.name);
        Ok(())
    }
}

impl From<Role> for TokenRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Icon => TokenRole::Icon,
            Role::Read => TokenRole::Read,
            Role::HelpDesk => TokenRole::HelpDesk,
            Role::Admin => TokenRole::Admin,
        }
    }
}

impl From<Level> for ContainerId {
    fn from(level: Level) -> Self {
        match level {
            Level::Everybody => ContainerId::DEFAULT,
            Level::External => ContainerId::PUBLIC,
            Level::Colleagues => ContainerId::COLLEAGUES,
            Level::Workgroup => ContainerId::WORKGROUP,
            Level::Friends => ContainerId::FRIENDS,
        }
    }
}

fn name(text: &str) -> Result<String, &'static str> {
    match is_policy_name(text) {
        true => Ok(text.to_owned()),
        false => Err("write 1 to 64 lower-case letters, digits or -"),
    }
}
