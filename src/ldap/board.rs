//! How the users of the directory service are, for whoever looks.

use std::sync::{Arc, Mutex, PoisonError};

use crate::metrics::ldap::LdapCounters;

/// The counters, shared. Cheap to clone; all stay zero where no directory service is configured.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<Mutex<LdapCounters>>);

impl Board {
    /// The counters as they stand.
    pub fn counters(&self) -> LdapCounters {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes them.
    pub fn update(&self, change: impl FnOnce(&mut LdapCounters)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
