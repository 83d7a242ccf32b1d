//! The first look at a request: what may pass, and to which file it goes.

use super::Shard;
use super::answer::ALLOW;
use super::forward;
use crate::base::aor::Aor;
use crate::base::ids::ConnId;
use crate::base::time::Now;
use crate::dialect::reject::Reject;
use crate::metrics::counters::CloseReason;
use crate::wire::sip::{Error, HeaderName, Message, Method, StreamError, Uri, Via};

impl Shard {
    /// Takes a whole, well-formed request as it came.
    pub(super) fn request_received(&mut self, now: Now, conn: ConnId, message: Message<'_>) {
        if let Some(count) = self.counters.requests.get_mut(message.method() as usize) {
            *count += 1;
        }
        self.request(now, conn, message);
    }

    /// Takes a request: when it comes, or once its sender has proven who he is.
    pub(super) fn request(&mut self, now: Now, conn: ConnId, message: Message<'_>) {
        let method = message.method();
        let Some(connection) = self.connections.get(conn) else { return };
        if message.via_count() > 1 && self.passed_here_before(message) {
            return self.reject(conn, message, Reject::Loop);
        }
        match method {
            Method::Register => return self.register(now, conn, message),
            Method::Options if message.to_tag().is_none() => return self.options(conn, message),
            _ => {}
        }
        let Some(user) = connection.user.as_ref() else {
            return self.authenticate(now, conn, message);
        };
        let from_user = message
            .from()
            .ok()
            .and_then(|from| Uri::parse(from.uri).ok())
            .is_some_and(|from| from.is_aor(user.as_str()));
        if !from_user {
            return self.reject(conn, message, Reject::NotYourIdentity);
        }
        let is_new = method == Method::Invite && message.to_tag().is_none();
        let ends_with_us = matches!(method, Method::Invite | Method::Message);
        if self.leaving.is_some() && is_new || self.draining && ends_with_us {
            return self.reject(conn, message, Reject::GoingDown);
        }
        if !self.is_filtered(now, conn, message) {
            self.dispatch(now, conn, message);
        }
    }

    /// Takes a request that its sender may send.
    pub(super) fn dispatch(&mut self, now: Now, conn: ConnId, message: Message<'_>) {
        match message.method() {
            Method::Ack if self.acknowledged(now, conn, message) => {}
            Method::Cancel => self.cancel(now, conn, message),
            Method::Subscribe => self.subscribe(now, conn, message),
            _ if message.to_tag().is_some() => match self.leg_of(conn, message) {
                Some(leg) => self.leg_request(conn, leg, message),
                None => self.in_dialog(conn, message),
            },
            Method::Invite => self.invite(now, conn, message),
            Method::Message => self.pager_received(conn, message),
            Method::Ack => {}
            Method::Publish => self.send_home(conn, message),
            Method::Service => self.service_received(now, conn, message),
            Method::Refer => self.refer_received(conn, message),
            Method::Bye | Method::Info | Method::Notify => {
                self.reject(conn, message, Reject::UnknownDialog);
            }
            Method::Benotify | Method::Negotiate | Method::Other => {
                self.reject(conn, message, Reject::UnknownMethod);
            }
            Method::Register | Method::Options => {}
        }
    }

    /// Takes a message that breaks a rule but whose end is known: the stream goes on.
    pub(super) fn malformed(&mut self, conn: ConnId, message: Message<'_>, error: Error) {
        if message.is_request() {
            let source = self.settings.name.clone();
            self.respond(conn, message, error.status(), |writer| {
                writer
                    .line_fmt("Warning", format_args!("399 {source} \"{}\"", error.reason()))
                    .finish();
            });
        }
    }

    /// Takes the news that a connection's framing is lost: one answer, if there is a request to
    /// answer, and the end.
    pub(super) fn broken(
        &mut self,
        now: Now,
        conn: ConnId,
        message: Message<'_>,
        error: StreamError,
    ) {
        if message.is_request() && message.top_via().is_ok() {
            let source = self.settings.name.clone();
            self.respond(conn, message, error.status(), |writer| {
                writer
                    .line_fmt("Warning", format_args!("399 {source} \"{}\"", error.reason()))
                    .finish();
            });
        }
        self.close(now, conn, CloseReason::Framing);
    }

    /// Answers OPTIONS: what the server can do (RFC 3261 section 11.2). Needs no sign-in, so that
    /// a probe can tell whether the server lives.
    pub(super) fn options(&mut self, conn: ConnId, message: Message<'_>) {
        if self.refuses_work() {
            return self.reject(conn, message, Reject::GoingDown);
        }
        self.respond(conn, message, 200, |writer| {
            writer
                .line("Allow", ALLOW)
                .line("Accept", "application/sdp, text/plain")
                .line("Supported", "gruu, path")
                .finish();
        });
    }

    /// True if a Via below the top one is ours (RFC 3261 section 16.3): clients are the first hop.
    fn passed_here_before(&self, message: Message<'_>) -> bool {
        message.list(HeaderName::Via).any(|via| {
            Via::parse(via).is_ok_and(|via| {
                via.sent_by == self.sent_by.as_bytes()
                    && via.branch().and_then(forward::relay_of_branch).is_some()
            })
        })
    }

    /// True if the request asks of us what we cannot do (RFC 3261 section 16.3 step 5).
    pub(super) fn requires_more(&self, message: Message<'_>) -> bool {
        message.header(HeaderName::ProxyRequire).is_some()
    }

    /// True if the user is of a domain served here.
    pub(super) fn serves(&self, aor: &Aor) -> bool {
        self.settings.domains.iter().any(|domain| domain == aor.domain())
    }

    /// The user part and domain of a Request-URI that names somebody here.
    pub(super) fn local_user(&self, uri: &[u8]) -> Result<Aor, Reject> {
        let aor = Uri::parse(uri).ok().and_then(|uri| uri.aor()).ok_or(Reject::UnknownUser)?;
        let aor = Aor::new(&aor);
        if self.serves(&aor) { Ok(aor) } else { Err(Reject::UnknownDomain) }
    }
}
