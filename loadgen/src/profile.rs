//! Profiles: what a population of users does, as TOML. Some are built in; any other is a file.
//!
//! A profile gives rates for one user. Everything lasting (a session, a conference) is in the time
//! of its users, so that `--scale 10`, a day ten times as fast, changes how much there is to do but
//! not how much goes on at a time.

mod error;
mod form;
mod rates;
mod resolve;
#[cfg(test)]
mod tests;

pub use error::Error;
pub use rates::{Rate, Rates};

use serde::{Serialize, Serializer};
use std::path::Path;
use std::time::Duration;

/// A name and the text it stands for.
const BUILT_IN: [(&str, &str); 5] = [
    ("lync2013", include_str!("../profiles/lync2013.toml")),
    ("im", include_str!("../profiles/im.toml")),
    ("presence", include_str!("../profiles/presence.toml")),
    ("conference", include_str!("../profiles/conference.toml")),
    ("signin-storm", include_str!("../profiles/signin-storm.toml")),
];

/// What users do, checked against the population it is for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Profile {
    /// What is written about it in one line.
    pub description: String,
    /// Name of the built-in one, or the file.
    pub name: String,
    /// Whom users watch.
    pub contacts: Option<Contacts>,
    /// Conferences.
    pub conferences: Option<Conferences>,
    /// Documents of users who are looked at once.
    pub polls: Vec<Polls>,
    /// States published by one user an hour.
    pub publications_per_hour: f64,
    /// Signing in and staying signed in.
    pub registration: Registration,
    /// Rows of the model the profile is made of.
    pub rows: Vec<Row>,
    /// Searches of the directory.
    pub search: Option<Search>,
    /// Sessions of two users.
    pub sessions: Option<Sessions>,
    /// Subscriptions to all contacts that end soon.
    pub short_subscriptions: Option<ShortSubscriptions>,
}

/// Whom users watch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contacts {
    /// Most users of one batch.
    pub batch_max: usize,
    /// How many contacts how many users have; the shares come to 1.
    pub classes: Vec<ContactClass>,
}

/// Users with equally many contacts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ContactClass {
    /// Share of the users, 0 to 1.
    pub share: f64,
    /// How many users of this server each of them watches.
    pub contacts: u32,
}

/// Signing in and staying signed in.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Registration {
    /// Whether a Lync client asks for provisioning, contacts and its own publications.
    pub own_data: bool,
    /// One REGISTER of each user in this time, besides those that the server's interval calls for.
    #[serde(rename = "refresh_every_s", serialize_with = "seconds")]
    pub refresh_every: Duration,
    /// How often one user signs out and in again, an hour.
    pub returns_per_hour: f64,
}

/// Polls of one kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Polls {
    /// What they are for.
    pub name: String,
    /// How often for one user.
    pub per_hour: f64,
    /// How many users one asks for.
    pub users: u32,
}

/// Searches of the directory.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Search {
    /// How often for one user.
    pub per_hour: f64,
    /// How many results are asked for.
    pub results_max: u32,
}

/// Subscriptions to all contacts that end soon.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ShortSubscriptions {
    /// How often for one user.
    pub per_hour: f64,
    /// How long each lives.
    #[serde(rename = "lasting_s", serialize_with = "seconds")]
    pub lasting: Duration,
}

/// Sessions of two users.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sessions {
    /// How many one user begins.
    pub per_hour: f64,
    /// Messages of both sides in one.
    pub messages: u32,
    /// INFO that somebody is typing, for each message.
    pub typing: u32,
    /// Between two messages, on average.
    #[serde(rename = "gap_s", serialize_with = "seconds")]
    pub gap: Duration,
    /// Of text in a message.
    pub octets: usize,
}

/// Conferences.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Conferences {
    /// Share of the users who are in one at a time, 0 to 1.
    pub users: f64,
    /// How many members how many have; the shares come to 1.
    pub sizes: Vec<Size>,
    /// Members of one that goes on all the time besides; 0 for none.
    pub large: u32,
    /// How much is said in how many; the shares come to 1.
    pub kinds: Vec<Kind>,
    /// In which all come in.
    #[serde(rename = "join_within_s", serialize_with = "seconds")]
    pub join_within: Duration,
    /// From its beginning to its end.
    #[serde(rename = "lasting_s", serialize_with = "seconds")]
    pub lasting: Duration,
    /// Of text in a message.
    pub octets: usize,
}

impl Conferences {
    /// Members of a conference on average.
    pub fn members(&self) -> f64 {
        self.sizes.iter().map(|size| size.share * f64::from(size.members)).sum()
    }

    /// Messages of one member on average.
    pub fn messages(&self) -> f64 {
        self.kinds.iter().map(|kind| kind.share * f64::from(kind.messages)).sum()
    }

    /// Conferences that begin in an hour for one user.
    pub fn per_hour(&self) -> f64 {
        self.users / self.members() * 3600.0 / self.lasting.as_secs_f64()
    }
}

/// Conferences with equally many members.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Size {
    /// Share of the conferences, 0 to 1.
    pub share: f64,
    /// Members, the one who makes it among them.
    pub members: u32,
}

/// Conferences in which equally much is said.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Kind {
    /// Share of the conferences, 0 to 1.
    pub share: f64,
    /// Messages of each member; with none nobody takes up the instant messages.
    pub messages: u32,
}

/// A row of the model a profile is made of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Which one.
    pub row: String,
    /// How it is used, or else why it is not.
    pub used: Result<String, String>,
}

impl Profile {
    /// A built-in profile, or the file of that name, for a population of which `users` are together
    /// in a thread.
    ///
    /// # Errors
    /// Says in one line what is wrong where, and what to change.
    pub fn load(name: &str, users: u32) -> Result<Profile, Error> {
        match text_of(name) {
            Some(text) => Profile::parse(name, text, users),
            None => {
                let text = read(name)?;
                Profile::parse(name, &text, users)
            }
        }
    }

    /// Reads the text of a profile.
    ///
    /// # Errors
    /// Says in one line what is wrong where, and what to change.
    pub fn parse(name: &str, text: &str, users: u32) -> Result<Profile, Error> {
        let form = toml::from_str(text).map_err(|error| Error::of_form(name, text, &error))?;
        resolve::resolve(name, form, users)
            .map_err(|(span, problem)| Error::at(name, text, span, problem))
    }

    /// Name and description of each built-in profile.
    pub fn built_in() -> impl Iterator<Item = (&'static str, String)> {
        BUILT_IN.iter().map(|(name, text)| {
            let described = Profile::parse(name, text, u32::MAX).map(|profile| profile.description);
            (*name, described.unwrap_or_else(|error| error.to_string()))
        })
    }

    /// The text of a built-in profile or of a file.
    ///
    /// # Errors
    /// Says in one line why there is none.
    pub fn text(name: &str) -> Result<String, Error> {
        text_of(name).map_or_else(|| read(name), |text| Ok(text.to_owned()))
    }
}

fn text_of(name: &str) -> Option<&'static str> {
    BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

fn read(name: &str) -> Result<String, Error> {
    std::fs::read_to_string(Path::new(name)).map_err(|error| {
        let known: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
        let known = known.join(", ");
        let text = format!("{error}: name a file, or a built-in profile ({known})");
        Error::of_file(name, text)
    })
}

fn seconds<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(span.as_secs_f64())
}
