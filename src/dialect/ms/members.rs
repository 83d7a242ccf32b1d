//! A Lync client moves others to another access level: SERVICE with
//! `application/msrtc-setcontainermembers+xml`.

use crate::base::limits::Limits;
use crate::dialect::address::address;
use crate::presence::container::{ContainerId, Member};
use crate::presence::membership::{MemberChange, MembersChange};
use crate::wire::presence::Error;
use crate::wire::presence::containers::{self, MemberType};
use crate::wire::presence::set_container_members::{self, Action};
use crate::wire::xml::Document;

pub use crate::wire::presence::set_container_members::CONTENT_TYPE;

/// Reads the changes.
///
/// # Errors
/// What breaks the form; [`Error::Value`] also for a user who has no SIP address.
pub fn read(body: &[u8], limits: &Limits) -> Result<Vec<MembersChange>, Error> {
    let document = Document::parse(body, limits)?;
    let containers = set_container_members::read(&document)?;
    let changes = containers.into_iter().map(|container| {
        let steps = container.changes.into_iter().map(|(action, member)| {
            let member = self::member(member)?;
            Ok(match action {
                Action::Add => MemberChange::Add(member),
                Action::Remove => MemberChange::Remove(member),
            })
        });
        Ok(MembersChange {
            container: ContainerId(container.id),
            version: container.version,
            steps: steps.collect::<Result<_, Error>>()?,
        })
    });
    changes.collect()
}

fn member(member: containers::Member<'_>) -> Result<Member, Error> {
    Ok(match member.kind {
        MemberType::User => Member::User(address(member.value).ok_or(Error::Value)?),
        MemberType::Domain => Member::Domain(member.value.to_ascii_lowercase().into()),
        MemberType::SameEnterprise => Member::SameEnterprise,
        MemberType::Federated => Member::Federated,
        MemberType::PublicCloud => Member::PublicCloud,
        MemberType::Everyone => Member::Everyone,
    })
}

/// A member as it is written.
pub(super) fn write(member: &Member) -> containers::Member<'_> {
    let (kind, value) = match member {
        Member::User(aor) => (MemberType::User, aor.as_str()),
        Member::Domain(domain) => (MemberType::Domain, &**domain),
        Member::SameEnterprise => (MemberType::SameEnterprise, ""),
        Member::Federated => (MemberType::Federated, ""),
        Member::PublicCloud => (MemberType::PublicCloud, ""),
        Member::Everyone => (MemberType::Everyone, ""),
    };
    containers::Member { kind, value }
}
