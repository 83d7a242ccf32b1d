//! SERVICE and PUBLISH: what a user says about himself, carried out at his home.

use std::sync::Arc;

use bytes::Bytes;

use super::Shard;
use super::durable::Rows;
use super::edit::Change;
use super::frame::Frame;
use super::frame::watch::Service;
use crate::base::aor::Aor;
use crate::base::ids::{ConnId, Slot};
use crate::base::limits::Limit;
use crate::base::time::Now;
use crate::contacts::{self, Bounds, Delta, EditError};
use crate::dialect::ms;
use crate::dialect::ms::roaming_self::Parts;
use crate::dialect::reject::{Refusal, Reject};
use crate::metrics::names::Series;
use crate::presence::category::Category;
use crate::presence::document::{PublishError, Stale};
use crate::presence::membership::MembersError;
use crate::presence::presentity::Published;
use crate::presence::publication::Life;
use crate::presence::row::Row;
use crate::sip::subscription::Content;
use crate::wire::presence::Error;
use crate::wire::sip::{HeaderName, Message, Method, Uri};

/// What a SERVICE asks for, by the type of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Publish,
    SetMembers,
    SetSubscribers,
    Soap,
}

impl Wish {
    fn of(message: Message<'_>) -> Option<Wish> {
        [
            (ms::publish::CONTENT_TYPE, Wish::Publish),
            (ms::members::CONTENT_TYPE, Wish::SetMembers),
            (ms::subscribers::CONTENT_TYPE, Wish::SetSubscribers),
            (ms::soap::CONTENT_TYPE, Wish::Soap),
        ]
        .into_iter()
        .find_map(|(media_type, wish)| message.is_media_type(media_type).then_some(wish))
    }
}

/// True for a PUBLISH that keeps a publication as it is, or takes it back (RFC 3903 section 4).
fn is_upkeep(message: Message<'_>) -> bool {
    let known = message.header(HeaderName::SipIfMatch).is_some();
    let ends = message.expires() == Ok(Some(0));
    message.method() == Method::Publish && known && (ends || message.body().is_empty())
}

impl Shard {
    /// Takes a SERVICE from the user signed in on `conn`.
    pub(super) fn service_received(&mut self, now: Now, conn: ConnId, message: Message<'_>) {
        if message.is_media_type(ms::conference::request::CONTENT_TYPE) {
            return self.operation_received(conn, message);
        }
        let Some(wish) = Wish::of(message) else {
            return self.reject(conn, message, Reject::UnsupportedMedia);
        };
        let to_domain = Uri::parse(message.uri()).is_ok_and(|uri| uri.user.is_none());
        if wish == Wish::Soap && to_domain {
            return self.search_received(now, conn, message);
        }
        self.send_home(conn, message);
    }

    /// Sends a request about the user signed in on `conn` to his home.
    pub(super) fn send_home(&mut self, conn: ConnId, message: Message<'_>) {
        let user = self.connections.get(conn).and_then(|connection| connection.user.clone());
        let Some(aor) = user else { return };
        match self.local_user(message.uri()) {
            Ok(target) if target == aor => {}
            Ok(_) => return self.reject(conn, message, Reject::NotYours),
            Err(reject) => return self.reject(conn, message, reject),
        }
        if self.draining || self.leaving.is_some() && !is_upkeep(message) {
            return self.reject(conn, message, Reject::GoingDown);
        }
        let request = self.keep(message);
        let home = aor.home(self.shards);
        self.send_frame(home, Frame::Service(Box::new(Service { aor, conn, request })));
    }

    /// Carries out what a user whose home this is asks for.
    pub(super) fn serve(&mut self, now: Now, service: Service) {
        let Some(user) = self.users.slot(&service.aor) else {
            return self.refuse_service(&service, Reject::UnknownUser);
        };
        let request = service.request.clone();
        self.with_message(&request, |shard, message| match Wish::of(message) {
            _ if message.method() == Method::Publish => {
                shard.publish_standard(now, user, &service, message);
            }
            Some(Wish::Publish) => shard.publish(now, user, service, message.body()),
            _ => shard.edit(now, user, service),
        });
    }

