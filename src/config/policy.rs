//! `[policy.NAME]`: what is laid down for some users. A user is under the policy that stands with
//! him in the directory, else under `default`.

use std::collections::BTreeMap;

use toml::Spanned;

use super::error::Problem;
use super::filter::{self, ClientFilter, FileFilter, ImFilter};
use super::limits::Located;
use super::schema;
use crate::base::limits::{Limit, Limits};

/// The policy of users for whom no other is named, or one that is not there.
pub const DEFAULT: &str = "default";
/// Most custom states of a policy: clients show no more.
pub const CUSTOM_STATES_MAX: usize = 4;
/// Longest text of a custom state, in characters: clients show no more.
pub const CUSTOM_STATE_TEXT_MAX: usize = 64;

/// All policies by name; the default one is always there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policies {
    by_name: BTreeMap<String, Policy>,
    default: Policy,
}

/// What is laid down for the users under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Only a user's contacts see his presence.
    pub privacy: bool,
    /// Contacts of a user; at most `contacts_per_user_max`.
    pub contacts_max: usize,
    /// Groups of his contact list; at most `contact_groups_per_user_max`.
    pub contact_groups_max: usize,
    /// States to choose from besides those of the product, in the order of the menu.
    pub custom_states: Vec<CustomState>,
    /// What is done with links in their messages.
    pub im_filter: ImFilter,
    /// What is done with files they offer or link to.
    pub file_filter: FileFilter,
    /// Which clients they may use.
    pub client_filter: ClientFilter,
}

/// A state with a text of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomState {
    /// Which state of the product it is.
    pub availability: Availability,
    /// What it is called, by language (Windows LCID); at least one.
    pub texts: BTreeMap<u32, String>,
}

/// The states of the product that can have a text of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Availability {
    /// Red.
    Busy,
    /// Red with a bar.
    DoNotDisturb,
    /// Green.
    Online,
}

impl Availability {
    /// All of them.
    pub const ALL: [Availability; 3] =
        [Availability::Busy, Availability::DoNotDisturb, Availability::Online];

    /// The name in `mynah.toml` and in what clients read.
    pub const fn name(self) -> &'static str {
        match self {
            Availability::Busy => "busy",
            Availability::DoNotDisturb => "do-not-disturb",
            Availability::Online => "online",
        }
    }
}

impl Policy {
    /// What a policy lays down that says nothing.
    pub fn new(limits: &Limits) -> Self {
        Policy {
            privacy: false,
            contacts_max: limits.contacts_per_user_max,
            contact_groups_max: limits.contact_groups_per_user_max,
            custom_states: Vec::new(),
            im_filter: ImFilter::default(),
            file_filter: FileFilter::default(),
            client_filter: ClientFilter::default(),
        }
    }
}

impl Policies {
    /// The default policy alone.
    pub fn new(limits: &Limits) -> Self {
        Policies { by_name: BTreeMap::new(), default: Policy::new(limits) }
    }

    /// The policy of that name, or the default one: a user may name a policy that is gone.
    pub fn of(&self, name: &str) -> &Policy {
        self.by_name.get(name).unwrap_or(&self.default)
    }

    /// The name of the policy [`of`](Self::of) finds.
    pub fn effective<'a>(&self, name: &'a str) -> &'a str {
        if self.by_name.contains_key(name) { name } else { DEFAULT }
    }

    /// True if the policy is there.
    pub fn contains(&self, name: &str) -> bool {
        name == DEFAULT || self.by_name.contains_key(name)
    }

    /// All policies, the default one first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Policy)> {
        let named = self.by_name.iter().map(|(name, policy)| (name.as_str(), policy));
        std::iter::once((DEFAULT, &self.default)).chain(named)
    }
}

/// What is written, the defaults for the rest.
pub(super) fn resolve(
    written: BTreeMap<schema::PolicyName, schema::Policy>,
    limits: &Limits,
) -> Result<Policies, Located> {
    let mut policies = Policies::new(limits);
    for (schema::PolicyName(name), written) in written {
        let policy = policy(written, limits)?;
        match name == DEFAULT {
            true => policies.default = policy,
            false => drop(policies.by_name.insert(name, policy)),
        }
    }
    Ok(policies)
}

fn policy(written: schema::Policy, limits: &Limits) -> Result<Policy, Located> {
    let defaults = Policy::new(limits);
    Ok(Policy {
        privacy: written.privacy.unwrap_or(defaults.privacy),
        contacts_max: bound(written.contacts_max, defaults.contacts_max, Limit::Contacts)?,
        contact_groups_max: bound(
            written.contact_groups_max,
            defaults.contact_groups_max,
            Limit::ContactGroups,
        )?,
        custom_states: written.custom_states.map_or(Ok(Vec::new()), custom_states)?,
        im_filter: filter::im_filter(written.im_filter)?,
        file_filter: filter::file_filter(written.file_filter)?,
        client_filter: filter::client_filter(written.client_filter)?,
    })
}

