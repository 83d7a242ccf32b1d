//! A contact in little memory: one allocation for its texts, one word for its groups.

use super::edit::Contact;
use super::group::Groups;
use crate::base::aor::Aor;

/// Longest address, name and external URI together, in octets.
pub const TEXT_LEN_MAX: usize = u16::MAX as usize;

/// Clients give a contact without a name its own URI as name; that is not written twice.
const SCHEME: &str = "sip:";

/// A contact as a list holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// Address, name unless it is the URI, external URI.
    text: Box<str>,
    groups: Groups,
    address_len: u16,
    name_len: u16,
    name_is_uri: bool,
    subscribed: bool,
}

impl Packed {
    /// Packs `contact`; `None` if its texts exceed [`TEXT_LEN_MAX`].
    pub fn new(contact: &Contact) -> Option<Self> {
        let address = contact.address.as_str();
        let name_is_uri = contact.name.strip_prefix(SCHEME) == Some(address);
        let name = if name_is_uri { "" } else { &*contact.name };
        let text = [address, name, &*contact.external_uri].concat();
        (text.len() <= TEXT_LEN_MAX).then_some(())?;
        Some(Packed {
            address_len: u16::try_from(address.len()).ok()?,
            name_len: u16::try_from(name.len()).ok()?,
            text: text.into_boxed_str(),
            groups: contact.groups,
            name_is_uri,
            subscribed: contact.subscribed,
        })
    }

    /// Whom it names.
    pub fn address(&self) -> &str {
        self.text.get(..self.address_len.into()).unwrap_or_default()
    }

    /// The groups it is in.
    pub fn groups(&self) -> Groups {
        self.groups
    }

    /// Puts it into these groups.
    pub fn set_groups(&mut self, groups: Groups) {
        self.groups = groups;
    }

    /// The whole contact.
    pub fn contact(&self) -> Contact {
        let rest = self.text.get(self.address_len.into()..).unwrap_or_default();
        let (name, external_uri) = rest.split_at_checked(self.name_len.into()).unwrap_or_default();
        Contact {
            address: Aor::new(self.address()),
            name: match self.name_is_uri {
                true => [SCHEME, self.address()].concat().into(),
                false => name.into(),
            },
            groups: self.groups,
            subscribed: self.subscribed,
            external_uri: external_uri.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(name: &str) -> Contact {
        Contact {
            address: Aor::new("bob@example.test"),
            name: name.into(),
            groups: Groups::OTHERS,
            subscribed: true,
            external_uri: "<x/>".into(),
        }
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        for name in ["", "Bob \u{e9}", "sip:bob@example.test", "sip:bob@example.tes"] {
            let packed = Packed::new(&contact(name)).unwrap();
            assert_eq!(packed.contact(), contact(name));
            assert_eq!(packed.address(), "bob@example.test");
        }
    }

    #[test]
    fn a_name_that_is_the_uri_takes_no_room() {
        let packed = Packed::new(&contact("sip:bob@example.test")).unwrap();
        assert_eq!(packed.text.len(), "bob@example.test<x/>".len());
        assert_eq!(size_of::<Packed>(), 32);
    }

    #[test]
    fn what_is_too_long_to_pack_is_refused() {
        let room = TEXT_LEN_MAX - "bob@example.test<x/>".len();
        assert!(Packed::new(&contact(&"x".repeat(room))).is_some());
        assert_eq!(Packed::new(&contact(&"x".repeat(room + 1))), None);
    }
}
