//! A request inside a dialog, at the edge: found, checked, copied once with our Via on top, and
//! handed to the owner of its session.

use super::forward::{self, PLACEHOLDER};
use super::frame::{Frame, InDialog};
use super::{Shard, stamp};
use crate::base::ids::{ConnId, SessionId};
use crate::dialect::reject::Reject;
use crate::sip::dialog::DialogHash;
use crate::wire::sip::{HeaderName, Message, Method, NameAddr, Rewrite, Uri};

impl Shard {
    /// Takes a request whose To has a tag, from the user signed in on `conn`.
    pub(super) fn in_dialog(&mut self, conn: ConnId, message: Message<'_>) {
        let is_ack = message.method() == Method::Ack;
        let (Ok(call_id), Some(from_tag), Some(to_tag), Ok(cseq)) =
            (message.call_id(), message.from_tag(), message.to_tag(), message.cseq())
        else {
            return;
        };
        let routed = routed_session(message).filter(|session| session.shard.0 < self.shards);
        let session = routed.or_else(|| {
            let call = self.hash_call(call_id);
            self.connections.get(conn)?.session_of_call(call)
        });
        let Some(session) = session else {
            if !is_ack {
                self.reject(conn, message, Reject::UnknownDialog);
            }
            return;
        };
        let Some(max_forwards) = forward::hops_left(message) else {
            return self.reject(conn, message, Reject::TooManyHops);
        };
        let dialog = DialogHash::of(&self.hasher, call_id, from_tag, to_tag);
        let asserted = matches!(message.method(), Method::Message | Method::Refer);
        self.write_via(PLACEHOLDER);
        if asserted && let Some(user) = self.connections.get(conn).and_then(|c| c.user.as_ref()) {
            forward::write_asserted_identity(&mut self.lines, user.as_str());
        }
        let rewrite = Rewrite {
            top: &self.lines,
            drop: forward::STRIPPED,
            max_forwards: Some(max_forwards),
            ..Rewrite::default()
        };
        let via_at = rewrite.start_line_len(message);
        rewrite.write(message, &mut self.arena);
        let bytes = self.arena.split();
        let body_at = bytes.len() - message.body().len();
        let method = message.method();
        let frame = InDialog {
            session,
            from: conn,
            dialog,
            stamp: stamp(&self.hasher, call_id, cseq.number, cseq.method),
            method,
            cseq: cseq.number,
            bytes,
            via_at,
            body_at,
        };
        self.send_frame(session.shard, Frame::InDialog(frame));
    }
}

/// The session that the first Route names, if it is a route that we recorded.
fn routed_session(message: Message<'_>) -> Option<SessionId> {
    let route = message.list(HeaderName::Route).next()?;
    let uri = Uri::parse(NameAddr::parse(route).ok()?.uri).ok()?;
    SessionId::from_token(uri.user?.strip_prefix(b"s.")?)
}
