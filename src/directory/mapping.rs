//! From the attributes of an entry to a user: which says what, by the configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::address::{Address, AddressError};
use super::entry::{Entry, Proofs};
use super::person::{PHOTO_URL_LEN_MAX, Person};
use super::secret::Secret;
use super::user::{TEXT_LEN_MAX, check_display_name, check_login};
use crate::base::plain_text::is_plain_text;
use crate::config::Ldap;
use crate::config::policy::DEFAULT;

/// An entry as the service gave it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Raw {
    /// Its name.
    pub dn: String,
    /// The values that are text, by the name of the attribute in lower case.
    pub texts: BTreeMap<String, Vec<String>>,
    /// Attributes with a value that is no text, in lower case.
    pub octets: BTreeSet<String>,
}

/// Members of groups that were read from the groups themselves: the name of an entry, or what
/// `memberUid` has, to the place of the group in the configuration. The first group wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memberships(BTreeMap<String, usize>);

/// What the configuration makes of entries.
#[derive(Clone, Debug)]
pub struct Mapping<'a> {
    ldap: &'a Ldap,
    domains: &'a [String],
    memberships: Memberships,
    /// Places of the groups, by their names.
    groups: BTreeMap<String, usize>,
}

/// A user, and what of his entry was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// The user.
    pub entry: Entry,
    /// What does not fit.
    pub misfits: Vec<Misfit>,
}

/// A value that cannot be used; the user is taken without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The attribute.
    pub attribute: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// Why an entry is no user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It has no address.
    #[error("it has no {0}, which is to be the address")]
    NoAddress(String),
    /// The address is not one.
    #[error("{attribute} is no address: {error}")]
    Address {
        /// The attribute.
        attribute: String,
        /// Why.
        error: AddressError,
    },
    /// The address is of a domain that is not served.
    #[error("{0} is of a domain that is not among server.domains")]
    ForeignDomain(String),
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.attribute, self.why)
    }
}

impl Raw {
    /// The values of an attribute that are text.
    pub fn values(&self, attribute: &str) -> &[String] {
        self.texts.get(&attribute.to_ascii_lowercase()).map(Vec::as_slice).unwrap_or_default()
    }

    /// True if only the first values of an attribute came, under the name `NAME;range=0-1499`, as
    /// Active Directory answers where there are more than 1,500 (draft-kashi-incremental-00).
    pub fn is_cut(&self, attribute: &str) -> bool {
        let cut = format!("{};range=", attribute.to_ascii_lowercase());
        self.texts.keys().any(|name| name.starts_with(&cut))
    }
}

impl Memberships {
    /// Takes note that `member` is in the group of that place.
    pub fn insert(&mut self, member: &str, place: usize) {
        let known = self.0.entry(same_name(member)).or_insert(place);
        *known = place.min(*known);
    }

    /// Members known.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when no member is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn place(&self, member: &str) -> Option<usize> {
        self.0.get(&same_name(member)).copied()
    }
}

impl<'a> Mapping<'a> {
    /// What `ldap` makes of entries, where `domains` are served and `memberships` was read from the
    /// groups.
    pub fn new(ldap: &'a Ldap, domains: &'a [String], memberships: Memberships) -> Self {
        let mut groups = BTreeMap::new();
        for (place, group) in ldap.groups.iter().enumerate() {
            groups.entry(same_name(&group.dn)).or_insert(place);
        }
        Mapping { ldap, domains, memberships, groups }
    }

    /// Names of the attributes to ask for.
    pub fn attributes(&self) -> Vec<String> {
        let a = &self.ldap.attributes;
        let texts = self.texts().into_iter().flat_map(|(attribute, _)| attribute);
        let others = [
            &a.login,
            &a.display_name,
            &a.photo_url,
            &a.nt_hash,
            &a.ha1_md5,
            &a.ha1_sha256,
            &a.password_changed,
        ];
        let groups = a.groups.iter().filter(|_| !self.ldap.groups.is_empty());
        let names: BTreeSet<&String> = std::iter::once(&a.address)
            .chain(texts)
            .chain(others.into_iter().flatten())
            .chain(groups)
            .collect();
        names.into_iter().cloned().collect()
    }

