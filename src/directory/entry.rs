//! What a directory service says of a user, and what becomes of the user by it.

use super::person::Person;
use super::secret::Secret;
use super::user::User;

/// The hashes of a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proofs {
    /// MD5(login ":" realm ":" password).
    pub ha1_md5: Secret<16>,
    /// SHA-256 of the same.
    pub ha1_sha256: Secret<32>,
    /// MD4 of the password.
    pub nt_hash: Secret<16>,
}

/// A user as a directory service has him. All texts are as [`User`] allows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Name of the entry.
    pub dn: String,
    /// Address-of-record, in lower case.
    pub aor: String,
    /// Name for signing in.
    pub login: String,
    /// Name that others see.
    pub display_name: String,
    /// What else is known.
    pub person: Person,
    /// The policy his groups lead to, empty for the default one; `None` when groups lead nowhere.
    pub policy: Option<String>,
    /// The hashes the service gives.
    pub ha1_md5: Option<Secret<16>>,
    /// The same.
    pub ha1_sha256: Option<Secret<32>>,
    /// The same.
    pub nt_hash: Option<Secret<16>>,
    /// When the password was changed, as the service says it; `None` when it does not.
    pub password_changed: Option<String>,
    /// In the place of hashes that nobody gives. Random octets, of which no password is known: a
    /// constant could be proved by everybody.
    pub spare: Proofs,
}

/// A user as the store has him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The user.
    pub user: User,
    /// Who made him.
    pub origin: Origin,
}

/// Who made a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An operator.
    Operator,
    /// A directory service.
    Service {
        /// Name of his entry there.
        dn: String,
        /// It was not there any more when all were looked at last, and the user was disabled for
        /// it.
        missing: bool,
        /// When the password was changed, as it was read last; `None` when it never was.
        password_changed: Option<String>,
    },
}

/// What becomes of a user by an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merged {
    /// He is as the entry says.
    Same,
    /// He is new, or becomes this.
    Changed(Box<User>),
    /// An operator made a user of that address: he is not the service's to change.
    Operators,
}

/// Puts what `entry` says over what is `known`. What the service does not say stays: the hashes of a
/// password set here, unless the one there was changed since; a policy; and that an operator disabled
/// him.
pub fn merge(entry: &Entry, known: Option<&Known>) -> Merged {
    let Some(known) = known else { return Merged::Changed(Box::new(over(entry, None, None))) };
    let Origin::Service { dn, missing, password_changed } = &known.origin else {
        return Merged::Operators;
    };
    let stamp = entry.password_changed.as_ref().or(password_changed.as_ref());
    let stale = password_changed.is_some() && stamp != password_changed.as_ref();
    let mut user = over(entry, Some(&known.user), Some(&known.user).filter(|_| !stale));
    if *missing {
        user.disabled = false;
    }
    let same = user == known.user && *dn == entry.dn && stamp == password_changed.as_ref();
    match same && !missing {
        true => Merged::Same,
        false => Merged::Changed(Box::new(user)),
    }
}

/// The user of `entry` over one who is `known`; hashes the service does not give are those of
/// `proved`.
fn over(entry: &Entry, known: Option<&User>, proved: Option<&User>) -> User {
    let Entry { ha1_md5, ha1_sha256, nt_hash, spare, .. } = entry;
    let first = [ha1_md5.as_ref(), proved.map(|user| &user.ha1_md5)];
    let second = [ha1_sha256.as_ref(), proved.map(|user| &user.ha1_sha256)];
    let third = [nt_hash.as_ref(), proved.map(|user| &user.nt_hash)];
    let policy = entry.policy.as_ref().or(known.map(|user| &user.policy));
    User {
        aor: entry.aor.clone(),
        login: entry.login.clone(),
        display_name: entry.display_name.clone(),
        ha1_md5: first.into_iter().flatten().next().unwrap_or(&spare.ha1_md5).clone(),
        ha1_sha256: second.into_iter().flatten().next().unwrap_or(&spare.ha1_sha256).clone(),
        nt_hash: third.into_iter().flatten().next().unwrap_or(&spare.nt_hash).clone(),
        disabled: known.is_some_and(|user| user.disabled),
        person: Box::new(person(entry, known)),
        policy: policy.cloned().unwrap_or_default(),
    }
}

