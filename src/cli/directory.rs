//! `mynah directory check|password|sync`

use std::future::Future;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};

use super::config_file::Place;
use super::directory_report::{changes, found};
use super::password;
use super::text::{one_line, shown};
use crate::config::{Ldap, Settings};
use crate::directory::{Mapping, Origin, Raw};
use crate::ldap::{Client, Verdict, filter_of_user};
use crate::runtime::ldap_look::{Look, Sink, Step, look, spare};
use crate::store::{Database, StoreError, UserChange};

/// Entries shown of one answer.
const SHOWN_MAX: usize = 10;

/// Commands about the users of [directory.ldap]. They ask the directory service themselves; a running
/// server takes what they change within two seconds.
#[derive(Debug, Subcommand)]
pub enum Directory {
    /// Show how a user is looked for, what the directory service answers and which user that makes
    Check(Check),
    /// Take the password a user has in the directory service, so that he can sign in with it here
    Password(Password),
    /// Look at all users of the directory service now and take what changed
    Sync(Sync),
}

/// `mynah directory check`
#[derive(Args, Debug)]
pub struct Check {
    /// Address, as in alice@example.test, or name for signing in
    #[arg(value_name = "USER")]
    name: String,
    #[command(flatten)]
    place: Place,
}

/// `mynah directory password`
#[derive(Args, Debug)]
pub struct Password {
    /// Address, as in alice@example.test, or name for signing in
    #[arg(value_name = "USER")]
    name: String,
    /// Read the password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
    #[command(flatten)]
    place: Place,
}

/// `mynah directory sync`
#[derive(Args, Debug)]
pub struct Sync {
    /// List what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Disable users who are missing however many they are
    #[arg(long)]
    allow_missing: bool,
    #[command(flatten)]
    place: Place,
}

impl Directory {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        match self {
            Directory::Check(check) => check.run(),
            Directory::Password(password) => password.run(),
            Directory::Sync(sync) => sync.run(),
        }
    }
}

impl Check {
    fn run(self) -> Result<()> {
        let (settings, ldap) = configured(&self.place)?;
        let database = self.place.open(Some(&settings), true)?;
        let filter = filter_of_user(&ldap, &settings.domains, &self.name);
        let (url, answer, mapping) = block_on(ask(&settings, &ldap, &filter))??;
        println!("{:12}  {url}", "server");
        println!("{:12}  {}", "bound as", shown(ldap.bind_dn.as_deref().unwrap_or("nobody")));
        println!("{:12}  {}", "base", shown(&ldap.base));
        println!("{:12}  {}", "filter", shown(&filter));
        println!("{:12}  {} entries", "answer", answer.len());
        for raw in answer.iter().take(SHOWN_MAX) {
            print!("\n{}", found(raw, &ldap, &mapping, |aor| database.known_user(aor))?);
        }
        ensure!(answer.len() <= SHOWN_MAX, "only the first {SHOWN_MAX} are shown");
        ensure!(!answer.is_empty(), "{}: nobody is found by that filter", self.name);
        Ok(())
    }
}

impl Password {
    fn run(self) -> Result<()> {
        let (settings, ldap) = configured(&self.place)?;
        let mut database = self.place.open(Some(&settings), true)?;
        let filter = filter_of_user(&ldap, &settings.domains, &self.name);
        let (_, answer, mapping) = block_on(ask(&settings, &ldap, &filter))??;
        let [raw] = answer.as_slice() else {
            bail!(
                "{}: {} entries are found: `mynah directory check` shows them",
                self.name,
                answer.len()
            )
        };
        let entry = mapping.read(raw, spare()).with_context(|| one_line(&raw.dn))?.entry;
        let password = password::read_known(&entry.aor, self.password_stdin)?;
        let verdict =
            block_on(async { Client::connect(&ldap).await?.verify(&entry.dn, &password).await })??;
        if verdict == Verdict::Wrong {
            bail!("{}: the directory service does not take that password", entry.aor);
        }
        let aor = entry.aor.clone();
        database.change_user(&UserChange::Entry(Box::new(entry)))?;
        let known = database.known_user(&aor)?;
        let Some(known) = known.filter(|known| known.origin != Origin::Operator) else {
            return Err(StoreError::UserExists(aor).into());
        };
        let mut user = known.user;
        let realm = user.realm().to_owned();
        user.set_password(&realm, &password)?;
        database.change_user(&UserChange::Update(user))?;
        println!("{aor}: the password is right and kept here");
        Ok(())
    }
}

impl Sync {
    fn run(self) -> Result<()> {
        let (settings, ldap) = configured(&self.place)?;
        let reading = self.place.open(Some(&settings), true)?;
        let mut writing = self.place.open(Some(&settings), true)?;
        let mut sink = Shown { database: (!self.dry_run).then_some(&mut writing) };
        let looked = look(&settings, &ldap, &reading, self.allow_missing, &mut sink);
        let Look { users, unfit, changes, spared } = block_on(looked)??;
        let would = if self.dry_run { "would change" } else { "changed" };
        println!("{users} users, {unfit} entries that are none, {changes} {would}");
        if spared > 0 {
            bail!(
                "{spared} users are missing, too many to be disabled: see to base and filter, or \
                 give --allow-missing"
            );
        }
        if !self.dry_run {
            let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let unix_ms = u64::try_from(unix.as_millis()).unwrap_or(u64::MAX);
            writing.change_user(&UserChange::Looked(unix_ms))?;
        }
        Ok(())
    }
}

/// Shows what a look finds, and writes it where it is to be written.
struct Shown<'a> {
    database: Option<&'a mut Database>,
}

impl Sink for Shown<'_> {
    async fn apply(&mut self, steps: Vec<Step>) -> Result<(), StoreError> {
        for step in &steps {
            print!("{}", changes(step));
        }
        let Some(database) = &mut self.database else { return Ok(()) };
        let steps: Vec<UserChange> = steps.into_iter().map(UserChange::from).collect();
        database.change_users(&steps)
    }

    fn unfit(&mut self, dn: &str, why: &str) {
        println!("!  {}: {}", shown(dn), shown(why));
    }
}

/// Asks for the entries of one user: by which server, what it said, and what is made of it.
async fn ask<'a>(
    settings: &'a Settings,
    ldap: &'a Ldap,
    filter: &str,
) -> Result<(String, Vec<Raw>, Mapping<'a>)> {
    let mut client = Client::connect(ldap).await?;
    let memberships = client.memberships(ldap).await?;
    let mapping = Mapping::new(ldap, &settings.domains, memberships);
    let answer = client.find(&ldap.base, filter, mapping.attributes()).await?;
    Ok((client.url().to_owned(), answer, mapping))
}

fn configured(place: &Place) -> Result<(Settings, Ldap)> {
    let Some(settings) = place.settings()? else {
        bail!("[directory.ldap] stands in the configuration: give --config FILE");
    };
    let Some(ldap) = settings.ldap.clone() else {
        bail!("no directory service is configured: name one in urls of [directory.ldap]");
    };
    let settings = Settings { data: place.folder(Some(&settings)), ..settings };
    Ok((settings, ldap))
}

fn block_on<T>(future: impl Future<Output = T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("the directory service cannot be asked")?;
    let done = runtime.block_on(future);
    runtime.shutdown_background();
    Ok(done)
}
