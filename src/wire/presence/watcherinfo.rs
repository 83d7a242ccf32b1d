//! Who watches a user (RFC 3858), `application/watcherinfo+xml`.

use crate::wire::xml::Writer;

/// The content type.
pub const CONTENT_TYPE: &str = "application/watcherinfo+xml";

const NAMESPACE: &str = "urn:ietf:params:xml:ns:watcherinfo";

/// A subscription to the user's presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watcher<'a> {
    /// Tells the subscriptions apart, of one watcher too.
    pub id: &'a str,
    /// Whose, as a URI.
    pub uri: &'a str,
    /// His name; empty when it is not known.
    pub display_name: &'a str,
    /// What it is.
    pub status: Status,
    /// What led to that.
    pub event: Event,
}

/// What a subscription is (RFC 3857 section 4.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// It holds.
    Active,
    /// It waits for the user's consent.
    Pending,
    /// It is over.
    Terminated,
    /// It is over before the user has decided.
    Waiting,
}

/// What led to the status of a subscription (RFC 3857 section 4.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The user consented.
    Approved,
    /// The server ended it; the watcher may come again.
    Deactivated,
    /// The user decided against it.
    Rejected,
    /// The watcher subscribed.
    Subscribe,
    /// Its time was over.
    Timeout,
}

/// The document. `version` rises with each notification of one subscription, from 0; `full` says
/// that all watchers of `resource` are there and not only those that changed.
pub fn write<'a>(
    resource: &str,
    version: u64,
    full: bool,
    watchers: impl IntoIterator<Item = Watcher<'a>>,
) -> String {
    let mut writer = Writer::new();
    writer
        .start("watcherinfo")
        .attribute("xmlns", NAMESPACE)
        .attribute_of("version", version)
        .attribute("state", if full { "full" } else { "partial" })
        .start("watcher-list")
        .attribute("resource", resource)
        .attribute("package", "presence");
    for watcher in watchers {
        writer
            .start("watcher")
            .attribute("id", watcher.id)
            .attribute("status", watcher.status.name())
            .attribute("event", watcher.event.name());
        if !watcher.display_name.is_empty() {
            writer.attribute("display-name", watcher.display_name);
        }
        writer.text(watcher.uri).end();
    }
    writer.finish()
}

impl Status {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Active => "active",
            Status::Pending => "pending",
            Status::Terminated => "terminated",
            Status::Waiting => "waiting",
        }
    }
}

impl Event {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Event::Approved => "approved",
            Event::Deactivated => "deactivated",
            Event::Rejected => "rejected",
            Event::Subscribe => "subscribe",
            Event::Timeout => "timeout",
        }
    }
}