/// The person of `entry`; a picture uploaded here stays where the service gives none.
fn person(entry: &Entry, known: Option<&User>) -> Person {
    let mut person = entry.person.clone();
    let uploaded = known.filter(|user| !user.person.photo_hash.is_empty());
    if let Some(user) = uploaded.filter(|_| person.photo_url.is_empty()) {
        person.photo_url.clone_from(&user.person.photo_url);
        person.photo_hash.clone_from(&user.person.photo_hash);
    }
    person
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proofs(octet: u8) -> Proofs {
        Proofs {
            ha1_md5: Secret::new([octet; 16]),
            ha1_sha256: Secret::new([octet; 32]),
            nt_hash: Secret::new([octet; 16]),
        }
    }

    fn entry() -> Entry {
        Entry {
            dn: "uid=a,dc=test".to_owned(),
            aor: "a@b.test".to_owned(),
            login: "a".to_owned(),
            display_name: "A".to_owned(),
            person: Person { title: "Tester".into(), ..Person::default() },
            policy: None,
            ha1_md5: None,
            ha1_sha256: None,
            nt_hash: None,
            password_changed: None,
            spare: proofs(7),
        }
    }

    fn changed(entry: &Entry, known: Option<&Known>) -> User {
        let Merged::Changed(user) = merge(entry, known) else { panic!("nothing changes") };
        *user
    }

    fn known(user: User, missing: bool) -> Known {
        stamped(user, missing, None)
    }

    fn stamped(user: User, missing: bool, stamp: Option<&str>) -> Known {
        let password_changed = stamp.map(str::to_owned);
        Known { user, origin: Origin::Service { dn: entry().dn, missing, password_changed } }
    }

    #[test]
    fn a_new_user_has_hashes_nobody_can_prove_unless_the_service_gives_them() {
        let user = changed(&entry(), None);
        assert_eq!((user.aor.as_str(), user.disabled), ("a@b.test", false));
        assert_eq!(user.nt_hash, proofs(7).nt_hash);
        let given = Entry { nt_hash: Some(Secret::new([1; 16])), ..entry() };
        let user = changed(&given, None);
        assert_eq!((&user.nt_hash, &user.ha1_md5), (&Secret::new([1; 16]), &proofs(7).ha1_md5));
    }

    #[test]
    fn what_the_service_does_not_say_stays() {
        let mut user = changed(&entry(), None);
        user.set_password("b.test", "secret").unwrap();
        user.policy = "lab".to_owned();
        user.disabled = true;
        let known = known(user.clone(), false);
        assert_eq!(merge(&Entry { spare: proofs(9), ..entry() }, Some(&known)), Merged::Same);
        let renamed =
            Entry { display_name: "B".to_owned(), policy: Some(String::new()), ..entry() };
        let after = changed(&renamed, Some(&known));
        assert_eq!((after.display_name.as_str(), after.policy.as_str()), ("B", ""));
        assert_eq!((after.disabled, &after.nt_hash), (true, &user.nt_hash));
    }

    #[test]
    fn a_password_that_was_changed_there_is_no_more_good_here() {
        let mut user = changed(&entry(), None);
        user.set_password("b.test", "secret").unwrap();
        let at = |time: &str| Entry { password_changed: Some(time.to_owned()), ..entry() };
        // Read for the first time: nothing is known of when it was changed.
        let known = known(user.clone(), false);
        assert_eq!(changed(&at("1"), Some(&known)), user);
        let known = stamped(user.clone(), false, Some("1"));
        assert_eq!(merge(&at("1"), Some(&known)), Merged::Same);
        assert_eq!(merge(&entry(), Some(&known)), Merged::Same, "it is not told any more");
        let after = changed(&at("2"), Some(&known));
        assert_eq!((&after.nt_hash, &after.ha1_md5), (&proofs(7).nt_hash, &proofs(7).ha1_md5));
        assert_eq!(after.ha1_sha256, proofs(7).ha1_sha256);
        // One the service gives is the new one.
        let given = Entry { nt_hash: Some(Secret::new([1; 16])), ..at("2") };
        assert_eq!(changed(&given, Some(&known)).nt_hash, Secret::new([1; 16]));
    }

    #[test]
    fn who_was_missing_is_enabled_when_he_is_back() {
        let mut user = changed(&entry(), None);
        user.disabled = true;
        assert!(!changed(&entry(), Some(&known(user, true))).disabled);
    }

    #[test]
    fn an_entry_that_moved_is_a_change_and_an_operators_user_is_left_alone() {
        let user = changed(&entry(), None);
        let moved = Entry { dn: "uid=a,ou=x,dc=test".to_owned(), ..entry() };
        assert_eq!(changed(&moved, Some(&known(user.clone(), false))), user);
        let known = Known { user, origin: Origin::Operator };
        assert_eq!(merge(&moved, Some(&known)), Merged::Operators);
    }
}
