//! One endpoint of a user: where it is and until when.

use bytes::Bytes;

use super::gruu::InstanceId;
use super::request::{Contact, Register};
use crate::base::ids::{ConnId, Dialect};
use crate::base::time::{Deadline, Now};
use crate::base::transport::Transport;

/// A binding of an address-of-record to an endpoint (RFC 3261 section 10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The connection the endpoint is reached on.
    pub conn: ConnId,
    /// The transport of that connection.
    pub transport: Transport,
    /// The dialect it speaks.
    pub dialect: Dialect,
    /// The URI it wants as Request-URI. Not a place to connect to.
    pub contact: Bytes,
    /// `+sip.instance` as presented: the client looks for its own text in the answer.
    pub instance: Option<Box<str>>,
    /// `reg-id`: which of several connections of one instance.
    pub reg_id: Option<u32>,
    /// The device, in the MS dialect.
    pub epid: Option<Box<str>>,
    /// User-Agent, for display.
    pub user_agent: Option<Box<str>>,
    /// Call-ID of the REGISTER that made or last refreshed it.
    pub call_id: Box<[u8]>,
    /// CSeq number of that REGISTER.
    pub cseq: u32,
    /// When it ends.
    pub expires_at: Deadline,
}

impl Binding {
    /// What `request` wants `contact` bound to, until `expires_at`.
    pub(super) fn new(request: &Register, contact: &Contact, expires_at: Deadline) -> Self {
        Binding {
            conn: request.conn,
            transport: request.transport,
            dialect: request.dialect,
            contact: contact.uri.clone(),
            instance: contact.instance.clone(),
            reg_id: contact.reg_id,
            epid: request.epid.clone(),
            user_agent: request.user_agent.clone(),
            call_id: request.call_id.clone(),
            cseq: request.cseq,
            expires_at,
        }
    }

    /// Seconds left at `now`, rounded up; 0 when it is over.
    pub fn expires_in(&self, now: Now) -> u32 {
        let left_ms = self.expires_at.0.saturating_sub(now.mono_ms);
        u32::try_from(left_ms.div_ceil(1_000)).unwrap_or(u32::MAX)
    }

    /// The UUID of its instance, of which its GRUUs are made; `None` for a client without one.
    pub fn instance_id(&self) -> Option<InstanceId> {
        self.instance.as_deref().and_then(InstanceId::from_urn)
    }

    /// True when both are the same endpoint, so that the newer takes the older's place: the same
    /// instance, device and flow, wherever it is connected (RFC 5626 section 6); without an
    /// instance the same contact on the same connection, as two clients behind two address
    /// translators may well have the same contact.
    pub fn is_same_endpoint(&self, other: &Binding) -> bool {
        match (&self.instance, &other.instance) {
            (Some(ours), Some(theirs)) => {
                ours.eq_ignore_ascii_case(theirs)
                    && self.reg_id == other.reg_id
                    && self.epid == other.epid
            }
            (None, None) => self.conn == other.conn && self.contact == other.contact,
            _ => false,
        }
    }

    /// Octets of its text.
    pub(super) fn text_len(&self) -> usize {
        let len = |text: &Option<Box<str>>| text.as_ref().map_or(0, |text| text.len());
        [
            self.contact.len(),
            self.call_id.len(),
            len(&self.instance),
            len(&self.epid),
            len(&self.user_agent),
        ]
        .iter()
        .sum()
    }
}
