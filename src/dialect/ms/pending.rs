//! Who has added the user and waits for his word (MS-SIP section 2.2.4, `presence.wpending`).

use crate::dialect::address::uri;
use crate::presence::presentity::Presentity;
use crate::wire::xml::Writer;

/// The content type.
pub const CONTENT_TYPE: &str = "text/xml+msrtc.wpending";

/// Those who added the user and of whom he has not seen it. Their names are not known here; the
/// addresses stand for them.
pub fn document(presentity: &Presentity) -> String {
    let mut writer = Writer::new();
    writer.start("watchers");
    for (user, _) in presentity.subscribers().filter(|(_, acknowledged)| !acknowledged) {
        writer
            .start("watcher")
            .attribute("uri", &uri(user.as_str()))
            .attribute("displayName", user.as_str())
            .end();
    }
    writer.finish()
}
