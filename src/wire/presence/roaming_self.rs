//! What the user's own endpoints are told (MS-PRES section 2.2.2.5),
//! `application/vnd-microsoft-roaming-self+xml`.

use super::containers::Member;
use super::{Error, required, root};
use crate::wire::xml::{Document, Writer};

/// The content type.
pub const CONTENT_TYPE: &str = "application/vnd-microsoft-roaming-self+xml";

const NAMESPACE: &str = "http://schemas.microsoft.com/2006/09/sip/roaming-self";
const CONTAINERS: &str = "http://schemas.microsoft.com/2006/09/sip/containers";
const SUBSCRIBERS: &str = "http://schemas.microsoft.com/2006/09/sip/presence-subscribers";

/// What an endpoint asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The user's publications.
    pub categories: bool,
    /// The members of his containers.
    pub containers: bool,
    /// Those who added him.
    pub subscribers: bool,
}

/// Reads what an endpoint asks for. Kinds of data that are not known are passed over.
pub fn read(document: &Document<'_>) -> Result<Request, Error> {
    let root = root(document, NAMESPACE, "roamingList")?;
    let mut request = Request::default();
    for roaming in root.children().filter(|child| child.is(NAMESPACE, "roaming")) {
        match required(roaming, "type")? {
            "categories" => request.categories = true,
            "containers" => request.containers = true,
            "subscribers" => request.subscribers = true,
            _ => {}
        }
    }
    Ok(request)
}

/// Begins the document; its parts follow, then [`Writer::finish`].
pub fn start(writer: &mut Writer) {
    writer.start("roamingData").attribute("xmlns", NAMESPACE);
}

/// A container and its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container<'a> {
    /// Its number.
    pub id: u32,
    /// Its version.
    pub version: u32,
    /// Whom it has.
    pub members: Vec<Member<'a>>,
}

/// Writes the part about containers.
pub fn containers<'a>(writer: &mut Writer, containers: impl IntoIterator<Item = Container<'a>>) {
    writer.start("containers").attribute("xmlns", CONTAINERS);
    for container in containers {
        writer
            .start("container")
            .attribute_of("id", container.id)
            .attribute_of("version", container.version);
        for member in container.members {
            writer.start("member");
            member.attributes(writer);
            writer.end();
        }
        writer.end();
    }
    writer.end();
}

/// Somebody who added the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscriber<'a> {
    /// His address without scheme.
    pub user: &'a str,
    /// His name; empty when it is not known.
    pub display_name: &'a str,
    /// The user has seen it.
    pub acknowledged: bool,
    /// How he stands to the user's enterprise: a member type of a container.
    pub kind: super::containers::MemberType,
}

/// Writes the part about those who added the user.
pub fn subscribers<'a>(writer: &mut Writer, subscribers: impl IntoIterator<Item = Subscriber<'a>>) {
    writer.start("subscribers").attribute("xmlns", SUBSCRIBERS);
    for subscriber in subscribers {
        writer
            .start("subscriber")
            .attribute("user", subscriber.user)
            .attribute("displayName", subscriber.display_name)
            .attribute_of("acknowledged", subscriber.acknowledged)
            .attribute("type", subscriber.kind.name())
            .end();
    }
    writer.end();
}
