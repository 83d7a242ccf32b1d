//! Changes of access levels (MS-PRES, setContainerMembers).

use crate::base::aor::Aor;
use crate::base::limits::Limits;
use crate::presence::container::{ContainerId, Member};
use crate::presence::membership::{MemberChange, MembersChange};
use crate::wire::presence::Error;
use crate::wire::presence::containers::{Member as WireMember, MemberType};
use crate::wire::presence::set_container_members::{self, Action};
use crate::wire::xml::Document;

/// Reads the changes, in the order in which they take effect.
///
/// # Errors
/// The document breaks the format.
pub fn read(body: &[u8], limits: &Limits) -> Result<Vec<MembersChange>, Error> {
    let document = Document::parse(body, limits)?;
    let containers = set_container_members::read(&document)?;
    let changes = containers.iter().map(|container| MembersChange {
        container: ContainerId(container.id),
        version: container.version,
        steps: container
            .changes
            .iter()
            .map(|(action, of)| match action {
                Action::Add => MemberChange::Add(member(of)),
                Action::Remove => MemberChange::Remove(member(of)),
            })
            .collect(),
    });
    Ok(changes.collect())
}

fn member(member: &WireMember<'_>) -> Member {
    match member.kind {
        MemberType::User => {
            let address = member.value.strip_prefix("sip:").unwrap_or(member.value);
            Member::User(Aor::new(address))
        }
        MemberType::Domain => Member::Domain(member.value.to_ascii_lowercase().into()),
        MemberType::SameEnterprise => Member::SameEnterprise,
        MemberType::Federated => Member::Federated,
        MemberType::PublicCloud => Member::PublicCloud,
        MemberType::Everyone => Member::Everyone,
    }
}
