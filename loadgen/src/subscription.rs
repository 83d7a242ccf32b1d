//! A subscription: to the presence of one user or of a batch of users, or to the roster of a
//! conference.

use crate::dialog::Dialog;
use crate::markup::{attribute, tags};
use crate::population::number_of;
use crate::settings::Settings;

/// What a subscription is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Package {
    /// Presence.
    Presence,
    /// The roster of a conference.
    Conference,
    /// The user's own contact list.
    Contacts,
    /// What the user himself has published.
    Own,
}

impl Package {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Package::Presence => "presence",
            Package::Conference => "conference",
            Package::Contacts => "vnd-microsoft-roaming-contacts",
            Package::Own => "vnd-microsoft-roaming-self",
        }
    }
}

/// One subscription of an endpoint.
#[derive(Debug)]
pub struct Subscription {
    /// Its dialog.
    pub dialog: Dialog,
    /// What it is to.
    pub package: Package,
    /// It will be ended soon: what it brings is told apart.
    pub is_short: bool,
    /// Numbers of the users asked for; once there is an answer, of those who are watched.
    pub watched: Vec<u32>,
}

/// Numbers of the users that a resource list (RFC 4662) shows as watched.
pub fn active(settings: &Settings, list: &[u8]) -> Vec<u32> {
    let mut user = None;
    let mut users = Vec::new();
    for (name, tag) in tags(list) {
        if name == b"resource" {
            user = attribute(tag, b"uri")
                .and_then(|uri| std::str::from_utf8(uri.strip_prefix(b"sip:")?).ok())
                .and_then(|address| number_of(settings, address));
        } else if name == b"instance" && attribute(tag, b"state") == Some(b"active") {
            users.extend(user.take());
        }
    }
    users
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, SocketAddr};

    #[test]
    fn only_active_instances_of_known_users_are_watched() {
        let settings = Settings::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 5060)));
        let list = br#"<list xmlns="urn:ietf:params:xml:ns:rlmi" uri="sip:a@b" version="1">
            <resource uri="sip:user0000003@example.test"><instance id="0" state="active"/></resource>
            <resource uri="sip:user0000004@example.test"><instance id="0" state="resubscribe"/>
            </resource><resource uri="sip:user0000005@example.test"/>
            <resource uri="sip:bob@example.test"><instance id="0" state="active"/></resource>
            <resource uri="sip:user0000006@example.test"><instance id="0" state="active"/></resource>
            </list>"#;
        assert_eq!(active(&settings, list), [3, 6]);
    }
}
