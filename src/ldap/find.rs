//! How one user is found.

use ldap3::ldap_escape;

use crate::config::Ldap;

/// A filter for the entries that may be the user called `name`: an address, or a name for signing
/// in. All that the filter of the configuration finds is looked at, and no more.
pub fn filter_of_user(ldap: &Ldap, domains: &[String], name: &str) -> String {
    let name = name.strip_prefix("sip:").unwrap_or(name);
    let first = domains.first().map(String::as_str).unwrap_or_default();
    let (user, domain) = name.split_once('@').unwrap_or((name, first));
    let address = &ldap.attributes.address;
    let mut terms =
        vec![(address, format!("{user}@{domain}")), (address, format!("sip:{user}@{domain}"))];
    if domain == first {
        terms.push((address, user.to_owned()));
    }
    if let Some(login) = ldap.attributes.login.as_ref().filter(|_| !name.contains('@')) {
        terms.push((login, name.to_owned()));
    }
    let terms: String = terms
        .into_iter()
        .map(|(attribute, value)| format!("({attribute}={})", ldap_escape(value)))
        .collect();
    format!("(&{}(|{terms}))", ldap.filter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    #[test]
    fn a_user_is_looked_for_in_every_form_of_his_address_and_nothing_gets_out() {
        let text = "[directory.ldap]\nurls = ['ldap://a.test']\nbase = 'dc=a'\nfilter = '(o=x)'";
        let ldap = parse(text).unwrap().ldap.unwrap();
        let domains = ["a.test".to_owned(), "b.test".to_owned()];
        let filter = |name| filter_of_user(&ldap, &domains, name);
        assert_eq!(filter("al@b.test"), "(&(o=x)(|(mail=al@b.test)(mail=sip:al@b.test)))");
        assert_eq!(
            filter("sip:al@a.test"),
            "(&(o=x)(|(mail=al@a.test)(mail=sip:al@a.test)(mail=al)))"
        );
        let evil = filter("*)(uid=*");
        assert!(!evil.contains("*)"), "{evil}");
        assert!(evil.ends_with("(uid=\\2a\\29\\28uid=\\2a)))"), "{evil}");
    }
}
