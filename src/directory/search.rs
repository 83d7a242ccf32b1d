//! Finding users by the beginnings of words.
//!
//! An index of all words of the users' names, addresses, logins, departments and companies, in
//! lower case, leads to those who have a word that begins as one of the query; each of them is
//! then compared with the whole query. Memory: 8 octets a word and user, and each distinct word.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use super::person::Person;
use super::user::User;
use crate::base::limits::{Limit, Limits};

/// Most words of a query; the others are not looked at.
const WORDS_MAX: usize = 16;

/// Where a word of a query is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// Address-of-record.
    Address,
    /// Anywhere but in the company, which many share.
    Any,
    /// Company.
    Company,
    /// Department.
    Department,
    /// Mail address, or address-of-record, which mostly is one.
    Email,
    /// Display name.
    Name,
    /// What is not known here: no user is found by it.
    Unknown,
}

/// What is looked for: users who have, for every word of the query, a word that begins with it. A
/// word with an `@` is compared with whole addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    words: Vec<(Field, Box<str>)>,
    max: usize,
}

/// A user as others may find him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Address-of-record, `user@domain`.
    pub aor: Box<str>,
    /// The name others see.
    pub display_name: Box<str>,
    /// What else is known.
    pub person: Person,
}

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Users by address, at most as many as the query wanted.
    pub users: Vec<Found>,
    /// There are, or may be, more.
    pub more: bool,
    /// The limit that kept them out.
    pub limit: Option<Limit>,
}

impl Query {
    /// A query for all of `texts`, each in its field, with at most `max` users and
    /// `directory_search_results_max` as answer. Without any word it finds nobody.
    pub fn new<'a>(
        texts: impl IntoIterator<Item = (Field, &'a str)>,
        max: usize,
        limits: &Limits,
    ) -> Self {
        let mut query =
            Query { words: Vec::new(), max: max.min(limits.directory_search_results_max) };
        for (field, text) in texts {
            for part in text.split_whitespace() {
                let mut add = |word: &str| query.words.push((field, lower(word).collect()));
                if part.contains('@') {
                    add(part);
                } else {
                    words_of(part).for_each(add);
                }
            }
        }
        query.words.truncate(WORDS_MAX);
        query
    }

    /// How many users are wanted.
    pub fn max(&self) -> usize {
        self.max
    }

    fn matches(&self, user: &User) -> bool {
        self.words.iter().all(|(field, word)| {
            let address = || begins(&user.aor, word);
            let user_part = || has_word(user_part(&user.aor), word);
            let email = || begins(&user.person.email, word);
            let name = || has_word(&user.display_name, word);
            let department = || has_word(&user.person.department, word);
            match field {
                Field::Address => address() || user_part(),
                Field::Any => {
                    name()
                        || address()
                        || user_part()
                        || email()
                        || has_word(&user.login, word)
                        || department()
                }
                Field::Company => has_word(&user.person.company, word),
                Field::Department => department(),
                Field::Email => email() || address(),
                Field::Name => name(),
                Field::Unknown => false,
            }
        })
    }
}

/// All users of a shard by their words. Who is disabled is not found.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// The users who have a word, by address.
    words: BTreeMap<Box<str>, Vec<Arc<User>>>,
}

impl Index {
    /// Adds a user who is not in the index: [`remove`](Self::remove) what he was before. In order
    /// of their addresses users are added quickest.
    pub fn insert(&mut self, user: &Arc<User>) {
        if user.disabled {
            return;
        }
        for word in keys(user) {
            let users = self.words.entry(word).or_default();
            if let Err(index) = users.binary_search_by(|known| known.aor.cmp(&user.aor)) {
                users.insert(index, Arc::clone(user));
            }
        }
    }

    /// Takes a user out, given as he was put in.
    pub fn remove(&mut self, user: &User) {
        for word in keys(user) {
            let Entry::Occupied(mut entry) = self.words.entry(word) else { continue };
            let users = entry.get_mut();
            if let Ok(index) = users.binary_search_by(|known| known.aor.cmp(&user.aor)) {
                users.remove(index);
            }
            if users.is_empty() {
                entry.remove();
            }
        }
    }

    /// The users `query` describes.
    pub fn search(&self, query: &Query, limits: &Limits) -> Findings {
        let candidates_max = limits.directory_search_candidates_max;
        let Some(word) = self.rarest(query, candidates_max) else { return Findings::default() };
        let mut found: BTreeMap<&str, &User> = BTreeMap::new();
        let mut limit = None;
        let mut seen = 0usize;
        let _ = self.begin_with(word).flatten().try_for_each(|user| {
            seen += 1;
            if seen > candidates_max {
                limit = Some(Limit::SearchCandidates);
                return ControlFlow::Break(());
            }
            if found.contains_key(user.aor.as_str()) || !query.matches(user) {
                return ControlFlow::Continue(());
            }
            if found.len() >= query.max {
                limit = Some(Limit::SearchResults);
                return ControlFlow::Break(());
            }
            found.insert(&user.aor, user);
            ControlFlow::Continue(())
        });
        Findings {
            users: found.into_values().map(Found::from).collect(),
            more: limit.is_some(),
            limit,
        }
    }

    /// The word of `query` that fewest have: it leads to the others. The counts of all words grow in
    /// step, so it costs no more than that one has, however many have another; above `max` they
    /// are all the same.
    fn rarest<'a>(&self, query: &'a Query, max: usize) -> Option<&'a str> {
        let mut counts: Vec<_> =
            query.words.iter().map(|(_, word)| (0, self.begin_with(word), &**word)).collect();
        loop {
            let (count, rest, word) = counts.iter_mut().min_by_key(|(count, ..)| *count)?;
            match rest.next() {
                Some(users) if *count <= max => *count += users.len(),
                Some(_) | None => return Some(word),
            }
        }
    }

    /// Distinct words.
    pub fn words_len(&self) -> usize {
        self.words.len()
    }

    fn begin_with<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a Vec<Arc<User>>> {
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let words = self.words.range::<str, _>(from);
        words.take_while(move |(word, _)| word.starts_with(prefix)).map(|(_, users)| users)
    }
}

impl From<&User> for Found {
    fn from(user: &User) -> Self {
        Found {
            aor: user.aor.as_str().into(),
            display_name: user.display_name.as_str().into(),
            person: Person::clone(&user.person),
        }
    }
}

/// The words under which a user stands in the index, some perhaps twice.
fn keys(user: &User) -> impl Iterator<Item = Box<str>> {
    let texts = [
        user.display_name.as_str(),
        user_part(&user.aor),
        &user.login,
        &user.person.department,
        &user.person.company,
    ];
    let addresses = [user.aor.as_str(), &user.person.email].into_iter();
    let addresses = addresses.filter(|address| !address.is_empty());
    texts.into_iter().flat_map(words_of).chain(addresses).map(|word| lower(word).collect())
}

/// Runs of letters and digits.
fn words_of(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

fn user_part(aor: &str) -> &str {
    aor.split_once('@').map_or(aor, |(user, _)| user)
}

fn has_word(text: &str, prefix: &str) -> bool {
    words_of(text).any(|word| begins(word, prefix))
}

/// True if `text`, in lower case, begins with `prefix`, which is in lower case.
fn begins(text: &str, prefix: &str) -> bool {
    let mut lower = lower(text);
    prefix.chars().all(|c| lower.next() == Some(c))
}

/// Character by character, so that the beginning of a word is the same as that of a longer one:
/// the Greek sigma would have another form at the end.
fn lower(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests;
