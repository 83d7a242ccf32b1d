//! The publications of one user, and the versions of those that are gone.

use std::sync::Arc;

use super::category::Category;
use super::publication::{Key, Life, Operation, Payload, Publication};
use super::row::Row;
use crate::base::ids::ConnId;
use crate::base::limits::{Limit, Limits};

/// An operation that rests on a version which is not the current one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale {
    /// Its position, from 1.
    pub index: u32,
    /// The version it rests on.
    pub version: u32,
    /// The version to rest on.
    pub current: u32,
}

/// Why nothing was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishError {
    /// These operations rest on versions that are not current.
    Stale(Vec<Stale>),
    /// More than `publications_per_user_max`.
    TooMany,
    /// More than `publication_bytes_max`.
    TooLarge,
}

impl PublishError {
    /// The bound that was hit, if it was one.
    pub fn limit(&self) -> Option<Limit> {
        match self {
            PublishError::Stale(_) => None,
            PublishError::TooMany => Some(Limit::Publications),
            PublishError::TooLarge => Some(Limit::PublicationBytes),
        }
    }
}

/// What became other than it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Categories of which a publication came, went or got a new version.
    pub touched: Vec<Category>,
    /// Keys under which something else is said than before.
    pub keys: Vec<Key>,
    /// For the store.
    pub rows: Vec<Row>,
}

impl Changes {
    fn note(&mut self, key: &Key, says_other: bool) {
        if !self.touched.contains(&key.category) {
            self.touched.push(key.category.clone());
        }
        if says_other {
            self.keys.push(key.clone());
        }
    }
}

/// All publications of a user. A key never gets a version twice: deleted keys remember theirs,
/// and what is remembered of the oldest, once they are too many, is one number for all.
#[derive(Clone, Debug, Default)]
pub struct Document {
    /// By key.
    publications: Vec<Publication>,
    /// The last deleted is last.
    deleted: Vec<Deleted>,
    /// No key that is neither published nor deleted gets a version up to this.
    floor: u32,
}

#[derive(Clone, Debug)]
struct Deleted {
    key: Key,
    version: u32,
    /// The store remembers it too. Then it stays here while something that is not static is
    /// published under the key.
    is_stored: bool,
}

impl Document {
    /// Takes the operations one after the other, or none of them. `endpoints` are the user's
    /// connections: what is to live with another is over at once.
    pub fn publish(
        &mut self,
        unix_ms: u64,
        operations: Vec<Operation>,
        endpoints: &[ConnId],
        limits: &Limits,
    ) -> Result<Changes, PublishError> {
        if operations.len() > limits.publications_per_user_max {
            return Err(PublishError::TooMany);
        }
        let mut next = self.clone();
        let mut changes = Changes::default();
        let mut stale = Vec::new();
        for (index, operation) in (1..).zip(operations) {
            let current = next.version(&operation.key);
            match operation.version {
                Some(version) if !next.is_current(&operation.key, version) => {
                    stale.push(Stale { index, version, current });
                }
                _ => next.take(unix_ms, operation, endpoints, &mut changes),
            }
        }
        if !stale.is_empty() {
            return Err(PublishError::Stale(stale));
        }
        let grows = next.publications.len() > self.publications.len();
        if grows && next.publications.len() > limits.publications_per_user_max {
            return Err(PublishError::TooMany);
        }
        let octets = next.octets();
        if octets > limits.publication_bytes_max && octets > self.octets() {
            return Err(PublishError::TooLarge);
        }
        next.forget(limits.publications_per_user_max, &mut changes);
        *self = next;
        Ok(changes)
    }

    /// Takes what the store has kept. Other rows than of publications are ignored.
    pub fn restore(&mut self, row: Row) {
        match row {
            Row::PutPublication(publication) => {
                self.deleted.retain(|deleted| deleted.key != publication.key);
                match self.position(&publication.key) {
                    Ok(at) => self.publications[at] = publication,
                    Err(at) => self.publications.insert(at, publication),
                }
            }
            Row::DeletePublication { key, version } => {
                if let Ok(at) = self.position(&key) {
                    self.publications.remove(at);
                }
                self.bury(key, version, true);
            }
            Row::Forget { floor, .. } => self.floor = self.floor.max(floor),
            Row::PutContainer(_) | Row::PutSubscriber { .. } | Row::DeleteSubscriber(_) => {}
        }
    }

    /// Removes the publications whose life `is_over`.
    pub fn remove_if(&mut self, is_over: impl Fn(Life) -> bool) -> Changes {
        let mut changes = Changes::default();
        let (gone, left) = std::mem::take(&mut self.publications)
            .into_iter()
            .partition(|publication| is_over(publication.life));
        self.publications = left;
        let gone: Vec<Publication> = gone;
        for publication in gone {
            changes.note(&publication.key, true);
            self.bury(publication.key, publication.version, false);
        }
        changes
    }

    /// All, by key.
    pub fn publications(&self) -> &[Publication] {
        &self.publications
    }

    /// The publication under `key`.
    pub fn get(&self, key: &Key) -> Option<&Publication> {
        self.position(key).ok().and_then(|at| self.publications.get(at))
    }

    /// Panics when the tables contradict one another (debug builds).
    pub fn check_invariants(&self) {
        debug_assert!(self.publications.is_sorted_by(|a, b| a.key < b.key));
        for (at, deleted) in self.deleted.iter().enumerate() {
            debug_assert!(self.deleted.iter().skip(at + 1).all(|other| other.key != deleted.key));
            if let Some(publication) = self.get(&deleted.key) {
                debug_assert!(deleted.is_stored && publication.life != Life::Static);
                debug_assert!(publication.version > deleted.version);
            }
        }
        debug_assert!(self.publications.iter().all(|publication| publication.version > 0));
    }

