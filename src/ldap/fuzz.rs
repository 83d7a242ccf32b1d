//! Body of the fuzz target `ldap_entry`.

use ldap3::parse_filter;

use super::find::filter_of_user;
use crate::base::plain_text::is_plain_text;
use crate::config::{Ldap, parse};
use crate::directory::{Address, Mapping, Memberships, Proofs, Raw, Secret};

const SETTINGS: &str = "[directory.ldap]
urls = ['ldap://a.test']
base = 'dc=a'
attributes = { login = 'uid', nt_hash = 'nt', ha1_md5 = 'h', photo_url = 'photo', groups = 'group' }
groups = [{ dn = 'cn=g,dc=a', policy = 'g' }]
[policy.g]
";

/// Any entry is a user whom the server can serve, or is refused; and whatever name is looked for, it
/// gets nowhere in the filter but into the values.
pub fn entry(data: &[u8]) {
    let settings = parse(SETTINGS).expect("settings");
    let ldap = settings.ldap.expect("a directory service");
    let domains = ["a.test".to_owned(), "b.test".to_owned()];
    let mut raw = Raw { dn: "uid=x,dc=a".to_owned(), ..Raw::default() };
    for line in data.split(|octet| *octet == b'\n') {
        let Some(colon) = line.iter().position(|octet| *octet == b':') else { continue };
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        let name = String::from_utf8_lossy(name).trim().to_ascii_lowercase();
        match std::str::from_utf8(value) {
            Ok(value) => raw.texts.entry(name).or_default().push(value.to_owned()),
            Err(_) => drop(raw.octets.insert(name)),
        }
    }
    let (ha1_md5, ha1_sha256) = (Secret::new([0; 16]), Secret::new([0; 32]));
    let spare = Proofs { ha1_md5, ha1_sha256, nt_hash: Secret::new([0; 16]) };
    let mapping = Mapping::new(&ldap, &domains, Memberships::default());
    if let Ok(mapped) = mapping.read(&raw, spare) {
        let entry = mapped.entry;
        let address = Address::parse(&entry.aor).expect("an address");
        assert!(address.as_str() == entry.aor && domains.iter().any(|d| d == address.domain()));
        assert!(!entry.login.is_empty() && !entry.login.contains([':', '"']), "{}", entry.login);
        assert!(is_plain_text(&entry.display_name) && entry.person.check().is_ok());
        assert!(matches!(entry.policy.as_deref(), Some("g" | "")));
    }
    if let Ok(name) = std::str::from_utf8(data) {
        looked_for(&ldap, &domains, name);
    }
}

/// A filter has the shape that it has for an ordinary name.
fn looked_for(ldap: &Ldap, domains: &[String], name: &str) {
    let filter = filter_of_user(ldap, domains, name);
    assert!(parse_filter(&filter).is_ok(), "{filter}");
    let bare = name.strip_prefix("sip:").unwrap_or(name);
    let ordinary = match bare.split_once('@') {
        Some((_, "a.test")) => "x@a.test",
        Some(_) => "x@b.test",
        None => "x",
    };
    let shape = |filter: &str| -> String {
        filter.chars().filter(|c| matches!(c, '(' | ')' | '*')).collect()
    };
    assert_eq!(shape(&filter), shape(&filter_of_user(ldap, domains, ordinary)), "{filter}");
}
