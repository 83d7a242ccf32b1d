//! Entries of a directory service, and what becomes of users by them, as an operator reads it.

use std::fmt::{self, Write};

use super::text::shown;
use crate::config::Ldap;
use crate::directory::{Entry, Known, Mapped, Mapping, Merged, Origin, Raw, User, merge};
use crate::runtime::ldap_look::{Step, operators, spare};
use crate::store::StoreError;

/// What is shown of values that prove a user.
const HIDDEN: &str = "[hidden]";

/// An entry, the user it makes, what does not fit, and how he stands here.
pub fn found(
    raw: &Raw,
    ldap: &Ldap,
    mapping: &Mapping<'_>,
    known: impl FnOnce(&str) -> Result<Option<Known>, StoreError>,
) -> Result<String, StoreError> {
    let mut out = Lines::default();
    out.line("entry", &raw.dn);
    for (attribute, values) in &raw.texts {
        for value in values {
            let value = if mapping.is_secret(attribute) { HIDDEN } else { value };
            out.line(&format!("  {attribute}"), value);
        }
    }
    for attribute in &raw.octets {
        out.line(&format!("  {attribute}"), "[not text]");
    }
    let Mapped { entry, misfits } = match mapping.read(raw, spare()) {
        Ok(mapped) => mapped,
        Err(unfit) => {
            out.line("no user", &unfit.to_string());
            return Ok(out.0);
        }
    };
    let known = known(&entry.aor)?;
    let merged = merge(&entry, known.as_ref());
    out.line("user", &entry.aor);
    out.line("  login", &entry.login);
    out.line("  name", &entry.display_name);
    for (name, text) in person(&entry) {
        out.line(&format!("  {name}"), text);
    }
    let policy = entry.policy.as_deref().map(|name| if name.is_empty() { "default" } else { name });
    let group = mapping.group(raw).and_then(|place| ldap.groups.get(place));
    match (policy, group) {
        (Some(policy), Some(group)) => {
            out.line("  policy", &format!("{policy}, as a member of {}", group.dn));
        }
        (Some(policy), None) => out.line("  policy", &format!("{policy}, as a member of no group")),
        (None, _) => out.line("  policy", "as set here: no groups are configured"),
    }
    out.line("  signs in by", proofs(&entry));
    for misfit in misfits {
        out.line("left out", &misfit.to_string());
    }
    match (&merged, known) {
        (Merged::Operators, _) => out.line("here", &operators(&entry.aor)),
        (Merged::Same, Some(Known { user, .. })) => {
            out.line("here", if user.disabled { "the same, disabled" } else { "the same" });
        }
        (Merged::Changed(after), Some(Known { user, origin })) => {
            if let Origin::Service { missing: true, .. } = origin {
                out.line("here", "disabled, for it was missing");
            }
            for difference in differences(&user, after) {
                out.line("differs here", &difference);
            }
        }
        (_, None) => out.line("here", "not yet: the next look takes it"),
    }
    Ok(out.0)
}

/// A step of a look.
pub fn changes(step: &Step) -> String {
    match step {
        Step::Put { before: None, after, .. } => {
            format!("+  {}  {}\n", after.aor, shown(&after.display_name))
        }
        Step::Put { before: Some(before), after, .. } => {
            let differences = differences(before, after);
            let what = if differences.is_empty() {
                "its entry there".to_owned()
            } else {
                differences.join(", ")
            };
            format!("~  {}  {what}\n", after.aor)
        }
        Step::Missing(aor) => format!("-  {aor}  missing: disabled\n"),
    }
}

/// How the user can sign in by what the service gives.
fn proofs(entry: &Entry) -> &'static str {
    match (&entry.nt_hash, entry.ha1_md5.is_some() || entry.ha1_sha256.is_some()) {
        (Some(_), true) => "NTLM and Digest, with the password there",
        (Some(_), false) => "NTLM, with the password there; Digest, with one set here",
        (None, true) => "Digest, with the password there; NTLM, with one set here",
        (None, false) => "a password set here: `mynah directory password` takes the one there",
    }
}

/// What differs between two states of a user; hashes are not shown.
fn differences(before: &User, after: &User) -> Vec<String> {
    let state = |user: &User| if user.disabled { "disabled" } else { "enabled" };
    let texts = |user: &User| {
        let person = &user.person;
        [
            ("login", user.login.clone()),
            ("name", user.display_name.clone()),
            ("title", person.title.to_string()),
            ("department", person.department.to_string()),
            ("company", person.company.to_string()),
            ("office", person.office.to_string()),
            ("email", person.email.to_string()),
            ("work phone", person.phone_work.to_string()),
            ("mobile phone", person.phone_mobile.to_string()),
            ("home phone", person.phone_home.to_string()),
            ("photo", person.photo_url.to_string()),
            ("policy", user.policy_name().to_owned()),
            ("state", state(user).to_owned()),
        ]
    };
    let changed = texts(before).into_iter().zip(texts(after));
    let changed = changed.filter(|((_, old), (_, new))| old != new);
    let mut list: Vec<String> = changed
        .map(|((name, old), (_, new))| format!("{name} \"{}\" -> \"{}\"", shown(&old), shown(&new)))
        .collect();
    let proofs = (&before.nt_hash, &before.ha1_md5, &before.ha1_sha256)
        != (&after.nt_hash, &after.ha1_md5, &after.ha1_sha256);
    list.extend(proofs.then(|| "password".to_owned()));
    list
}

fn person(entry: &Entry) -> impl Iterator<Item = (&'static str, &str)> {
    let person = &entry.person;
    let texts = [
        ("title", &person.title),
        ("department", &person.department),
        ("company", &person.company),
        ("office", &person.office),
        ("email", &person.email),
        ("work phone", &person.phone_work),
        ("mobile phone", &person.phone_mobile),
        ("home phone", &person.phone_home),
        ("photo", &person.photo_url),
    ];
    texts.into_iter().map(|(name, text)| (name, &**text)).filter(|(_, text)| !text.is_empty())
}

/// Lines of a name and a value.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn line(&mut self, name: &str, value: &str) {
        self.put(format_args!("{name:12}  {}\n", shown(value)));
    }

    fn put(&mut self, text: fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.0.write_fmt(text);
    }
}
