//! A change of the members of containers (MS-PRES section 2.2.2.6),
//! `application/msrtc-setcontainermembers+xml`.

use super::containers::{Member, id_and_version};
use super::{Error, required, root};
use crate::wire::xml::{Document, Element};

/// The content type.
pub const CONTENT_TYPE: &str = "application/msrtc-setcontainermembers+xml";

const NAMESPACE: &str = "http://schemas.microsoft.com/2006/09/sip/container-management";

/// What shall become of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Put it in.
    Add,
    /// Take it out.
    Remove,
}

/// The changes in one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container<'t> {
    /// Its number.
    pub id: u32,
    /// The version the user takes for the current one.
    pub version: u32,
    /// In the order in which they take effect.
    pub changes: Vec<(Action, Member<'t>)>,
}

/// Reads a change of members.
pub fn read<'t>(document: &'t Document<'t>) -> Result<Vec<Container<'t>>, Error> {
    let root = root(document, NAMESPACE, "setContainerMembers")?;
    root.children().filter(|child| child.is(NAMESPACE, "container")).map(container).collect()
}

fn container(element: Element<'_>) -> Result<Container<'_>, Error> {
    let (id, version) = id_and_version(element)?;
    let members = element.children().filter(|child| child.is(NAMESPACE, "member"));
    let changes = members.map(|member| {
        let action = match required(member, "action")? {
            "add" => Action::Add,
            "remove" => Action::Remove,
            _ => return Err(Error::Value),
        };
        Ok((action, Member::read(member)?))
    });
    Ok(Container { id, version, changes: changes.collect::<Result<_, _>>()? })
}