    /// The last version under `key`; 0 if there never was one.
    fn version(&self, key: &Key) -> u32 {
        let deleted = self.deleted.iter().find(|deleted| deleted.key == *key);
        let published = self.get(key).map(|publication| publication.version);
        published.or(deleted.map(|deleted| deleted.version)).unwrap_or(0)
    }

    /// A publisher who knows of no publication where there is none is right, too.
    fn is_current(&self, key: &Key, version: u32) -> bool {
        version == self.version(key) || version == 0 && self.get(key).is_none()
    }

    fn take(
        &mut self,
        unix_ms: u64,
        operation: Operation,
        endpoints: &[ConnId],
        changes: &mut Changes,
    ) {
        let Operation { key, version, life, payload } = operation;
        let is_over = match life {
            Life::Static => false,
            Life::Endpoint(conn) => !endpoints.contains(&conn),
            Life::User => endpoints.is_empty(),
            Life::Until(second) => second <= unix_ms / 1000,
        };
        match payload {
            Some(payload) if !is_over => {
                let published_ms = match self.get(&key) {
                    // A refresh (RFC 3903 section 4.1) only lengthens the life of what was said.
                    Some(before) if version.is_none() && before.payload == payload => {
                        before.published_ms
                    }
                    _ => unix_ms,
                };
                self.put(Publication { key, version: 0, published_ms, life, payload }, changes);
            }
            _ => self.delete(&key, changes),
        }
    }

    /// Takes `publication` in, under the next version.
    fn put(&mut self, mut publication: Publication, changes: &mut Changes) {
        let remembered = self.version(&publication.key);
        let before = if remembered == 0 { self.floor } else { remembered };
        publication.version = before.saturating_add(1);
        publication.payload = self.shared(&publication.key.category, publication.payload);
        let at = self.position(&publication.key);
        let replaced = at.ok().and_then(|at| self.publications.get(at));
        let was_static = replaced.is_some_and(|replaced| replaced.life == Life::Static);
        let says_other = replaced.is_none_or(|replaced| replaced.payload != publication.payload)
            || self.competes(&publication.key);
        changes.note(&publication.key, says_other);
        if publication.life == Life::Static {
            self.deleted.retain(|deleted| deleted.key != publication.key);
            changes.rows.push(Row::PutPublication(publication.clone()));
        } else if was_static {
            let key = publication.key.clone();
            changes.rows.push(Row::DeletePublication { key: key.clone(), version: before });
            self.bury(key, before, true);
        } else {
            self.deleted.retain(|deleted| deleted.is_stored || deleted.key != publication.key);
        }
        match at {
            Ok(at) => self.publications[at] = publication,
            Err(at) => self.publications.insert(at, publication),
        }
    }

    fn delete(&mut self, key: &Key, changes: &mut Changes) {
        let Ok(at) = self.position(key) else { return self.delete_again(key, changes) };
        let Publication { key, version, life, .. } = self.publications.remove(at);
        changes.note(&key, true);
        if life == Life::Static {
            changes.rows.push(Row::DeletePublication { key: key.clone(), version });
        } else {
            self.delete_again(&key, changes);
        }
        self.bury(key, version, life == Life::Static);
    }

    /// What is deleted here may stand in the store still, if that could not write when it was told:
    /// whoever is answered that the key is free is told so for good.
    fn delete_again(&self, key: &Key, changes: &mut Changes) {
        let stored = self.deleted.iter().find(|deleted| deleted.is_stored && deleted.key == *key);
        if let Some(Deleted { key, version, .. }) = stored.cloned() {
            changes.rows.push(Row::DeletePublication { key, version });
        }
    }

    fn bury(&mut self, key: Key, version: u32, is_stored: bool) {
        let at = self.deleted.iter().position(|deleted| deleted.key == key);
        let before = at.map(|at| self.deleted.remove(at));
        let is_stored = is_stored || before.is_some_and(|before| before.is_stored);
        self.deleted.push(Deleted { key, version, is_stored });
    }

    /// Forgets the oldest of the deleted keys beyond `max`.
    fn forget(&mut self, max: usize, changes: &mut Changes) {
        let excess = self.deleted.len().saturating_sub(max);
        for Deleted { key, version, is_stored } in self.deleted.drain(..excess) {
            self.floor = self.floor.max(version);
            if is_stored {
                changes.rows.push(Row::Forget { key, floor: self.floor });
            }
        }
    }

    /// A payload of the same category that says the same, to be kept instead of `payload`.
    fn shared(&self, category: &Category, payload: Arc<Payload>) -> Arc<Payload> {
        self.publications
            .iter()
            .filter(|publication| publication.key.category == *category)
            .find(|publication| publication.payload == payload)
            .map_or(payload, |publication| publication.payload.clone())
    }

    /// True if the age of what is under `key` matters: of several notes the newest is seen.
    fn competes(&self, key: &Key) -> bool {
        let is_rival = |other: &Key| {
            other.category == Category::Note && other.container == key.container && other != key
        };
        key.category == Category::Note && self.publications.iter().any(|one| is_rival(&one.key))
    }

    fn octets(&self) -> usize {
        self.publications.iter().map(|publication| publication.payload.octets()).sum()
    }

    fn position(&self, key: &Key) -> Result<usize, usize> {
        self.publications.binary_search_by(|publication| publication.key.cmp(key))
    }
}

#[cfg(test)]
mod tests;