    /// Takes publications in the Lync client's form.
    fn publish(&mut self, now: Now, user: Slot, service: Service, body: &[u8]) {
        self.counters.count(Series::Publications);
        let settings = Arc::clone(&self.settings);
        let limits = &settings.limits;
        let operations = match ms::publish::read(body, &service.aor, service.conn, now, limits) {
            Ok(operations) => operations,
            Err(error) => return self.refuse_body(&service, error),
        };
        let Some(entry) = self.users.get(user) else { return };
        let is_kept = operations.iter().any(|operation| operation.life == Life::Static);
        if is_kept && entry.writes >= limits.edits_waiting_per_user_max {
            self.counters.hit(Limit::EditsWaiting);
            return self.refuse_service(&service, Reject::TooManyRequests);
        }
        let Some(presentity) = self.presentity(now, user) else { return };
        match presentity.publish(now, operations, limits) {
            Ok(Published { touched, rows }) => {
                let conn = service.conn;
                if rows.is_empty() {
                    self.answer_publisher(now, user, &service, &touched);
                } else {
                    let change = Change::Published(touched);
                    self.write(now, user, Some(service), Rows::Presence(rows), change);
                }
                self.presence_changed(now, user, Some(conn));
            }
            Err(PublishError::Stale(stale)) => {
                self.counters.count(Series::PublicationConflicts);
                let fault = content(ms::fault::CONTENT_TYPE, ms::fault::wrong_versions(&stale));
                self.conflict(user, service, fault);
            }
            Err(error @ (PublishError::TooMany | PublishError::TooLarge)) => {
                let refusal = Refusal { reject: Reject::TooMuchPresence, limit: error.limit() };
                let reject = self.counted(refusal);
                self.refuse_service(&service, reject);
            }
        }
    }

    /// Answers who published with all there is now of the categories it was about: he may have
    /// been told of later changes while the store was writing.
    pub(super) fn answer_publisher(
        &mut self,
        now: Now,
        user: Slot,
        service: &Service,
        categories: &[Category],
    ) {
        let Some(presentity) = self.presentity(now, user) else { return };
        let parts = Parts::categories(categories);
        let body = ms::roaming_self::document(now, service.aor.as_str(), presentity, parts);
        self.answer_service(service, Some(&content(ms::roaming_self::CONTENT_TYPE, body)));
    }

    /// Begins a change of durable data that is not a publication.
    pub(super) fn begin_edit(&mut self, now: Now, user: Slot, service: Service) {
        let request = service.request.clone();
        self.with_message(&request, |shard, message| match Wish::of(message) {
            Some(Wish::SetMembers) => shard.set_members(now, user, service, message.body()),
            Some(Wish::SetSubscribers) => shard.acknowledge(now, user, service, message.body()),
            Some(Wish::Soap) => shard.edit_contacts(now, user, service, message.body()),
            Some(Wish::Publish) | None => {
                shard.refuse_service(&service, Reject::UnsupportedMedia);
            }
        });
    }

    fn set_members(&mut self, now: Now, user: Slot, service: Service, body: &[u8]) {
        let settings = Arc::clone(&self.settings);
        let changes = match ms::members::read(body, &settings.limits) {
            Ok(changes) => changes,
            Err(error) => return self.refuse_body(&service, error),
        };
        let Some(presentity) = self.presentity(now, user) else { return };
        match presentity.plan_members(&changes, &settings.limits) {
            Ok(rows) => self.write_rows(now, user, service, rows),
            Err(MembersError::Stale { index, version, current }) => {
                let stale = Stale { index, version, current };
                let fault = content(ms::fault::CONTENT_TYPE, ms::fault::wrong_versions(&[stale]));
                self.answer_service_with(&service, 409, Some(&fault));
            }
            Err(MembersError::TooMany) => {
                self.counters.hit(Limit::Members);
                self.refuse_service(&service, Reject::TooManyMembers);
            }
            Err(MembersError::Unknown(_)) => {
                self.refuse_service(&service, Reject::UnknownContainer);
            }
        }
    }

    fn acknowledge(&mut self, now: Now, user: Slot, service: Service, body: &[u8]) {
        let settings = Arc::clone(&self.settings);
        let acknowledged = match ms::subscribers::read(body, &settings.limits) {
            Ok(acknowledged) => acknowledged,
            Err(error) => return self.refuse_body(&service, error),
        };
        let Some(presentity) = self.presentity(now, user) else { return };
        let rows = presentity.plan_acknowledge(&acknowledged);
        self.write_rows(now, user, service, rows);
    }

    fn write_rows(&mut self, now: Now, user: Slot, service: Service, rows: Vec<Row>) {
        if rows.is_empty() {
            return self.answer_service(&service, None);
        }
        let change = Change::Presence(rows.clone());
        self.write(now, user, Some(service), Rows::Presence(rows), change);
    }