    /// True when the value of this attribute proves a user: not to be shown.
    pub fn is_secret(&self, attribute: &str) -> bool {
        let a = &self.ldap.attributes;
        let secrets = [&a.nt_hash, &a.ha1_md5, &a.ha1_sha256];
        secrets.into_iter().flatten().any(|secret| secret.eq_ignore_ascii_case(attribute))
    }

    /// The user that `raw` is; `spare` stands for hashes that nobody gives.
    pub fn read(&self, raw: &Raw, spare: Proofs) -> Result<Mapped, Unfit> {
        let address = self.address(raw)?;
        let attributes = &self.ldap.attributes;
        let mut reader = Reader { raw, misfits: Vec::new() };
        let login = reader.text(attributes.login.as_ref(), |text| {
            check_login(text).map_err(|_| "a name for signing in is shorter and has no : or \"")
        });
        let display_name = reader.text(attributes.display_name.as_ref(), |text| {
            check_display_name(text).map_err(|_| TOO_LONG)
        });
        let mut person = Person::default();
        for (attribute, place) in self.texts() {
            *place(&mut person) = reader.text(attribute, plain).into();
        }
        person.photo_url = reader.text(attributes.photo_url.as_ref(), photo).into();
        let nt_hash = reader.hash(attributes.nt_hash.as_ref());
        let ha1_md5 = reader.hash(attributes.ha1_md5.as_ref());
        let ha1_sha256 = reader.hash(attributes.ha1_sha256.as_ref());
        let password_changed = reader.text(attributes.password_changed.as_ref(), plain);
        let password_changed = Some(password_changed).filter(|time| !time.is_empty());
        let entry = Entry {
            dn: raw.dn.clone(),
            login: if login.is_empty() { address.user().to_owned() } else { login },
            aor: address.into_string(),
            display_name,
            person,
            policy: self.policy(raw),
            ha1_md5,
            ha1_sha256,
            nt_hash,
            password_changed,
            spare,
        };
        Ok(Mapped { entry, misfits: reader.misfits })
    }

    /// The group of the configuration that decides about the policy of `raw`.
    pub fn group(&self, raw: &Raw) -> Option<usize> {
        let named = self.ldap.attributes.groups.iter().flat_map(|attribute| raw.values(attribute));
        let by_user = named.filter_map(|name| self.groups.get(&same_name(name)).copied());
        let login = self.ldap.attributes.login.iter().flat_map(|attribute| raw.values(attribute));
        let by_group = std::iter::once(&raw.dn).chain(login);
        by_group.filter_map(|name| self.memberships.place(name)).chain(by_user).min()
    }

    fn policy(&self, raw: &Raw) -> Option<String> {
        if self.ldap.groups.is_empty() {
            return None;
        }
        let policy = self.group(raw).and_then(|place| self.ldap.groups.get(place));
        let policy = policy.map(|group| group.policy.as_str()).filter(|name| *name != DEFAULT);
        Some(policy.unwrap_or_default().to_owned())
    }

    /// The first value that is an address of a served domain; the trouble with the last one
    /// otherwise.
    fn address(&self, raw: &Raw) -> Result<Address, Unfit> {
        let attribute = &self.ldap.attributes.address;
        let mut trouble = Unfit::NoAddress(attribute.clone());
        for value in raw.values(attribute) {
            let value = value.trim();
            let scheme = value.get(..4).filter(|scheme| scheme.eq_ignore_ascii_case("sip:"));
            let value = scheme.and(value.get(4..)).unwrap_or(value);
            let parsed = match (value.contains('@'), self.domains.first()) {
                (false, Some(domain)) => Address::parse(&format!("{value}@{domain}")),
                (true, _) | (false, None) => Address::parse(value),
            };
            match parsed {
                Ok(address) if self.domains.iter().any(|d| d == address.domain()) => {
                    return Ok(address);
                }
                Ok(address) => trouble = Unfit::ForeignDomain(address.into_string()),
                Err(error) => trouble = Unfit::Address { attribute: attribute.clone(), error },
            }
        }
        Err(trouble)
    }

