//! `[directory.ldap]`: users from a directory service, such as OpenLDAP or Active Directory.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};
use toml::Spanned;

use super::error::Problem;
use super::limits::Located;
use super::parse::once;
use super::policy::Policies;
use super::quantity::read_time;
use super::schema::{FilePath, PolicyName, text};
use crate::base::host_name::is_host_name;
use crate::base::plain_text::is_plain_text;

/// Longest name of an entry, filter or attribute, in octets.
const TEXT_LEN_MAX: usize = 1024;
/// Most entries of one page: Active Directory gives 1,000.
const PAGE_SIZE_MAX: i64 = 10_000;
/// Most groups that lead to a policy: each user's are held against all.
const GROUPS_MAX: usize = 256;

/// Where the users come from, besides those of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ldap {
    /// Servers, as `ldap://host:port` or `ldaps://host:port`; the first that answers is asked. Not
    /// empty.
    pub urls: Vec<String>,
    /// What protects a connection by `ldap://`; one by `ldaps://` has TLS from its first octet.
    pub protection: Protection,
    /// PEM file of the authorities that may sign the servers' certificates.
    pub ca: PathBuf,
    /// Who asks; `None` asks without a name.
    pub bind_dn: Option<String>,
    /// File with his password on its first line; read for each connection.
    pub password_file: PathBuf,
    /// Below which entry the users are.
    pub base: String,
    /// Which entries below it are users.
    pub filter: String,
    /// Entries of one page.
    pub page_size: u32,
    /// Between two looks at all users.
    pub refresh: Duration,
    /// Longest wait for a connection, and for each answer on it.
    pub timeout: Duration,
    /// Most users, in percent, that may be missing at once and are disabled.
    pub missing_percent_max: u8,
    /// Which attribute says what.
    pub attributes: Attributes,
    /// Attribute of a group that names its members; `None` when users name their groups.
    pub members: Option<String>,
    /// Groups and the policies of their members; the first in which a user is counts. Empty leaves
    /// the policy of users alone.
    pub groups: Vec<Group>,
}

/// What protects a connection by `ldap://`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// TLS, begun by StartTLS (RFC 4511 section 4.14) before anything else is said.
    StartTls,
    /// Nothing: everybody on the way reads the password. For loopback and laboratories.
    None,
}

/// Attributes of an entry; `None` for what is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// Address, with `sip:` before it or without; a value without `@` gets the first domain.
    pub address: String,
    /// Name for signing in.
    pub login: Option<String>,
    /// Name that others see.
    pub display_name: Option<String>,
    /// Position.
    pub title: Option<String>,
    /// Department.
    pub department: Option<String>,
    /// Enterprise.
    pub company: Option<String>,
    /// Office.
    pub office: Option<String>,
    /// Mail address.
    pub email: Option<String>,
    /// Telephone at work.
    pub phone_work: Option<String>,
    /// Telephone in the pocket.
    pub phone_mobile: Option<String>,
    /// Telephone at home.
    pub phone_home: Option<String>,
    /// Where the picture is on the web.
    pub photo_url: Option<String>,
    /// Names of the groups the user is in.
    pub groups: Option<String>,
    /// NT hash in hexadecimal, as Samba keeps it.
    pub nt_hash: Option<String>,
    /// MD5 of `login:domain:password` in hexadecimal.
    pub ha1_md5: Option<String>,
    /// SHA-256 of the same.
    pub ha1_sha256: Option<String>,
    /// When the password was changed, in whatever form: another value is another password.
    pub password_changed: Option<String>,
}

/// A group whose members are under a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub dn: String,
    /// The policy; one of the configuration.
    pub policy: String,
}

/// `[directory]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WrittenDirectory {
    /// `[directory.ldap]`
    pub ldap: WrittenLdap,
}