/// A bound from 1 to `most`, which is `limit` and what stands when nothing is written.
fn bound(written: Option<Spanned<i64>>, most: usize, limit: Limit) -> Result<usize, Located> {
    let Some(written) = written else { return Ok(most) };
    let bound = usize::try_from(*written.get_ref()).ok().filter(|n| (1..=most).contains(n));
    bound.ok_or_else(|| (written.span(), Problem::PolicyBound { most, limit: limit.name() }))
}

fn custom_states(
    written: Spanned<Vec<Spanned<schema::CustomState>>>,
) -> Result<Vec<CustomState>, Located> {
    if written.get_ref().len() > CUSTOM_STATES_MAX {
        return Err((written.span(), Problem::TooManyCustomStates));
    }
    let state = |state: Spanned<schema::CustomState>| {
        let place = state.span();
        let schema::CustomState { availability, text } = state.into_inner();
        if text.is_empty() {
            return Err((place, Problem::NoCustomStateText));
        }
        let texts = text.into_iter().map(|(lcid, text)| (lcid.0, text.0)).collect();
        Ok(CustomState { availability: availability.0, texts })
    };
    written.into_inner().into_iter().map(state).collect()
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    const TWO: &str = r#"
        [policy.default]
        contacts_max = 250
        [policy.sales-2]
        privacy = true
        contact_groups_max = 10
        custom_states = [
            { availability = "online", text = { 1033 = "At home", 1031 = "Zu Hause" } },
            { availability = "do-not-disturb", text = { 1033 = "On stage" } },
        ]
        "#;

    fn error(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn policies_are_read_and_users_find_theirs() {
        let policies = parse(TWO).unwrap().policies;
        let sales = policies.of("sales-2");
        assert!(sales.privacy);
        assert_eq!((sales.contacts_max, sales.contact_groups_max), (1000, 10));
        let first = &sales.custom_states[0];
        assert_eq!(
            (first.availability.name(), first.texts[&1031].as_str()),
            ("online", "Zu Hause")
        );
        assert_eq!(sales.custom_states[1].availability, Availability::DoNotDisturb);
        for name in ["", "default", "gone"] {
            assert_eq!(policies.of(name).contacts_max, 250);
        }
        let names: Vec<&str> = policies.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["default", "sales-2"]);
        assert!(policies.contains("default") && !policies.contains("gone"));
    }

    #[test]
    fn a_policy_stays_within_the_limits() {
        let lower = "[limits]\ncontacts_per_user_max = 20\n";
        assert_eq!(parse(lower).unwrap().policies.of("").contacts_max, 20);
        for (bound, most) in [(0, 20), (21, 20), (-1, 20)] {
            let text = format!("{lower}[policy.default]\ncontacts_max = {bound}\n");
            let expected =
                format!("4:16: must be from 1 to {most}, which is `contacts_per_user_max`");
            assert_eq!(error(&text), expected);
        }
    }

    #[test]
    fn custom_states_are_few_short_and_in_some_language() {
        let state = |inner: &str| format!("[policy.a]\ncustom_states = [{inner}]\n");
        let one = r#"{ availability = "busy", text = { 1033 = "x" } }"#;
        assert!(parse(&state(&[one; 4].join(","))).is_ok());
        assert_eq!(
            error(&state(&[one; 5].join(","))),
            "2:17: a policy has at most 4 custom states: remove some"
        );
        assert_eq!(
            error(&state(r#"{ availability = "busy", text = {} }"#)),
            "2:18: name the state in some language, as in text = { 1033 = \"In the lab\" }"
        );
        let text = |text: &str| {
            state(&format!(r#"{{ availability = "busy", text = {{ 1033 = "{text}" }} }}"#))
        };
        assert!(parse(&text(&"\u{e9}".repeat(64))).is_ok());
        for bad in ["", "a\\nb", &"x".repeat(65)] {
            let error = error(&text(bad));
            assert!(error.starts_with("2:59: "), "{error}");
            assert!(error.ends_with("expected 1 to 64 characters without control characters"));
        }
        for (bad, place) in [
            (r#"{ availability = "away", text = { 1033 = "x" } }"#, "2:35: "),
            (r#"{ availability = "busy", text = { en = "x" } }"#, "2:52: "),
            (r#"{ availability = "busy", text = { 0 = "x" } }"#, "2:52: "),
        ] {
            let error = error(&state(bad));
            assert!(error.starts_with(place), "{error}");
        }
        assert!(error("[policy.Sales]\n").starts_with("1:9: "), "{}", error("[policy.Sales]\n"));
        assert!(error("[policy.a]\nprivate = true\n").starts_with("2:1: "));
    }
}
