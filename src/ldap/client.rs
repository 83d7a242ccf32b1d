//! One connection to a directory service.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::time::Duration;

use ldap3::{Ldap as Handle, LdapConnAsync, LdapConnSettings, LdapError, Scope, SearchEntry};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::fault::{Fault, Step};
use super::pages::Pages;
use super::tls;
use crate::config::Ldap;
use crate::config::ldap::Protection;
use crate::directory::{Memberships, Raw};

/// Longest password of `bind_dn`, in octets.
const PASSWORD_LEN_MAX: u64 = 1024;
/// Result code of RFC 4511: name or password is wrong.
const INVALID_CREDENTIALS: u32 = 49;

/// A connection that is bound. Runs on tokio with its clock and reactor enabled; ends when it is
/// dropped.
#[derive(Debug)]
pub struct Client {
    pub(super) handle: Handle,
    pub(super) url: String,
    pub(super) timeout: Duration,
    driver: JoinHandle<()>,
}

/// What a directory service says to a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the password of that entry.
    Right,
    /// It is not, or the entry may not bind.
    Wrong,
}

/// Reads the files that `ldap` names, so that a slip shows before a connection is made.
pub fn check_files(ldap: &Ldap) -> Result<(), Fault> {
    if protects(ldap) {
        tls::config(&ldap.ca)?;
    }
    password(ldap).map(drop)
}

impl Client {
    /// Connects to the first server of `ldap` that answers, and binds. The fault is that of the last
    /// one.
    pub async fn connect(ldap: &Ldap) -> Result<Self, Fault> {
        let password = password(ldap)?;
        let mut last = Fault::setup("directory.ldap.urls", "no server is named");
        for url in &ldap.urls {
            match Client::open(ldap, url).await {
                Ok(mut client) => match (&ldap.bind_dn, &password) {
                    (Some(dn), Some(password)) => match client.bind(dn, password).await {
                        Ok(()) => return Ok(client),
                        Err(fault) => last = fault,
                    },
                    _ => return Ok(client),
                },
                Err(fault) => last = fault,
            }
        }
        Err(last)
    }

    /// The server it is connected to.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// All entries below `base` that `filter` of `ldap` finds, with `attributes`, a page at a time.
    pub fn pages(self, ldap: &Ldap, attributes: Vec<String>) -> Pages {
        Pages::new(self, ldap, attributes)
    }

    /// The entries that `filter` finds, which are few.
    pub async fn find(
        &mut self,
        base: &str,
        filter: &str,
        attributes: Vec<String>,
    ) -> Result<Vec<Raw>, Fault> {
        self.search(base, Scope::Subtree, filter, attributes).await
    }

    /// Whose members the groups of `ldap` name. A group that is not there has none; one whose members
    /// do not all come is a fault, for the rest would lose their policy.
    pub async fn memberships(&mut self, ldap: &Ldap) -> Result<Memberships, Fault> {
        let mut memberships = Memberships::default();
        let Some(attribute) = &ldap.members else { return Ok(memberships) };
        for (place, group) in ldap.groups.iter().enumerate() {
            let attributes = vec![attribute.clone()];
            let all = "(objectClass=*)";
            let entries = self.search(&group.dn, Scope::Base, all, attributes).await?;
            if entries.iter().any(|entry| entry.is_cut(attribute)) {
                let what = format!(
                    "{} has more members than come in one answer: leave `members` out, so that \
                     users name their groups",
                    group.dn
                );
                return Err(Fault::setup("directory.ldap.members", what));
            }
            for member in entries.iter().flat_map(|entry| entry.values(attribute)) {
                memberships.insert(member, place);
            }
        }
        Ok(memberships)
    }

    /// Whether `password` is that of the entry `dn`. The connection is bound as that entry then, or
    /// as nobody: it is of no other use.
    pub async fn verify(mut self, dn: &str, password: &str) -> Result<Verdict, Fault> {
        // RFC 4513 section 5.1.2: a name without a password is let in as nobody, whoever it is.
        if password.is_empty() {
            return Ok(Verdict::Wrong);
        }
        let bound = timeout(self.timeout, self.handle.simple_bind(dn, password)).await;
        match bound.map_err(|_| Fault::late(&self.url, Step::Bind))? {
            Ok(result) if result.rc == INVALID_CREDENTIALS => Ok(Verdict::Wrong),
            Ok(result) => {
                result.success().map_err(|error| Fault::of(&self.url, Step::Bind, &error))?;
                Ok(Verdict::Right)
            }
            Err(error) => Err(Fault::of(&self.url, Step::Bind, &error)),
        }
    }

