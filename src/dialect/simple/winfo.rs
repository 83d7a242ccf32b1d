//! Who watches a user, as he may see it himself (RFC 3857, RFC 3858).

use crate::presence::presentity::Presentity;
pub use crate::wire::presence::watcherinfo::MEDIA_TYPE as CONTENT_TYPE;
use crate::wire::presence::watcherinfo::{self, Event, Status, Watcher};

/// Writes all watchers of a user.
pub fn document(aor: &str, presentity: &Presentity) -> String {
    let known: Vec<(String, String)> = presentity
        .watches()
        .map(|watching| {
            let id = watching.subscription().token();
            (String::from_utf8_lossy(&id).into_owned(), format!("sip:{}", watching.watcher()))
        })
        .collect();
    let watchers = known.iter().map(|(id, uri)| Watcher {
        id,
        uri,
        display_name: "",
        status: Status::Active,
        event: Event::Subscribe,
    });
    watcherinfo::write(&format!("sip:{aor}"), 0, true, watchers)
}