    /// The plain texts of a person and their attributes.
    fn texts(&self) -> [(Option<&String>, PlaceOf); 8] {
        let attributes = &self.ldap.attributes;
        [
            (attributes.title.as_ref(), |person| &mut person.title),
            (attributes.department.as_ref(), |person| &mut person.department),
            (attributes.company.as_ref(), |person| &mut person.company),
            (attributes.office.as_ref(), |person| &mut person.office),
            (attributes.email.as_ref(), |person| &mut person.email),
            (attributes.phone_work.as_ref(), |person| &mut person.phone_work),
            (attributes.phone_mobile.as_ref(), |person| &mut person.phone_mobile),
            (attributes.phone_home.as_ref(), |person| &mut person.phone_home),
        ]
    }
}

/// Where a text of a person goes.
type PlaceOf = fn(&mut Person) -> &mut Box<str>;

const TOO_LONG: &str = "it is longer than 256 octets, or has control characters";

/// Reads values and notes those that do not fit.
struct Reader<'a> {
    raw: &'a Raw,
    misfits: Vec<Misfit>,
}

impl<'a> Reader<'a> {
    /// The first value of an attribute, if it passes; empty otherwise.
    fn text(
        &mut self,
        attribute: Option<&String>,
        check: impl Fn(&str) -> Result<(), &'static str>,
    ) -> String {
        let Some(attribute) = attribute else { return String::new() };
        let Some(value) = self.first(attribute) else { return String::new() };
        match check(value) {
            Ok(()) => value.to_owned(),
            Err(why) => {
                self.misfits.push(Misfit { attribute: attribute.clone(), why });
                String::new()
            }
        }
    }

    fn hash<const N: usize>(&mut self, attribute: Option<&String>) -> Option<Secret<N>> {
        let attribute = attribute?;
        let read = hexadecimal(self.first(attribute)?);
        if read.is_none() {
            let why = "it is no hash of that kind in hexadecimal";
            self.misfits.push(Misfit { attribute: attribute.clone(), why });
        }
        read
    }

    fn first(&mut self, attribute: &str) -> Option<&'a str> {
        let raw = self.raw;
        let mut values = raw.values(attribute).iter().map(|value| value.trim());
        let value = values.find(|value| !value.is_empty());
        if value.is_none() && raw.octets.contains(&attribute.to_ascii_lowercase()) {
            let why = "it is not text";
            self.misfits.push(Misfit { attribute: attribute.to_owned(), why });
        }
        value
    }
}

fn plain(text: &str) -> Result<(), &'static str> {
    let fits = text.len() <= TEXT_LEN_MAX && is_plain_text(text);
    if fits { Ok(()) } else { Err(TOO_LONG) }
}

fn photo(text: &str) -> Result<(), &'static str> {
    let on_the_web = text.starts_with("https://") || text.starts_with("http://");
    let fits = on_the_web && text.len() <= PHOTO_URL_LEN_MAX && is_plain_text(text);
    if fits { Ok(()) } else { Err("it is no address on the web of at most 1,024 octets") }
}

fn hexadecimal<const N: usize>(text: &str) -> Option<Secret<N>> {
    let text = text.as_bytes();
    if text.len() != 2 * N {
        return None;
    }
    let mut octets = [0; N];
    for (octet, pair) in octets.iter_mut().zip(text.chunks_exact(2)) {
        for digit in pair {
            let digit = char::from(*digit).to_digit(16)?;
            *octet = *octet << 4 | u8::try_from(digit).ok()?;
        }
    }
    Some(Secret::new(octets))
}

/// A name in the form in which equal ones are alike: without case and without the blanks that
/// RFC 4514 lets stand around its separators. Escapes are taken as they are.
fn same_name(name: &str) -> String {
    let parts = name.split(',').map(|part| match part.split_once('=') {
        Some((attribute, value)) => format!("{}={}", attribute.trim(), value.trim()),
        None => part.trim().to_owned(),
    });
    parts.collect::<Vec<_>>().join(",").to_lowercase()
}

#[cfg(test)]
mod tests;