/// `[directory.ldap]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WrittenLdap {
    urls: Option<Spanned<Vec<Spanned<LdapUrl>>>>,
    tls: Option<WrittenProtection>,
    ca: Option<FilePath>,
    bind_dn: Option<BindDn>,
    password_file: Option<FilePath>,
    base: Option<Base>,
    filter: Option<LdapFilter>,
    page_size: Option<PageSize>,
    refresh: Option<Refresh>,
    timeout: Option<Timeout>,
    missing_percent_max: Option<Percent>,
    attributes: WrittenAttributes,
    members: Option<Attribute>,
    groups: Option<Spanned<Vec<WrittenGroup>>>,
}

/// An element of `groups`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenGroup {
    dn: Spanned<EntryName>,
    policy: Spanned<PolicyName>,
}

/// `[directory.ldap.attributes]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenAttributes {
    address: Option<AddressAttribute>,
    login: Option<Attribute>,
    display_name: Option<Attribute>,
    title: Option<Attribute>,
    department: Option<Attribute>,
    company: Option<Attribute>,
    office: Option<Attribute>,
    email: Option<Attribute>,
    phone_work: Option<Attribute>,
    phone_mobile: Option<Attribute>,
    phone_home: Option<Attribute>,
    photo_url: Option<Attribute>,
    groups: Option<Attribute>,
    nt_hash: Option<Attribute>,
    ha1_md5: Option<Attribute>,
    ha1_sha256: Option<Attribute>,
    password_changed: Option<Attribute>,
}

#[derive(Clone, Debug)]
struct LdapUrl(String);
text!(
    LdapUrl,
    "a server such as \"ldap://dc1.example.test\" or \"ldaps://dc1.example.test:636\"",
    |text| is_url(text).then(|| LdapUrl(text.to_ascii_lowercase()))
);

#[derive(Debug)]
struct WrittenProtection(Protection);
text!(WrittenProtection, "\"starttls\" or \"none\"", |text| match text {
    "none" => Some(WrittenProtection(Protection::None)),
    "starttls" => Some(WrittenProtection(Protection::StartTls)),
    _ => None,
});

#[derive(Debug)]
struct BindDn(Option<String>);
text!(BindDn, "a name such as \"cn=mynah,ou=services,dc=example,dc=test\", or \"none\"", |text| {
    match text {
        "none" => Some(BindDn(None)),
        text => is_text(text).then(|| BindDn(Some(text.to_owned()))),
    }
});

#[derive(Debug)]
struct Base(Option<String>);
text!(Base, "an entry such as \"ou=people,dc=example,dc=test\", or \"none\"", |text| match text {
    "none" => Some(Base(None)),
    text => is_entry_name(text).then(|| Base(Some(text.to_owned()))),
});

#[derive(Debug)]
struct EntryName(String);
text!(EntryName, "an entry such as \"cn=sales,ou=groups,dc=example,dc=test\"", |text| {
    is_entry_name(text).then(|| EntryName(text.to_owned()))
});

#[derive(Debug)]
struct LdapFilter(String);
text!(
    LdapFilter,
    "a filter of RFC 4515 in parentheses, such as \"(objectClass=inetOrgPerson)\"",
    |text| {
        let fits = text.starts_with('(') && text.len() <= TEXT_LEN_MAX;
        (fits && ldap3::parse_filter(text).is_ok()).then(|| LdapFilter(text.to_owned()))
    }
);

#[derive(Debug)]
struct AddressAttribute(String);
text!(AddressAttribute, "the name of an attribute such as \"mail\"", |text| {
    is_attribute(text).then(|| AddressAttribute(text.to_owned()))
});

#[derive(Debug)]
struct Attribute(Option<String>);
text!(Attribute, "the name of an attribute such as \"telephoneNumber\", or \"none\"", |text| {
    match text {
        "none" => Some(Attribute(None)),
        text => is_attribute(text).then(|| Attribute(Some(text.to_owned()))),
    }
});

#[derive(Debug)]
struct Refresh(Duration);
text!(Refresh, "a time from 1s to 1d such as \"5m\"", |text| {
    within(text, Duration::from_secs(1), Duration::from_secs(86_400)).map(Refresh)
});

#[derive(Debug)]
struct Timeout(Duration);
text!(Timeout, "a time from 100ms to 5m such as \"10s\"", |text| {
    within(text, Duration::from_millis(100), Duration::from_secs(300)).map(Timeout)
});

