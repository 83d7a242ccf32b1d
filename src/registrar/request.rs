//! What a REGISTER asks for, as plain values.

use bytes::Bytes;

use crate::base::ids::{ConnId, Dialect};
use crate::base::transport::Transport;

/// A REGISTER of a user who has proved to be the owner of the address (RFC 3261 section 10.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register {
    /// The connection it came on, and the only one its endpoints are reached on, whatever their
    /// contact says.
    pub conn: ConnId,
    /// The transport of that connection.
    pub transport: Transport,
    /// The dialect its endpoints speak.
    pub dialect: Dialect,
    /// Call-ID.
    pub call_id: Box<[u8]>,
    /// Number of the CSeq.
    pub cseq: u32,
    /// The `epid` of From (MS-SIPREGE): the device.
    pub epid: Option<Box<str>>,
    /// User-Agent.
    pub user_agent: Option<Box<str>>,
    /// The Expires header, in seconds.
    pub expires: Option<u32>,
    /// What is to be bound or removed.
    pub contacts: Contacts,
}

impl Register {
    /// True when it binds nothing and takes endpoints back (RFC 3261 section 10.2.2).
    pub fn takes_back(&self) -> bool {
        match &self.contacts {
            Contacts::Star => true,
            Contacts::List(contacts) => {
                let expires = |contact: &Contact| contact.expires.or(self.expires);
                !contacts.is_empty() && contacts.iter().all(|contact| expires(contact) == Some(0))
            }
        }
    }
}

/// The Contact headers of a REGISTER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contacts {
    /// `*`: all endpoints of the user, to be removed.
    Star,
    /// These; none asks only which endpoints there are.
    List(Vec<Contact>),
}

/// One contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The URI, without angle brackets.
    pub uri: Bytes,
    /// `+sip.instance`, without angle brackets (RFC 5626 section 4.1).
    pub instance: Option<Box<str>>,
    /// `reg-id` (RFC 5626 section 4.2).
    pub reg_id: Option<u32>,
    /// `expires`, in seconds; goes before the header.
    pub expires: Option<u32>,
}