    fn edit_contacts(&mut self, now: Now, user: Slot, service: Service, body: &[u8]) {
        let settings = Arc::clone(&self.settings);
        let edit = match ms::soap::read(body, &settings.limits) {
            Ok(ms::soap::Command::Edit(edit)) => edit,
            Ok(ms::soap::Command::Search(_)) => {
                return self.refuse_service(&service, Reject::UnknownSoapMethod);
            }
            Err(refusal) => {
                let reject = self.counted(refusal);
                return self.refuse_service(&service, reject);
            }
        };
        let Some(entry) = self.users.get(user) else { return };
        let policy = settings.policies.of(&entry.user.policy);
        let bounds = Bounds {
            contacts_max: policy.contacts_max.min(settings.limits.contacts_per_user_max),
            groups_max: policy.contact_groups_max.min(settings.limits.contact_groups_per_user_max),
            ..Bounds::new(&settings.limits)
        };
        let mut list = entry.contacts.clone();
        match list.apply(edit, &bounds) {
            Ok(delta) => {
                let answer = content(ms::soap::CONTENT_TYPE, ms::contacts::answer(&delta));
                let rows = Rows::Contacts(delta.rows());
                let change = Change::Contacts(Box::new(list), Box::new(delta), answer);
                self.write(now, user, Some(service), rows, change);
            }
            Err(error) => self.refuse_contacts_edit(&service, error),
        }
    }

    fn refuse_contacts_edit(&mut self, service: &Service, error: EditError) {
        let refusal = Refusal { reject: ms::contacts::reject(error), limit: error.limit() };
        let reject = self.counted(refusal);
        self.refuse_service(service, reject);
    }

    /// Whom a user has in his list has changed: in privacy mode that decides what they see.
    pub(super) fn contacts_changed(&mut self, now: Now, user: Slot, delta: &Delta) {
        let Some(entry) = self.users.get_mut(user) else { return };
        let Some(presence) = entry.presence.as_mut() else { return };
        for change in &delta.changes {
            match change {
                contacts::Change::ContactAdded(contact) => {
                    presence.presentity.contact_changed(&contact.address, true);
                }
                contacts::Change::ContactDeleted(aor) => {
                    presence.presentity.contact_changed(aor, false);
                }
                _ => {}
            }
        }
        self.presence_changed(now, user, None);
    }

    /// True if the user has `other` in his list.
    pub(super) fn is_contact(&self, user: Slot, other: &Aor) -> bool {
        self.users.get(user).is_some_and(|entry| entry.contacts.contains(other.as_str()))
    }

    /// Answers a request of a user about himself.
    pub(super) fn answer_service(&mut self, service: &Service, content: Option<&Content>) {
        self.answer_service_with(service, 200, content);
    }

    /// Answers with any status.
    pub(super) fn answer_service_with(
        &mut self,
        service: &Service,
        status: u16,
        content: Option<&Content>,
    ) {
        let (conn, request): (ConnId, Bytes) = (service.conn, service.request.clone());
        self.with_message(&request, |shard, message| {
            shard.respond(conn, message, status, |writer| match content {
                Some(content) => writer.body(&content.media_type, &content.body),
                None => writer.finish(),
            });
        });
    }

    /// Refuses a request of a user about himself.
    pub(super) fn refuse_service(&mut self, service: &Service, reject: Reject) {
        let (conn, request) = (service.conn, service.request.clone());
        self.with_message(&request, |shard, message| shard.reject(conn, message, reject));
    }

    /// Refuses a body that breaks a rule, and says which.
    fn refuse_body(&mut self, service: &Service, error: Error) {
        let (conn, request) = (service.conn, service.request.clone());
        let reject = self.unreadable(error);
        self.with_message(&request, |shard, message| {
            shard.reject_saying(conn, message, reject, error.reason());
        });
    }

    /// The refusal of a body that breaks a rule; the bound that it hit, if it was one, is counted.
    pub(super) fn unreadable(&mut self, error: Error) -> Reject {
        self.counted(Refusal { reject: Reject::BadBody, limit: error.limit() })
    }

    /// Counts the bound a refusal is for.
    pub(super) fn counted(&mut self, refusal: Refusal) -> Reject {
        refusal.limit.into_iter().for_each(|limit| self.counters.hit(limit));
        refusal.reject
    }
}

/// Content of a fixed type.
pub(super) fn content(media_type: &'static str, body: String) -> Content {
    Content { media_type: media_type.into(), body: body.into() }
}