#[derive(Debug)]
struct PageSize(u32);

impl<'de> Deserialize<'de> for PageSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        let fits = (1..=PAGE_SIZE_MAX).contains(&number).then_some(number);
        fits.and_then(|number| u32::try_from(number).ok()).map(PageSize).ok_or_else(|| {
            D::Error::invalid_value(Unexpected::Signed(number), &"a number from 1 to 10000")
        })
    }
}

#[derive(Debug)]
struct Percent(u8);

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        let fits = u8::try_from(number).ok().filter(|percent| *percent <= 100);
        fits.map(Percent).ok_or_else(|| {
            D::Error::invalid_value(Unexpected::Signed(number), &"a number from 0 to 100")
        })
    }
}

impl Default for Attributes {
    /// Those of `inetOrgPerson` (RFC 2798).
    fn default() -> Self {
        let named = |name: &str| Some(name.to_owned());
        Attributes {
            address: "mail".to_owned(),
            login: named("uid"),
            display_name: named("displayName"),
            title: named("title"),
            department: named("departmentNumber"),
            company: named("o"),
            office: named("roomNumber"),
            email: named("mail"),
            phone_work: named("telephoneNumber"),
            phone_mobile: named("mobile"),
            phone_home: named("homePhone"),
            photo_url: None,
            groups: named("memberOf"),
            nt_hash: None,
            ha1_md5: None,
            ha1_sha256: None,
            password_changed: None,
        }
    }
}

/// What is written, the defaults for the rest; `None` when no server is named. The policies that
/// groups lead to must be there.
pub(super) fn resolve(written: WrittenLdap, policies: &Policies) -> Result<Option<Ldap>, Located> {
    let groups = groups(written.groups, policies)?;
    let attributes = attributes(written.attributes);
    let Some(urls) = written.urls else { return Ok(None) };
    let place = urls.span();
    let urls = once(urls.into_inner(), |url| url.0.clone())?;
    if urls.is_empty() {
        return Ok(None);
    }
    let Some(base) = written.base.and_then(|base| base.0) else {
        return Err((place, Problem::NoLdapBase));
    };
    Ok(Some(Ldap {
        urls: urls.into_iter().map(|url| url.0).collect(),
        protection: written.tls.map_or(Protection::StartTls, |tls| tls.0),
        ca: written
            .ca
            .map_or_else(|| PathBuf::from("/etc/ssl/certs/ca-certificates.crt"), |path| path.0),
        bind_dn: written.bind_dn.and_then(|dn| dn.0),
        password_file: written
            .password_file
            .map_or_else(|| PathBuf::from("/etc/mynah/ldap-password"), |path| path.0),
        base,
        filter: written.filter.map_or_else(|| "(objectClass=person)".to_owned(), |f| f.0),
        page_size: written.page_size.map_or(500, |size| size.0),
        refresh: written.refresh.map_or(Duration::from_secs(300), |time| time.0),
        timeout: written.timeout.map_or(Duration::from_secs(10), |time| time.0),
        missing_percent_max: written.missing_percent_max.map_or(20, |percent| percent.0),
        attributes,
        members: written.members.and_then(|name| name.0),
        groups,
    }))
}

fn groups(
    written: Option<Spanned<Vec<WrittenGroup>>>,
    policies: &Policies,
) -> Result<Vec<Group>, Located> {
    let Some(written) = written else { return Ok(Vec::new()) };
    if written.get_ref().len() > GROUPS_MAX {
        return Err((written.span(), Problem::ListTooLong { most: GROUPS_MAX }));
    }
    let mut groups = Vec::new();
    for WrittenGroup { dn, policy } in written.into_inner() {
        let name = &policy.get_ref().0;
        if !policies.contains(name) {
            return Err((policy.span(), Problem::UnknownPolicy(name.clone())));
        }
        groups.push(Group { policy: name.clone(), dn: dn.into_inner().0 });
    }
    Ok(groups)
}

