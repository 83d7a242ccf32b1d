//! Entries as services give them, good and bad.

use super::*;
use crate::config::{Settings, parse};

const LINES: &str = "[server]\ndomains = ['a.test', 'b.test']\n[policy.sales]\n[policy.lab]\n\
     [directory.ldap]\nurls = ['ldap://a.test']\nbase = 'dc=test'\n\
     groups = [{ dn = 'cn=Lab, ou=groups,dc=test', policy = 'lab' },\n\
       { dn = 'cn=sales,ou=groups,dc=test', policy = 'sales' },\n\
       { dn = 'cn=rest,ou=groups,dc=test', policy = 'default' }]\n\
     [directory.ldap.attributes]\nnt_hash = 'sambaNTPassword'\nphoto_url = 'labeledURI'\n";

fn raw(values: &[(&str, &[&str])]) -> Raw {
    let list = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    let texts = values.iter().map(|(name, values)| (name.to_ascii_lowercase(), list(values)));
    Raw { dn: "uid=al,dc=test".to_owned(), texts: texts.collect(), octets: BTreeSet::new() }
}

fn spare() -> Proofs {
    Proofs {
        ha1_md5: Secret::new([1; 16]),
        ha1_sha256: Secret::new([2; 32]),
        nt_hash: Secret::new([3; 16]),
    }
}

fn with<T>(memberships: &Memberships, look: impl FnOnce(&Mapping<'_>) -> T) -> T {
    let settings: Settings = parse(LINES).unwrap();
    let ldap = settings.ldap.as_ref().unwrap();
    look(&Mapping::new(ldap, &settings.domains, memberships.clone()))
}

fn read(raw: &Raw) -> Result<Mapped, Unfit> {
    with(&Memberships::default(), |mapping| mapping.read(raw, spare()))
}

#[test]
fn every_attribute_has_its_place() {
    let mapped = read(&raw(&[
        ("mail", &["Al.Ames@A.test"]),
        ("uid", &["al"]),
        ("DISPLAYNAME", &["Al Am\u{e9}s", "second"]),
        ("title", &[" Tester "]),
        ("departmentNumber", &["R"]),
        ("o", &["Ex"]),
        ("roomNumber", &["2.17"]),
        ("telephoneNumber", &["+1 2"]),
        ("mobile", &["+1 3"]),
        ("homePhone", &["+1 4"]),
        ("labeledURI", &["https://a.test/al.jpg"]),
        ("sambaNTPassword", &["A4F49C406510BDCAB6824EE7C30FD852"]),
        ("memberOf", &["cn=other,dc=test", "CN=Sales, OU=Groups, DC=test"]),
    ]))
    .unwrap();
    assert_eq!(mapped.misfits, []);
    let entry = mapped.entry;
    assert_eq!((entry.aor.as_str(), entry.login.as_str()), ("al.ames@a.test", "al"));
    assert_eq!(entry.display_name, "Al Am\u{e9}s");
    let person = &entry.person;
    assert_eq!((&*person.title, &*person.department, &*person.company), ("Tester", "R", "Ex"));
    assert_eq!((&*person.office, &*person.email), ("2.17", "Al.Ames@A.test"));
    assert_eq!((&*person.phone_work, &*person.phone_mobile), ("+1 2", "+1 3"));
    assert_eq!((&*person.phone_home, &*person.photo_url), ("+1 4", "https://a.test/al.jpg"));
    assert_eq!(entry.policy.as_deref(), Some("sales"));
    assert_eq!(entry.nt_hash.unwrap()[..2], [0xa4, 0xf4]);
    assert_eq!(entry.ha1_md5, None);
}

#[test]
fn the_address_is_the_first_of_a_served_domain() {
    let aor = |values: &[&str]| read(&raw(&[("mail", values)])).map(|mapped| mapped.entry.aor);
    assert_eq!(aor(&["SIP:Al@B.test"]).as_deref(), Ok("al@b.test"));
    assert_eq!(aor(&["al"]).as_deref(), Ok("al@a.test"));
    assert_eq!(aor(&["smtp:x", "al@else.test", "al@b.test"]).as_deref(), Ok("al@b.test"));
    assert_eq!(aor(&["al@else.test"]), Err(Unfit::ForeignDomain("al@else.test".to_owned())));
    assert_eq!(aor(&[]), Err(Unfit::NoAddress("mail".to_owned())));
    let error = AddressError::User;
    let attribute = "mail".to_owned();
    assert_eq!(aor(&["a l@a.test"]), Err(Unfit::Address { attribute, error }));
}

#[test]
fn what_does_not_fit_is_left_out_and_named() {
    let long = "x".repeat(257);
    let mut raw = raw(&[
        ("mail", &["al@a.test"]),
        ("uid", &["a:l"]),
        ("displayName", &["a\nb"]),
        ("title", &[&long]),
        ("labeledURI", &["javascript:x"]),
        ("sambaNTPassword", &["NO PASSWORDXXXXXXXXXXXXXXXXXXXXX"]),
    ]);
    raw.octets.insert("o".to_owned());
    let Mapped { entry, misfits } = read(&raw).unwrap();
    let named: Vec<&str> = misfits.iter().map(|misfit| misfit.attribute.as_str()).collect();
    assert_eq!(named, ["uid", "displayName", "title", "o", "labeledURI", "sambaNTPassword"]);
    assert_eq!((entry.login.as_str(), entry.display_name.as_str()), ("al", ""));
    assert_eq!((&*entry.person.title, entry.nt_hash), ("", None));
}

#[test]
fn the_first_group_decides_however_it_is_known() {
    let entry =
        |groups: &[&str]| raw(&[("mail", &["al@a.test"]), ("uid", &["al"]), ("memberOf", groups)]);
    let both = entry(&["cn=sales,ou=groups,dc=test", "cn=lab,ou=groups,dc=test"]);
    assert_eq!(read(&both).unwrap().entry.policy.as_deref(), Some("lab"));
    let rest = entry(&["cn=rest,ou=groups,dc=test"]);
    assert_eq!(read(&rest).unwrap().entry.policy.as_deref(), Some(""));
    assert_eq!(read(&entry(&[])).unwrap().entry.policy.as_deref(), Some(""));
    for member in ["UID=al, dc=TEST", "al"] {
        let mut memberships = Memberships::default();
        memberships.insert(member, 1);
        memberships.insert(member, 0);
        memberships.insert(member, 2);
        assert_eq!(memberships.len(), 1);
        let mapped = with(&memberships, |mapping| mapping.read(&rest, spare())).unwrap();
        assert_eq!(mapped.entry.policy.as_deref(), Some("lab"), "{member}");
    }
}

#[test]
fn values_that_came_in_part_are_told_from_all() {
    let cut = raw(&[("member;range=0-1499", &["cn=al"]), ("cn", &["sales"])]);
    assert!(cut.is_cut("Member") && !cut.is_cut("cn"));
    assert!(!raw(&[("member", &["cn=al"])]).is_cut("member"));
}

#[test]
fn what_is_asked_for_is_what_is_read_and_secrets_are_known() {
    with(&Memberships::default(), |mapping| {
        let asked = mapping.attributes();
        assert!(asked.contains(&"memberOf".to_owned()) && asked.contains(&"labeledURI".to_owned()));
        assert_eq!(asked.iter().filter(|name| *name == "mail").count(), 1);
        assert!(!asked.contains(&"none".to_owned()));
        assert!(mapping.is_secret("sambantpassword") && !mapping.is_secret("mail"));
    });
}
