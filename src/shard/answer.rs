//! Answers of our own: to a request on a connection, or to one that was forwarded already.

use bytes::Bytes;

use super::Shard;
use super::dispatch_subscribe::PACKAGES;
use super::frame::Cargo;
use super::refusals::Cause;
use super::relay::Purpose;
use crate::base::ids::{ConnId, Dialect, Slot};
use crate::base::time::Now;
use crate::dialect::reject::Reject;
use crate::dialect::{ms, simple};
use crate::sip::fork;
use crate::sip::subscription::Content;
use crate::wire::sip::write::{Writer, response};
use crate::wire::sip::{HeaderName, HeaderSet, Message, Method, Rewrite};

/// Methods named in Allow.
pub(super) const ALLOW: &str = "ACK, BYE, CANCEL, INFO, INVITE, MESSAGE, OPTIONS, PUBLISH, REFER, REGISTER, SERVICE, SUBSCRIBE";

impl Shard {
    /// Answers with `status`; `fill` adds lines and ends the message.
    pub(super) fn respond(
        &mut self,
        conn: ConnId,
        request: Message<'_>,
        status: u16,
        fill: impl FnOnce(Writer<'_>),
    ) {
        if request.method() == Method::Ack {
            return;
        }
        let bytes = self.response_bytes(conn, request, status, fill);
        self.counters.answered(request.method() as usize, status);
        self.deliver(conn, bytes, Cargo::Plain);
    }

    /// Refuses a request.
    pub(super) fn reject(&mut self, conn: ConnId, request: Message<'_>, reject: Reject) {
        self.reject_saying(conn, request, reject, reject.reason());
    }

    /// Refuses a request for a reason more precise than that of the refusal.
    pub(super) fn reject_saying(
        &mut self,
        conn: ConnId,
        request: Message<'_>,
        reject: Reject,
        reason: &str,
    ) {
        if request.method() == Method::Ack {
            return;
        }
        self.note_refusal(conn, request, Cause::Reject(reject));
        let bytes = self.refusal_bytes_saying(conn, request, reject, reason);
        self.counters.answered(request.method() as usize, reject.status());
        self.deliver(conn, bytes, Cargo::Plain);
    }

    /// The octets of a refusal.
    pub(super) fn refusal_bytes(
        &mut self,
        conn: ConnId,
        request: Message<'_>,
        reject: Reject,
    ) -> Bytes {
        self.note_refusal(conn, request, Cause::Reject(reject));
        self.refusal_bytes_saying(conn, request, reject, reject.reason())
    }

    /// Refuses a request with a body of its own, in which the client reads why.
    pub(super) fn reject_with(
        &mut self,
        conn: ConnId,
        request: Message<'_>,
        reject: Reject,
        content: &Content,
    ) {
        self.note_refusal(conn, request, Cause::Reject(reject));
        let retry = self.retry_after();
        let reason = reject.reason();
        let bytes = self.refusal_bytes_with(conn, request, reject, reason, Some(content), retry);
        self.counters.answered(request.method() as usize, reject.status());
        self.deliver(conn, bytes, Cargo::Plain);
    }

    /// Refuses a request that may come again after `retry_s` seconds.
    pub(super) fn reject_until(
        &mut self,
        conn: ConnId,
        request: Message<'_>,
        reject: Reject,
        retry_s: u64,
    ) {
        self.note_refusal(conn, request, Cause::Reject(reject));
        let reason = reject.reason();
        let bytes = self.refusal_bytes_with(conn, request, reject, reason, None, retry_s);
        self.counters.answered(request.method() as usize, reject.status());
        self.deliver(conn, bytes, Cargo::Plain);
    }

    fn refusal_bytes_saying(
        &mut self,
        conn: ConnId,
        request: Message<'_>,
        reject: Reject,
        reason: &str,
    ) -> Bytes {
        let retry = self.retry_after();
        self.refusal_bytes_with(conn, request, reject, reason, None, retry)
    }

    fn refusal_bytes_with(
        &mut self,
        conn: ConnId,
        request: Message<'_>,
        reject: Reject,
        reason: &str,
        content: Option<&Content>,
        retry: u64,
    ) -> Bytes {
        let source = self.settings.name.clone();
        let dialect = self.connections.get(conn).map(|connection| connection.dialect);
        let min_expires = self.settings.limits.registration_time_min.as_secs();
        let min_subscription = self.settings.limits.subscription_time_min.as_secs();
        self.response_bytes(conn, request, reject.status(), |writer| {
            // What a connection of another core speaks is not known here: it gets both.
            let writer = match dialect {
                Some(Dialect::Simple) => writer,
                Some(Dialect::Ms) | None => ms::diagnostics(writer, reject, reason, &source),
            };
            let writer = match dialect {
                _ if reject.is_content_policy() => simple::content_warning(writer, reason, &source),
                Some(Dialect::Ms) => writer,
                Some(Dialect::Simple) | None => simple::warning(writer, reason, &source),
            };
            let writer = match reject {
                Reject::MethodNotAllowed | Reject::UnknownMethod => writer.line("Allow", ALLOW),
                Reject::UnsupportedMedia => writer.line("Accept", "application/sdp, text/plain"),
                // RFC 6665 section 8.2.2.
                Reject::BadEvent => writer.line("Allow-Events", PACKAGES),
                Reject::BadExtension => writer.line(
                    "Unsupported",
                    request
                        .header(HeaderName::ProxyRequire)
                        .or(request.header(HeaderName::Require))
                        .unwrap_or_default(),
                ),
                Reject::SubscriptionTooBrief => {
                    writer.line_fmt("Min-Expires", format_args!("{min_subscription}"))
                }
                Reject::IntervalTooBrief => {
                    writer.line_fmt("Min-Expires", format_args!("{min_expires}"))
                }
                Reject::Overloaded
                | Reject::GoingDown
                | Reject::StoreBusy
                | Reject::TooManyRequests
                | Reject::TooManySignIns => writer.line_fmt("Retry-After", format_args!("{retry}")),
                _ => writer,
            };
            match content {
                Some(content) => writer.body(&content.media_type, &content.body),
                None => writer.finish(),
            }
        })
    }

    /// Refuses a request that was forwarded already: `forwarded` has our Via on top.
    pub(super) fn reject_forwarded(&mut self, conn: ConnId, forwarded: &Bytes, reject: Reject) {
        self.with_origin_of(conn, forwarded, |shard, conn, request| {
            shard.reject(conn, request, reject);
        });
    }

    /// Answers a request that was forwarded already.
    pub(super) fn answer_forwarded(&mut self, conn: ConnId, forwarded: &Bytes, status: u16) {
        self.with_origin_of(conn, forwarded, |shard, conn, request| {
            shard.respond(conn, request, status, |writer| writer.finish());
        });
    }

    /// Gives up on a request in flight: whoever sent it is told `reject`.
    pub(super) fn fail_relay(&mut self, now: Now, slot: Slot, reject: Reject) {
        let Some(relay) = self.relays.get(slot) else { return };
        match relay.purpose.clone() {
            Purpose::InDialog { session, side, from, method, cseq } => {
                let Some(relay) = self.relays.remove(slot) else { return };
                self.reject_forwarded(from, &relay.request, reject);
                self.settle(now, session, slot, side, cseq, method, reject.status());
            }
            Purpose::Invite { invitation, branch } => {
                self.relays.remove(slot);
                let lost = fork::Input::Lost { branch: usize::from(branch) };
                self.drive(now, invitation, lost, None);
            }
            Purpose::Pager { fork, branch } => {
                self.relays.remove(slot);
                let input = match reject {
                    Reject::NoAnswer => fork::Input::Deadline,
                    _ => fork::Input::Lost { branch: usize::from(branch) },
                };
                self.drive_pager(now, fork, slot, input, None);
            }
            Purpose::ToPager { .. } => self.text_out_answered(now, slot, reject.status()),
            Purpose::Bridged { session, side, origin, pager } => {
                self.relays.remove(slot);
                self.bridged_answered(now, slot, session, side, origin, pager, reject.status());
            }
            Purpose::Notification { subscription } => {
                self.relays.remove(slot);
                self.notification_answered(now, subscription, None);
            }
            Purpose::Carried { leg, number } => {
                self.relays.remove(slot);
                self.carried(leg, slot, number, None);
            }
            Purpose::Paged { conference, member, number } => {
                self.relays.remove(slot);
                self.paged(now, conference, member, number, reject.status());
            }
            Purpose::Own => {
                self.relays.remove(slot);
            }
        }
    }

    /// The octets of an answer to `request`.
    pub(super) fn response_bytes(
        &mut self,
        conn: ConnId,
        request: Message<'_>,
        status: u16,
        fill: impl FnOnce(Writer<'_>),
    ) -> Bytes {
        let tag = self.seed.token();
        // A 100 makes no dialog (RFC 3261 section 8.2.6.2).
        let tag = (status > 100).then_some(tag.as_slice());
        self.response_bytes_tagged(conn, request, status, tag, fill)
    }

    /// The octets of an answer that makes a dialog: `tag` is our end of it.
    pub(super) fn response_bytes_tagged(
        &mut self,
        conn: ConnId,
        request: Message<'_>,
        status: u16,
        tag: Option<&[u8]>,
        fill: impl FnOnce(Writer<'_>),
    ) -> Bytes {
        let received = self.connections.get(conn).map(|connection| connection.peer);
        self.arena.reserve(request.head().len() + 1024);
        fill(response(&mut self.arena, request, status, tag, received));
        self.arena.split().freeze()
    }

    /// Calls `then` with the request as it came to us, before our Via was put on top. Answers go
    /// to the connection, which may be another core's.
    fn with_origin_of(
        &mut self,
        conn: ConnId,
        forwarded: &Bytes,
        then: impl FnOnce(&mut Self, ConnId, Message<'_>),
    ) {
        self.with_message(forwarded, |shard, message| {
            let rewrite =
                Rewrite { drop_first_via: true, drop: HeaderSet::EMPTY, ..Rewrite::default() };
            shard.arena.reserve(message.bytes().len());
            rewrite.write(message, &mut shard.arena);
            let original = shard.arena.split().freeze();
            shard.with_message(&original, |shard, request| then(shard, conn, request));
        });
    }

    /// Seconds after which a refused client may come again: when the server has left, if it leaves,
    /// and spread, so that they do not all come at once.
    fn retry_after(&mut self) -> u64 {
        self.leaving_s() + 5 + self.seed.below(25)
    }
}