fn attributes(written: WrittenAttributes) -> Attributes {
    let defaults = Attributes::default();
    let or = |name: Option<Attribute>, default| name.map_or(default, |name| name.0);
    Attributes {
        address: written.address.map_or(defaults.address, |name| name.0),
        login: or(written.login, defaults.login),
        display_name: or(written.display_name, defaults.display_name),
        title: or(written.title, defaults.title),
        department: or(written.department, defaults.department),
        company: or(written.company, defaults.company),
        office: or(written.office, defaults.office),
        email: or(written.email, defaults.email),
        phone_work: or(written.phone_work, defaults.phone_work),
        phone_mobile: or(written.phone_mobile, defaults.phone_mobile),
        phone_home: or(written.phone_home, defaults.phone_home),
        photo_url: or(written.photo_url, defaults.photo_url),
        groups: or(written.groups, defaults.groups),
        nt_hash: or(written.nt_hash, defaults.nt_hash),
        ha1_md5: or(written.ha1_md5, defaults.ha1_md5),
        ha1_sha256: or(written.ha1_sha256, defaults.ha1_sha256),
        password_changed: or(written.password_changed, defaults.password_changed),
    }
}

fn within(text: &str, least: Duration, most: Duration) -> Option<Duration> {
    read_time(text).filter(|time| (least..=most).contains(time))
}

fn is_text(text: &str) -> bool {
    (1..=TEXT_LEN_MAX).contains(&text.len()) && is_plain_text(text)
}

fn is_entry_name(text: &str) -> bool {
    is_text(text) && text.contains('=')
}

/// A short name or an object identifier (RFC 4512 section 1.4).
fn is_attribute(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b))
}