    async fn open(ldap: &Ldap, url: &str) -> Result<Self, Fault> {
        let mut settings = LdapConnSettings::new().set_conn_timeout(ldap.timeout);
        if protects_one(ldap, url) {
            settings = settings.set_config(tls::config(&ldap.ca)?);
        }
        settings = settings.set_starttls(ldap.protection == Protection::StartTls);
        let opened = timeout(ldap.timeout, LdapConnAsync::with_settings(settings, url)).await;
        let opened = opened.map_err(|_| Fault::late(url, Step::Connect))?;
        let (connection, handle) = opened.map_err(|error| Fault::of(url, Step::Connect, &error))?;
        let driver = tokio::spawn(async move {
            // What it was asked for is answered with the end of the connection.
            let _ = connection.drive().await;
        });
        Ok(Client { handle, url: url.to_owned(), timeout: ldap.timeout, driver })
    }

    async fn bind(&mut self, dn: &str, password: &str) -> Result<(), Fault> {
        let bound = timeout(self.timeout, self.handle.simple_bind(dn, password)).await;
        let bound = bound.map_err(|_| Fault::late(&self.url, Step::Bind))?;
        let bound = bound.and_then(ldap3::LdapResult::success);
        bound.map(drop).map_err(|error| Fault::of(&self.url, Step::Bind, &error))
    }

    async fn search(
        &mut self,
        base: &str,
        scope: Scope,
        filter: &str,
        attributes: Vec<String>,
    ) -> Result<Vec<Raw>, Fault> {
        let found =
            timeout(self.timeout, self.handle.search(base, scope, filter, attributes)).await;
        let found = found.map_err(|_| Fault::late(&self.url, Step::Search))?;
        let found = found.and_then(ldap3::SearchResult::success);
        let (entries, _) = match found {
            Err(LdapError::LdapResult { result }) if scope == Scope::Base && result.rc == 32 => {
                return Ok(Vec::new());
            }
            found => found.map_err(|error| Fault::of(&self.url, Step::Search, &error))?,
        };
        Ok(entries.into_iter().map(SearchEntry::construct).map(raw).collect())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// An entry as it came, by names in lower case.
pub(super) fn raw(entry: SearchEntry) -> Raw {
    let texts = entry.attrs.into_iter().filter(|(_, values)| !values.is_empty());
    let texts: BTreeMap<_, _> =
        texts.map(|(name, values)| (name.to_ascii_lowercase(), values)).collect();
    let octets: BTreeSet<_> =
        entry.bin_attrs.into_keys().map(|name| name.to_ascii_lowercase()).collect();
    Raw { dn: entry.dn, texts, octets }
}

fn protects(ldap: &Ldap) -> bool {
    ldap.urls.iter().any(|url| protects_one(ldap, url))
}

fn protects_one(ldap: &Ldap, url: &str) -> bool {
    url.starts_with("ldaps:") || ldap.protection == Protection::StartTls
}

/// The password of `bind_dn`; `None` when nobody binds.
fn password(ldap: &Ldap) -> Result<Option<Zeroizing<String>>, Fault> {
    if ldap.bind_dn.is_none() {
        return Ok(None);
    }
    let path = &ldap.password_file;
    let fail = |what: &dyn std::fmt::Display| Fault::setup(path.display(), what);
    let file = File::open(path).map_err(|error| fail(&error))?;
    let mut line = Zeroizing::new(String::new());
    let mut reader = BufReader::new(file.take(PASSWORD_LEN_MAX + 1));
    reader.read_line(&mut line).map_err(|error| fail(&error))?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        // Sent like that it would bind as nobody, and look as if it were right.
        return Err(fail(&"no password on its first line"));
    }
    if password.len() as u64 > PASSWORD_LEN_MAX {
        return Err(fail(&"its first line is longer than any password"));
    }
    Ok(Some(Zeroizing::new(password.to_owned())))
}
