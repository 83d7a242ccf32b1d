//! A user's word that he has seen who added him (MS-PRES, setSubscribers), and the older forms of
//! the same news (MS-SIP): `presence.wpending` and roaming-ACL.

use crate::base::aor::Aor;
use crate::base::limits::Limits;
use crate::presence::container::{ContainerId, Member};
use crate::presence::presentity::Presentity;
use crate::wire::presence::Error;
use crate::wire::presence::set_subscribers;
use crate::wire::xml::{Document, Writer};

/// The type of the list of those who wait for the user's word.
pub const PENDING_TYPE: &str = "text/xml+msrtc.wpending";
/// The type of the list of whom the user allows and blocks.
pub const ACL_TYPE: &str = "application/vnd-microsoft-roaming-acls+xml";

/// Reads whom the user has seen.
///
/// # Errors
/// The document breaks the format.
pub fn read(body: &[u8], limits: &Limits) -> Result<Vec<(Aor, bool)>, Error> {
    let document = Document::parse(body, limits)?;
    let subscribers = set_subscribers::read(&document)?;
    let bare = |user: &str| Aor::new(user.strip_prefix("sip:").unwrap_or(user));
    Ok(subscribers.iter().map(|s| (bare(s.user), s.acknowledged)).collect())
}

/// Writes who has added the user and waits for his word.
pub fn pending(aor: &str, presentity: &Presentity) -> String {
    let mut writer = Writer::new();
    writer.start("watchers");
    writer.attribute("presentity", &format!("sip:{aor}"));
    for (user, _) in presentity.subscribers().filter(|(_, acknowledged)| !acknowledged) {
        writer.start("watcher").attribute("uri", &format!("sip:{user}")).end();
    }
    writer.finish()
}

/// Writes whom the user allows and blocks: all but the blocked.
pub fn acl(presentity: &Presentity) -> String {
    let mut writer = Writer::new();
    writer.start("ACLlist").attribute_of("deltaNum", 1);
    writer
        .start("ace")
        .attribute("type", "ALL")
        .attribute("mask", "")
        .attribute("rights", "AA")
        .end();
    for container in presentity.containers().filter(|c| c.id == ContainerId::BLOCKED) {
        for member in &container.members {
            let Member::User(user) = member else { continue };
            writer
                .start("ace")
                .attribute("type", "USER")
                .attribute("mask", &format!("sip:{user}"))
                .attribute("rights", "BD")
                .end();
        }
    }
    writer.finish()
}
