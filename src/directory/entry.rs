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
/// password set here, a policy, and that an operator disabled him.
pub fn merge(entry: &Entry, known: Option<&Known>) -> Merged {
    let Some(known) = known else { return Merged::Changed(Box::new(over(entry, None))) };
    let Origin::Service { dn, missing } = &known.origin else { return Merged::Operators };
    let mut user = over(entry, Some(&known.user));
    if *missing {
        user.disabled = false;
    }
    match user == known.user && *dn == entry.dn && !missing {
        true => Merged::Same,
        false => Merged::Changed(Box::new(user)),
    }
}

fn over(entry: &Entry, known: Option<&User>) -> User {
    let Entry { ha1_md5, ha1_sha256, nt_hash, spare, .. } = entry;
    let first = [ha1_md5.as_ref(), known.map(|user| &user.ha1_md5)];
    let second = [ha1_sha256.as_ref(), known.map(|user| &user.ha1_sha256)];
    let third = [nt_hash.as_ref(), known.map(|user| &user.nt_hash)];
    let policy = entry.policy.as_ref().or(known.map(|user| &user.policy));
    User {
        aor: entry.aor.clone(),
        login: entry.login.clone(),
        display_name: entry.display_name.clone(),
        ha1_md5: first.into_iter().flatten().next().unwrap_or(&spare.ha1_md5).clone(),
        ha1_sha256: second.into_iter().flatten().next().unwrap_or(&spare.ha1_sha256).clone(),
        nt_hash: third.into_iter().flatten().next().unwrap_or(&spare.nt_hash).clone(),
        disabled: known.is_some_and(|user| user.disabled),
        person: Box::new(entry.person.clone()),
        policy: policy.cloned().unwrap_or_default(),
    }
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
            spare: proofs(7),
        }
    }

    fn changed(entry: &Entry, known: Option<&Known>) -> User {
        let Merged::Changed(user) = merge(entry, known) else { panic!("nothing changes") };
        *user
    }

    fn known(user: User, missing: bool) -> Known {
        Known { user, origin: Origin::Service { dn: entry().dn, missing } }
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
