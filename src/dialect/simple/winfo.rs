//! Who watches a user, for himself: `application/watcherinfo+xml` (RFC 3857, RFC 3858).

use crate::dialect::address::uri;
use crate::presence::container::Relation;
use crate::presence::presentity::Presentity;
use crate::presence::watch::Watching;
use crate::wire::presence::watcherinfo::{self, Event, Status, Watcher};

pub use crate::wire::presence::watcherinfo::CONTENT_TYPE;

/// Those who watch the user `aor`, at most `max`; applications, which have no address, are not named. `version` rises with each document of one
/// subscription (RFC 3858 section 4.1); as each is whole, it may rise by more than one.
pub fn document(aor: &str, presentity: &Presentity, version: u64, max: usize) -> String {
    let watchers: Vec<(String, String)> = presentity
        .watches()
        .map(Watching::watch)
        .filter(|watch| !matches!(watch.relation, Relation::Application(_)))
        .take(max)
        .map(|watch| {
            let token = watch.subscription.token();
            (token.escape_ascii().to_string(), uri(watch.watcher.as_str()))
        })
        .collect();
    let watchers = watchers.iter().map(|(id, uri)| Watcher {
        id,
        uri,
        display_name: "",
        status: Status::Active,
        event: Event::Subscribe,
    });
    watcherinfo::write(&uri(aor), version, true, watchers)
}