/// A scheme, a host and perhaps a port: what to look for there stands in keys of its own.
fn is_url(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let rest = text.strip_prefix("ldap://").or_else(|| text.strip_prefix("ldaps://"));
    let Some(rest) = rest.map(|rest| rest.strip_suffix('/').unwrap_or(rest)) else { return false };
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    if let Some(rest) = rest.strip_prefix('[') {
        let Some((host, after)) = rest.split_once(']') else { return false };
        let port = after.strip_prefix(':').map_or(after.is_empty(), is_port);
        return host.parse::<std::net::Ipv6Addr>().is_ok() && port;
    }
    let (host, port) = rest.split_once(':').map_or((rest, true), |(h, p)| (h, is_port(p)));
    port && is_host_name(host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn ldap(lines: &str) -> Result<Option<Ldap>, String> {
        let text = format!("[directory.ldap]\n{lines}\n");
        parse(&text).map(|settings| settings.ldap).map_err(|error| error.to_string())
    }

    #[test]
    fn without_a_server_the_users_are_in_the_database_alone() {
        assert_eq!(ldap(""), Ok(None));
        assert_eq!(ldap("urls = []\nbase = 'dc=example'"), Ok(None));
        assert_eq!(
            ldap("\nurls = ['ldap://a.test']").unwrap_err(),
            "3:8: say below which entry the users are, as in base = \"ou=people,dc=example,dc=test\""
        );
    }

    #[test]
    fn every_key_is_read() {
        let read = ldap(
            "urls = ['LDAP://dc1.a.test', 'ldaps://[::1]:1636/', 'ldap://127.0.0.1:3890']\n\
             tls = 'none'\nca = 'ca.pem'\nbind_dn = 'CORP\\mynah'\npassword_file = 'pw'\n\
             base = 'ou=people,dc=a,dc=test'\nfilter = '(&(objectClass=user)(mail=*))'\n\
             page_size = 1000\nrefresh = '1m'\ntimeout = '2s'\nmissing_percent_max = 100\n\
             members = 'member'\ngroups = [{ dn = 'cn=s,dc=a', policy = 'sales' }]\n\
             [directory.ldap.attributes]\naddress = 'userPrincipalName'\nlogin = 'none'\n\
             nt_hash = 'sambaNTPassword'\npassword_changed = 'pwdLastSet'\n[policy.sales]",
        );
        let read = read.unwrap().unwrap();
        let urls = ["ldap://dc1.a.test", "ldaps://[::1]:1636/", "ldap://127.0.0.1:3890"];
        assert_eq!(read.urls, urls);
        assert_eq!(read.protection, Protection::None);
        assert_eq!(read.bind_dn.as_deref(), Some("CORP\\mynah"));
        assert_eq!((read.base.as_str(), read.page_size), ("ou=people,dc=a,dc=test", 1000));
        assert_eq!(read.filter, "(&(objectClass=user)(mail=*))");
        assert_eq!((read.refresh, read.timeout.as_secs()), (Duration::from_secs(60), 2));
        assert_eq!((read.missing_percent_max, read.members.as_deref()), (100, Some("member")));
        let group = Group { dn: "cn=s,dc=a".to_owned(), policy: "sales".to_owned() };
        assert_eq!(read.groups, [group]);
        let expected = Attributes {
            address: "userPrincipalName".to_owned(),
            login: None,
            nt_hash: Some("sambaNTPassword".to_owned()),
            password_changed: Some("pwdLastSet".to_owned()),
            ..Attributes::default()
        };
        assert_eq!(read.attributes, expected);
    }

    #[test]
    fn each_key_that_is_wrong_is_named_with_what_is_expected() {
        for (lines, expected) in [
            (
                "urls = ['http://a.test']",
                "2:9: invalid value: string \"http://a.test\", expected a server such as \"ldap://dc1.example.test\" or \"ldaps://dc1.example.test:636\"",
            ),
            (
                "urls = ['ldap://a.test/dc=a']",
                "2:9: invalid value: string \"ldap://a.test/dc=a\", expected a server such as \"ldap://dc1.example.test\" or \"ldaps://dc1.example.test:636\"",
            ),
            (
                "urls = ['ldap://a.test:0']",
                "2:9: invalid value: string \"ldap://a.test:0\", expected a server such as \"ldap://dc1.example.test\" or \"ldaps://dc1.example.test:636\"",
            ),
            (
                "urls = ['ldap://a.test', 'LDAP://A.test']",
                "2:26: \"ldap://a.test\" stands here twice: remove one",
            ),
            (
                "tls = 'ssl'",
                "2:7: invalid value: string \"ssl\", expected \"starttls\" or \"none\"",
            ),
            ("ca = ''", "2:6: invalid value: string \"\", expected a path"),
            (
                "bind_dn = ''",
                "2:11: invalid value: string \"\", expected a name such as \"cn=mynah,ou=services,dc=example,dc=test\", or \"none\"",
            ),
            (
                "base = 'people'",
                "2:8: invalid value: string \"people\", expected an entry such as \"ou=people,dc=example,dc=test\", or \"none\"",
            ),
            (
                "filter = 'mail=*'",
                "2:10: invalid value: string \"mail=*\", expected a filter of RFC 4515 in parentheses, such as \"(objectClass=inetOrgPerson)\"",
            ),
            (
                "filter = '(&(mail=*)'",
                "2:10: invalid value: string \"(&(mail=*)\", expected a filter of RFC 4515 in parentheses, such as \"(objectClass=inetOrgPerson)\"",
            ),
            (
                "page_size = 0",
                "2:13: invalid value: integer `0`, expected a number from 1 to 10000",
            ),
            (
                "refresh = '0s'",
                "2:11: invalid value: string \"0s\", expected a time from 1s to 1d such as \"5m\"",
            ),
            (
                "timeout = '1h'",
                "2:11: invalid value: string \"1h\", expected a time from 100ms to 5m such as \"10s\"",
            ),
            (
                "missing_percent_max = 101",
                "2:23: invalid value: integer `101`, expected a number from 0 to 100",
            ),
            (
                "members = 'a b'",
                "2:11: invalid value: string \"a b\", expected the name of an attribute such as \"telephoneNumber\", or \"none\"",
            ),
            (
                "groups = [{ dn = 'cn=a', policy = 'b' }]",
                "2:35: no policy is called `b`: add [policy.b], or name one that is there",
            ),
            (
                "attributes = { address = 'none!' }",
                "2:26: invalid value: string \"none!\", expected the name of an attribute such as \"mail\"",
            ),
        ] {
            assert_eq!(ldap(lines), Err(expected.to_owned()), "{lines}");
        }
    }
}
