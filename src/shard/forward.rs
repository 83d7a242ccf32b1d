//! What every forwarded message has in common.

use bytes::{BufMut, Bytes, BytesMut};

use super::Shard;
use super::home::Endpoint;
use crate::base::aor::Aor;
use crate::base::ids::{Dialect, RelayId, SessionId};
use crate::base::transport::Transport;
use crate::wire::sip::{HeaderName, HeaderSet, Message, Rewrite};

/// A branch token to be filled in by the owner.
pub(super) const PLACEHOLDER: [u8; RelayId::TOKEN_LEN] = *b"00000000000000000000";

/// Headers that end here: credentials are between a client and us, identities are ours to
/// assert (RFC 3325 section 5), and routes led the request to us.
pub(super) const STRIPPED: HeaderSet = STRIPPED_FROM_ANSWERS.with(HeaderName::Route);

/// Headers of an answer that end here: the same but routes. Who is meant by `Ms-Sender` and what
/// an edge has verified are for servers to say (MS-CONFIM, MS-SIPRE). What looks like a signature
/// or a challenge of ours would be taken for one.
pub(super) const STRIPPED_FROM_ANSWERS: HeaderSet = HeaderSet::of(&[
    HeaderName::AuthenticationInfo,
    HeaderName::Authorization,
    HeaderName::MsAssertedVerificationLevel,
    HeaderName::MsEdgeProxyMessageTrust,
    HeaderName::MsSender,
    HeaderName::MsUserLogonData,
    HeaderName::PAssertedIdentity,
    HeaderName::PPreferredIdentity,
    HeaderName::ProxyAuthenticate,
    HeaderName::ProxyAuthenticationInfo,
    HeaderName::ProxyAuthorization,
    HeaderName::RemotePartyId,
]);

/// Start of our Via line up to the transport, and from there to the branch token.
const VIA: &[u8] = b"Via: SIP/2.0/";
const BRANCH: &[u8] = b";branch=z9hG4bK";

/// The hops a request may still make after us; `None` when there are none left (RFC 3261
/// section 16.3). A request without the header gets the recommended 70.
pub(super) fn hops_left(message: Message<'_>) -> Option<u8> {
    match message.max_forwards() {
        Ok(Some(hops)) => hops.checked_sub(1),
        Ok(None) | Err(_) => Some(69),
    }
}

/// Appends the identity that we assert for the user signed in (RFC 3325 section 9.1).
pub(super) fn write_asserted_identity(lines: &mut BytesMut, aor: &str) {
    lines.put_slice(b"P-Asserted-Identity: <sip:");
    lines.put_slice(aor.as_bytes());
    lines.put_slice(b">\r\n");
}

/// Fills in branch and transport of our Via that stands at `via_at`.
pub(super) fn fill_via(
    bytes: &mut BytesMut,
    via_at: usize,
    sent_by: &str,
    transport: Transport,
    relay: RelayId,
) {
    let transport_at = via_at + VIA.len();
    let token_at = transport_at + 3 + 1 + sent_by.len() + BRANCH.len();
    if let Some(place) = bytes.get_mut(transport_at..transport_at + 3) {
        place.copy_from_slice(transport.via().as_bytes());
    }
    if let Some(place) = bytes.get_mut(token_at..token_at + RelayId::TOKEN_LEN) {
        place.copy_from_slice(&relay.token());
    }
}

/// The request in flight that a branch of ours names.
pub(super) fn relay_of_branch(branch: &[u8]) -> Option<RelayId> {
    RelayId::from_token(branch.strip_prefix(b"z9hG4bK")?)
}

impl Shard {
    /// Starts `lines` with our Via; the transport is that of a TLS leg until it is filled in.
    pub(super) fn write_via(&mut self, token: [u8; RelayId::TOKEN_LEN]) {
        self.lines.clear();
        self.lines.put_slice(VIA);
        self.lines.put_slice(Transport::Tls.via().as_bytes());
        self.lines.put_u8(b' ');
        self.lines.put_slice(self.sent_by.as_bytes());
        self.lines.put_slice(BRANCH);
        self.lines.put_slice(&token);
        self.lines.put_slice(b"\r\n");
    }

    /// Appends our Record-Route, which names the session: in-dialog requests find their owner by
    /// it, whatever Contact they go to.
    pub(super) fn write_record_route(&mut self, session: SessionId, transport: Transport) {
        self.lines.put_slice(b"Record-Route: <sip:s.");
        self.lines.put_slice(&session.token());
        self.lines.put_u8(b'@');
        self.lines.put_slice(self.sent_by.as_bytes());
        self.lines.put_slice(match transport {
            Transport::Tls => b";transport=tls;lr>\r\n",
            Transport::Tcp => b";transport=tcp;lr>\r\n",
        });
    }

    /// A request as it goes to one endpoint: to its Contact, with our Via on top, and our
    /// Record-Route if it begins a session.
    pub(super) fn forwarded(
        &mut self,
        request: &Bytes,
        relay: RelayId,
        endpoint: &Endpoint,
        from: &Aor,
        session: Option<SessionId>,
    ) -> Bytes {
        let mut bytes = Bytes::new();
        self.with_message(request, |shard, message| {
            shard.write_via(relay.token());
            if let Some(session) = session {
                shard.write_record_route(session, endpoint.transport);
            }
            write_asserted_identity(&mut shard.lines, from.as_str());
            let rewrite = Rewrite {
                uri: (endpoint.dialect == Dialect::Simple).then_some(&endpoint.contact),
                top: &shard.lines,
                drop: STRIPPED,
                max_forwards: hops_left(message),
                ..Rewrite::default()
            };
            let via_at = rewrite.start_line_len(message);
            rewrite.write(message, &mut shard.arena);
            let mut out = shard.arena.split();
            fill_via(&mut out, via_at, &shard.sent_by, endpoint.transport, relay);
            bytes = out.freeze();
        });
        bytes
    }

    /// Octets of `message` that may outlive the receive buffer.
    pub(super) fn keep(&mut self, message: Message<'_>) -> Bytes {
        Bytes::copy_from_slice(message.bytes())
    }
}
