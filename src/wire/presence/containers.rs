//! Members of containers (MS-PRES section 2.2.2.6), as they stand in other documents.

use super::publish::CONTAINER_MAX;
use super::{Error, number, required};
use crate::wire::xml::{Element, Writer};

/// Which kind of member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MemberType {
    /// Everybody of a domain; has a value.
    Domain,
    /// Everybody.
    Everyone,
    /// Everybody of a federated enterprise.
    Federated,
    /// Everybody of a public provider.
    PublicCloud,
    /// Everybody of the same enterprise.
    SameEnterprise,
    /// One person; has a value.
    User,
}

impl MemberType {
    const ALL: [MemberType; 6] = [
        MemberType::Domain,
        MemberType::Everyone,
        MemberType::Federated,
        MemberType::PublicCloud,
        MemberType::SameEnterprise,
        MemberType::User,
    ];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            MemberType::Domain => "domain",
            MemberType::Everyone => "everyone",
            MemberType::Federated => "federated",
            MemberType::PublicCloud => "publicCloud",
            MemberType::SameEnterprise => "sameEnterprise",
            MemberType::User => "user",
        }
    }
}

/// A member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// Which kind.
    pub kind: MemberType,
    /// The address without scheme, or the domain; empty for the other kinds.
    pub value: &'a str,
}

impl<'t> Member<'t> {
    pub(super) fn read(element: Element<'t>) -> Result<Self, Error> {
        let name = required(element, "type")?;
        let kind = MemberType::ALL.into_iter().find(|kind| kind.name() == name);
        let kind = kind.ok_or(Error::Value)?;
        let value = match kind {
            MemberType::Domain | MemberType::User => required(element, "value")?,
            _ => "",
        };
        Ok(Member { kind, value })
    }

    /// Writes the attributes of this member.
    pub(super) fn attributes(&self, writer: &mut Writer) {
        writer.attribute("type", self.kind.name());
        if !self.value.is_empty() {
            writer.attribute("value", self.value);
        }
    }
}

/// Reads the number and the version of a container.
pub(super) fn id_and_version(element: Element<'_>) -> Result<(u32, u32), Error> {
    let id = number(required(element, "id")?)?;
    if id > CONTAINER_MAX {
        return Err(Error::Number);
    }
    Ok((id, number(required(element, "version")?)?))
}
