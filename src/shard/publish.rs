//! PUBLISH (RFC 3903): a standard client's state, under an entity tag, in the same document as all
//! else the user publishes.

use std::sync::Arc;

use super::Shard;
use super::frame::watch::Service;
use crate::base::ids::{ConnId, Slot};
use crate::base::limits::Limit;
use crate::base::time::Now;
use crate::dialect::reject::{Refusal, Reject};
use crate::dialect::simple;
use crate::metrics::names::Series;
use crate::presence::document::PublishError;
use crate::presence::publication::{Life, Operation};
use crate::wire::sip::{HeaderName, Message};

/// The state one standard endpoint has published.
#[derive(Clone, Copy, Debug)]
pub(super) struct EntityTag {
    /// The tag; a new one with each publication.
    tag: u64,
    /// The instance of its publications.
    instance: u32,
    /// When it ends, in seconds since 1970.
    until: u64,
    /// The endpoint that published it, with whose connection it ends; `None` for a publisher that
    /// is not registered, whose state lasts for its time (RFC 3903 section 4).
    endpoint: Option<ConnId>,
}

impl Shard {
    /// Takes a PUBLISH of a user whose home this is.
    pub(super) fn publish_standard(
        &mut self,
        now: Now,
        user: Slot,
        service: &Service,
        message: Message<'_>,
    ) {
        self.counters.count(Series::Publications);
        let conn = service.conn;
        match self.published_standard(now, user, conn, message) {
            Ok((tag, expires)) => {
                self.respond(conn, message, 200, |writer| {
                    writer
                        .line_fmt("SIP-ETag", format_args!("{tag:016x}"))
                        .line_fmt("Expires", format_args!("{expires}"))
                        .finish();
                });
                self.presence_changed(now, user, None);
            }
            Err(reject) => self.reject(conn, message, reject),
        }
    }

    /// Carries it out: the new tag, and the seconds granted. An endpoint has one publication: one
    /// without a tag takes the place of what it published before. A client that publishes twice
    /// before it knows the tag of the first would leave that behind otherwise.
    fn published_standard(
        &mut self,
        now: Now,
        user: Slot,
        conn: ConnId,
        message: Message<'_>,
    ) -> Result<(u64, u32), Reject> {
        let event = message.header(HeaderName::Event).unwrap_or_default();
        if !event.eq_ignore_ascii_case(b"presence") {
            return Err(Reject::BadEvent);
        }
        let max = self.settings.limits.publication_time_max;
        let expires = self.time_granted(message, max, max)?;
        let seconds = now.unix_ms / 1000;
        let fresh = (self.seed.next_u64(), self.seed.next_u64() as u32);
        let settings = Arc::clone(&self.settings);
        let limits = &settings.limits;
        self.presentity(now, user).ok_or(Reject::UnknownUser)?;
        let entry = self.users.get_mut(user).ok_or(Reject::UnknownUser)?;
        let presence = entry.presence.as_mut().ok_or(Reject::UnknownUser)?;
        presence.tags.retain(|known| known.until > seconds);
        let until = seconds.saturating_add(u64::from(expires));
        let place = match message.header(HeaderName::SipIfMatch) {
            None if message.body().is_empty() => return Err(Reject::BadBody),
            None => presence.tags.iter().position(|known| known.endpoint == Some(conn)),
            Some(text) => {
                let tag = std::str::from_utf8(text).ok();
                let tag = tag.and_then(|text| u64::from_str_radix(text, 16).ok());
                let known = presence.tags.iter().position(|known| Some(known.tag) == tag);
                Some(known.ok_or(Reject::UnknownEntityTag)?)
            }
        };
        if place.is_none() && presence.tags.len() >= limits.entity_tags_per_user_max {
            self.counters.hit(Limit::EntityTags);
            return Err(Reject::TooMuchPresence);
        }
        let known = place.and_then(|place| presence.tags.get(place)).copied();
        let endpoint = presence.presentity.endpoints().contains(&conn).then_some(conn);
        let instance = known.map_or(fresh.1, |known| known.instance);
        let tag = EntityTag { tag: fresh.0, instance, until, endpoint };
        let mut operations = match message.body() {
            [] if known.is_some() => Vec::new(),
            body if message.is_media_type(simple::publish::CONTENT_TYPE) => {
                match simple::publish::read(body, tag.instance, until, limits) {
                    Ok(operations) => operations,
                    Err(error) => return Err(self.unreadable(error)),
                }
            }
            _ => return Err(Reject::UnsupportedMedia),
        };
        let refreshed = operations.is_empty() && expires > 0;
        for publication in presence.presentity.publications() {
            let of_tag = publication.key.instance == tag.instance
                && matches!(publication.life, Life::Until(_));
            let replaced = operations.iter().any(|operation| operation.key == publication.key);
            if of_tag && !replaced {
                let payload = refreshed.then(|| publication.payload.clone());
                let (key, life) = (publication.key.clone(), Life::Until(until));
                operations.push(Operation { key, version: None, life, payload });
            }
        }
        if expires == 0 {
            operations.iter_mut().for_each(|operation| operation.payload = None);
        }
        if let Err(error) = presence.presentity.publish(now, operations, limits) {
            let reject = match error {
                PublishError::Stale(_) => Reject::UnknownEntityTag,
                PublishError::TooMany | PublishError::TooLarge => Reject::TooMuchPresence,
            };
            return Err(self.counted(Refusal { reject, limit: error.limit() }));
        }
        if let Some(place) = place {
            presence.tags.swap_remove(place);
        }
        if expires > 0 {
            presence.tags.push(tag);
        }
        Ok((tag.tag, expires))
    }

    /// Connections of a user are gone: what their standard endpoints have published goes too.
    pub(super) fn drop_published(&mut self, now: Now, user: Slot, gone: &[ConnId]) {
        let limits = &self.settings.limits;
        let Some(entry) = self.users.get_mut(user) else { return };
        let Some(presence) = entry.presence.as_mut() else { return };
        let is_gone = |tag: &EntityTag| tag.endpoint.is_some_and(|conn| gone.contains(&conn));
        let over: Vec<u32> =
            presence.tags.iter().filter(|tag| is_gone(tag)).map(|tag| tag.instance).collect();
        if over.is_empty() {
            return;
        }
        presence.tags.retain(|tag| !is_gone(tag));
        let publications = presence.presentity.publications();
        let of_gone = publications.filter(|publication| {
            matches!(publication.life, Life::Until(_)) && over.contains(&publication.key.instance)
        });
        let deletions = of_gone
            .map(|publication| Operation {
                key: publication.key.clone(),
                version: None,
                life: publication.life,
                payload: None,
            })
            .collect();
        // Deletions without a version are never refused.
        let _ = presence.presentity.publish(now, deletions, limits);
    }
}
