//! A profile as it is written: keys, and the range of each value.

use crate::settings::span;
use serde::Deserialize;
use std::time::Duration;
use toml::Spanned;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    pub description: String,
    #[serde(default)]
    pub busy_hour: BusyHour,
    pub registration: Registration,
    pub contacts: Option<Spanned<Contacts>>,
    pub publications: Option<Spanned<Publications>>,
    #[serde(default)]
    pub polls: Vec<Spanned<Polls>>,
    pub short_subscriptions: Option<Spanned<ShortSubscriptions>>,
    pub search: Option<Search>,
    pub sessions: Option<Spanned<Sessions>>,
    pub conferences: Option<Conferences>,
    #[serde(default)]
    pub rows: Vec<Spanned<Row>>,
}

/// How much of a day falls into how many of its hours.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BusyHour {
    pub day_percent: Percent,
    pub hours: Hours,
}

impl Default for BusyHour {
    /// A day of eight hours, one like the other.
    fn default() -> Self {
        BusyHour { day_percent: Percent(100.0), hours: Hours(8.0) }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    pub refresh_every: Lasting,
    pub own_data: bool,
    pub returns_per_hour: Option<PerHour>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contacts {
    pub classes: Spanned<Vec<ContactClass>>,
    pub internal_percent: Percent,
    pub batch_max: Batch,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContactClass {
    pub users_percent: Percent,
    pub contacts: ContactCount,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publications {
    pub per_hour: PerHour,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Polls {
    pub name: String,
    pub per_hour: PerHour,
    pub users: Batch,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShortSubscriptions {
    pub per_hour: PerHour,
    pub lasting: Lasting,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    pub per_hour: PerHour,
    pub results_max: Batch,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sessions {
    pub per_day: PerHour,
    pub messages: Messages,
    pub typing: Typing,
    pub gap: Lasting,
    pub octets: Octets,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conferences {
    pub users_percent: Percent,
    pub sizes: Spanned<Vec<Size>>,
    pub large: Option<Members>,
    pub kinds: Spanned<Vec<Kind>>,
    pub join_within: Spanned<Lasting>,
    pub lasting: Lasting,
    pub octets: Octets,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Size {
    pub conferences_percent: Percent,
    pub members: Spanned<Members>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kind {
    pub conferences_percent: Percent,
    pub messages: Messages,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    pub row: String,
    pub used: Option<String>,
    pub unused: Option<String>,
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $what:literal, $least:literal, $most:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Deserialize)]
        #[serde(try_from = "f64")]
        pub struct $name(pub f64);

        impl TryFrom<f64> for $name {
            type Error = String;

            fn try_from(value: f64) -> Result<Self, String> {
                if ($least..=$most).contains(&value) {
                    return Ok($name(value));
                }
                let (least, most) = ($least, $most);
                Err(format!("{value} is no {}: write one from {least} to {most}", $what))
            }
        }
    };
}

macro_rules! count {
    ($(#[$doc:meta])* $name:ident, $what:literal, $least:literal, $most:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Deserialize)]
        #[serde(try_from = "i64")]
        pub struct $name(pub u32);

        impl TryFrom<i64> for $name {
            type Error = String;

            fn try_from(value: i64) -> Result<Self, String> {
                let (least, most) = ($least, $most);
                match u32::try_from(value) {
                    Ok(value) if (least..=most).contains(&value) => Ok($name(value)),
                    _ => Err(format!("{value} is no {}: write one from {least} to {most}", $what)),
                }
            }
        }
    };
}

number! {
    /// How often for one user.
    PerHour, "rate for one user", 0.0, 100_000.0
}
number! {
    /// Of a whole.
    Percent, "percentage", 0.0, 100.0
}
number! {
    /// Of a day.
    Hours, "number of hours", 0.1, 24.0
}
count! {
    /// Users asked for at once.
    Batch, "number of users of one request", 1, 1000
}
count! {
    /// Contacts of one user: the most that the product knows.
    ContactCount, "number of contacts", 0, 1000
}
count! {
    /// Members of a conference: the largest that the product knows.
    Members, "number of members", 2, 1000
}
count! {
    /// Messages of a session or of a member.
    Messages, "number of messages", 0, 10_000
}
count! {
    /// Notices for a message.
    Typing, "number of notices for each message", 0, 10
}
count! {
    /// Of text.
    Octets, "number of octets", 0, 65_536
}

/// A span of time: `"600s"`, `"10m"`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Lasting(pub Duration);

impl TryFrom<String> for Lasting {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match span(&text)? {
            Duration::ZERO => Err(format!("{text:?}: write a time above zero, such as \"10m\"")),
            time => Ok(Lasting(time)),
        }
    }
}
