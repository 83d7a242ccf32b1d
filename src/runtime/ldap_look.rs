//! One look at all users of the directory service, and what changes by it.

use std::collections::HashSet;
use std::future::Future;

use crate::config::{Ldap, Settings};
use crate::directory::{Entry, Mapped, Mapping, Merged, Proofs, Secret, User, merge};
use crate::ldap::{Client, Fault};
use crate::metrics::ldap::LdapAlarm;
use crate::store::{Database, StoreError, UserChange};

/// As many may always be missing at once: in a small enterprise they are a large part.
const FEW: usize = 5;

/// What a look does to one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// He is new or becomes another.
    Put {
        /// What the service says of him.
        entry: Box<Entry>,
        /// How he was; `None` when he is new.
        before: Option<Box<User>>,
        /// How he will be.
        after: Box<User>,
    },
    /// The service has him no more: he is disabled.
    Missing(String),
}

/// Takes what a look finds.
pub trait Sink {
    /// Takes what is to be changed: at most a page of it, or of those who are missing.
    fn apply(&mut self, steps: Vec<Step>) -> impl Future<Output = Result<(), StoreError>>;

    /// Hears of an entry that is no user, and why.
    fn unfit(&mut self, dn: &str, why: &str);
}

/// What a look found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Users.
    pub users: u64,
    /// Entries that are no users.
    pub unfit: u64,
    /// Users made, changed or disabled.
    pub changes: u64,
    /// Users who are missing and were not disabled, for they are too many.
    pub spared: usize,
}

/// A look that did not come to its end. What was changed before stays so.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The service is no help.
    #[error(transparent)]
    Service(#[from] Fault),
    /// The store does not take or give users.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There are more entries than may be.
    #[error(
        "more than {0} entries: narrow the filter of [directory.ldap], or raise ldap_entries_max"
    )]
    TooMany(usize),
    /// An answer is none that LDAP allows.
    #[error("an answer of the directory service cannot be read")]
    Unreadable,
}

impl LookError {
    /// What kind, and so what to do.
    pub fn alarm(&self) -> LdapAlarm {
        match self {
            LookError::Service(fault) => fault.alarm,
            LookError::Store(_) => LdapAlarm::Store,
            LookError::TooMany(_) => LdapAlarm::TooMany,
            LookError::Unreadable => LdapAlarm::Protocol,
        }
    }
}

impl From<Step> for UserChange {
    fn from(step: Step) -> Self {
        match step {
            Step::Put { entry, .. } => UserChange::Entry(entry),
            Step::Missing(aor) => UserChange::Missing(aor),
        }
    }
}

/// Looks at all users of `ldap`, page by page, compares them with those in `database` and tells
/// `sink`. No more is held than a page and the addresses that were seen. Who is missing is told only
/// when all pages were there, and, unless `allow_missing`, when there are not too many of them.
pub async fn look(
    settings: &Settings,
    ldap: &Ldap,
    database: &Database,
    allow_missing: bool,
    sink: &mut impl Sink,
) -> Result<Look, LookError> {
    let mut client = Client::connect(ldap).await?;
    let memberships = client.memberships(ldap).await?;
    let mapping = Mapping::new(ldap, &settings.domains, memberships);
    let mut pages = client.pages(ldap, mapping.attributes());
    let entries_max = settings.limits.ldap_entries_max;
    let mut entries = 0;
    let mut look = Look::default();
    let mut seen: HashSet<Box<str>, ahash::RandomState> = HashSet::default();
    while let Some(page) = pages.next().await? {
        entries += page.len();
        if entries > entries_max {
            return Err(LookError::TooMany(entries_max));
        }
        let mut steps = Vec::new();
        for raw in &page {
            let unfit = match mapping.read(raw, spare()) {
                Err(unfit) => Some(unfit.to_string()),
                Ok(Mapped { entry, .. }) if !seen.insert(entry.aor.as_str().into()) => {
                    Some(format!("another entry has the address {}", entry.aor))
                }
                Ok(Mapped { entry, .. }) => {
                    let known = database.known_user(&entry.aor)?;
                    match merge(&entry, known.as_ref()) {
                        Merged::Operators => Some(operators(&entry.aor)),
                        Merged::Same => None,
                        Merged::Changed(after) => {
                            let before = known.map(|known| Box::new(known.user));
                            steps.push(Step::Put { entry: Box::new(entry), before, after });
                            None
                        }
                    }
                }
            };
            match unfit {
                Some(why) => {
                    look.unfit += 1;
                    sink.unfit(&raw.dn, &why);
                }
                None => look.users += 1,
            }
        }
        apply(sink, steps, &mut look).await?;
    }
    let mut enabled = 0;
    let mut missing = Vec::new();
    database.for_each_service_user(|aor, disabled| {
        if !disabled {
            enabled += 1;
            if !seen.contains(aor) {
                missing.push(aor.to_owned());
            }
        }
    })?;
    let percent_max = usize::from(ldap.missing_percent_max);
    let nobody = seen.is_empty() && !missing.is_empty();
    if !allow_missing && (nobody || too_many(missing.len(), enabled, percent_max)) {
        look.spared = missing.len();
        return Ok(look);
    }
    let mut missing = missing.into_iter().map(Step::Missing);
    loop {
        let steps: Vec<Step> = missing.by_ref().take(ldap.page_size as usize).collect();
        if steps.is_empty() {
            return Ok(look);
        }
        apply(sink, steps, &mut look).await?;
    }
}

/// Why an operator's user is not taken over.
pub fn operators(aor: &str) -> String {
    format!("{aor} was added by an operator: `mynah user remove {aor}` leaves him to the service")
}

/// Hashes that nobody can prove.
pub fn spare() -> Proofs {
    let mut proofs = ([0; 16], [0; 32], [0; 16]);
    rand::fill(&mut proofs.0[..]);
    rand::fill(&mut proofs.1[..]);
    rand::fill(&mut proofs.2[..]);
    Proofs {
        ha1_md5: Secret::new(proofs.0),
        ha1_sha256: Secret::new(proofs.1),
        nt_hash: Secret::new(proofs.2),
    }
}

async fn apply(sink: &mut impl Sink, steps: Vec<Step>, look: &mut Look) -> Result<(), StoreError> {
    if steps.is_empty() {
        return Ok(());
    }
    let count = steps.len() as u64;
    sink.apply(steps).await?;
    look.changes += count;
    Ok(())
}

fn too_many(missing: usize, of: usize, percent_max: usize) -> bool {
    missing > FEW && missing.saturating_mul(100) > of.saturating_mul(percent_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_may_always_be_missing_and_of_many_a_part() {
        assert!(!too_many(0, 0, 0));
        assert!(!too_many(5, 5, 20));
        assert!(too_many(6, 6, 20));
        assert!(!too_many(20, 100, 20));
        assert!(too_many(21, 100, 20));
        assert!(!too_many(100, 100, 100));
    }

    #[test]
    fn hashes_that_nobody_gives_differ() {
        assert_ne!(spare(), spare());
        assert_ne!(spare().nt_hash, Secret::new([0; 16]));
    }
}
