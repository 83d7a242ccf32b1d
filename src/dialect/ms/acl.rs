//! Whom a user allows to see him, for clients of before containers (MS-SIP section 2.2.3,
//! `vnd-microsoft-roaming-ACL`).

use crate::presence::container::{ContainerId, Member};
use crate::presence::presentity::Presentity;
use crate::wire::xml::Writer;

/// The content type.
pub const CONTENT_TYPE: &str = "application/vnd-microsoft-roaming-acls+xml";

/// What the user's containers amount to: whoever is blocked is denied, all others may see him.
/// The number of the list rises with each change of the containers and is never 0.
pub fn document(presentity: &Presentity) -> String {
    let mut changes = 0_u64;
    let mut entries = Vec::new();
    for container in presentity.containers() {
        changes = changes.saturating_add(u64::from(container.version));
        if container.id == ContainerId::BLOCKED {
            entries = container.members;
        }
    }
    let mut writer = Writer::new();
    writer.start("ACLlist").attribute_of("deltaNum", changes.saturating_add(1));
    entry(&mut writer, "ALL", "", "AA");
    for member in &entries {
        match member {
            Member::User(aor) => entry(&mut writer, "USER", aor.as_str(), "BD"),
            Member::Domain(domain) => entry(&mut writer, "DOMAIN", domain, "BD"),
            Member::Everyone => entry(&mut writer, "ALL", "", "BD"),
            Member::SameEnterprise | Member::Federated | Member::PublicCloud => {}
        }
    }
    writer.finish()
}

fn entry(writer: &mut Writer, kind: &str, mask: &str, rights: &str) {
    writer
        .start("ACE")
        .attribute("type", kind)
        .attribute("mask", mask)
        .attribute("rights", rights)
        .end();
}
