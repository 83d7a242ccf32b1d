//! `[hep]`: copies of messages for a Homer collector.

use std::net::SocketAddr;
use std::num::NonZeroU32;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};
use std::fmt;
use toml::Spanned;

use super::limits::Located;
use super::parse::once;
use super::schema::{Listener, text};
use crate::base::host_name::is_host_name;
use crate::base::plain_text::is_plain_text;

/// Where copies go, and of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hep {
    /// The collector; `None` copies nothing.
    pub collector: Option<SocketAddr>,
    /// By which the collector knows this server.
    pub capture_id: u32,
    /// Users whose messages are copied, by address in lower case; empty for all.
    pub users: Vec<String>,
    /// Without `users`: one user of so many, always the same ones. 1 is everybody.
    pub one_in: u32,
}

impl Default for Hep {
    fn default() -> Self {
        Hep { collector: None, capture_id: 1, users: Vec::new(), one_in: 1 }
    }
}

/// `[hep]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WrittenHep {
    collector: Option<Listener>,
    capture_id: Option<u32>,
    users: Option<Vec<Spanned<User>>>,
    one_in: Option<NonZeroU32>,
}

/// The address of a user.
#[derive(Debug)]
struct User(String);
text!(User, "an address such as \"alice@example.test\"", |text| {
    let (user, domain) = text.split_once('@')?;
    let good = !user.is_empty() && is_plain_text(user) && is_host_name(domain);
    good.then(|| User(text.to_ascii_lowercase()))
});

/// What is written, the defaults for the rest.
pub fn resolve(written: WrittenHep) -> Result<Hep, Located> {
    let defaults = Hep::default();
    Ok(Hep {
        collector: written.collector.map_or(defaults.collector, |collector| collector.0),
        capture_id: written.capture_id.unwrap_or(defaults.capture_id),
        users: match written.users {
            Some(users) => once(users, |user| user.0.clone())?.into_iter().map(|u| u.0).collect(),
            None => defaults.users,
        },
        one_in: written.one_in.map_or(defaults.one_in, NonZeroU32::get),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    #[test]
    fn a_collector_and_what_it_gets() {
        let text = "[hep]\ncollector = \"127.0.0.1:9060\"\ncapture_id = 7\n\
                    users = [\"Alice@Example.test\"]\none_in = 10\n";
        let expected = Hep {
            collector: Some("127.0.0.1:9060".parse().unwrap()),
            capture_id: 7,
            users: vec!["alice@example.test".to_owned()],
            one_in: 10,
        };
        assert_eq!(parse(text).unwrap().hep, expected);
        for (bad, place) in [
            ("collector = \"homer\"", "2:13: "),
            ("capture_id = -1", "2:14: "),
            ("users = [\"alice\"]", "2:10: "),
            ("users = [\"a@b\", \"A@b\"]", "2:17: "),
            ("one_in = 0", "2:10: "),
        ] {
            let error = parse(&format!("[hep]\n{bad}\n")).unwrap_err().to_string();
            assert!(error.starts_with(place), "{bad}: {error}");
        }
    }
}
