//! Categories as others are sent them (MS-PRES section 2.2.2.3),
//! `application/msrtc-event-categories+xml`.

use super::publish::ExpireType;
use super::time::Utc;
use crate::wire::xml::Writer;

/// The content type.
pub const CONTENT_TYPE: &str = "application/msrtc-event-categories+xml";

const NAMESPACE: &str = "http://schemas.microsoft.com/2006/09/sip/categories";

/// What is said about an instance besides its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Category<'a> {
    /// Name of the category.
    pub name: &'a str,
    /// Its number.
    pub instance: u32,
    /// When it was published, in seconds since 1970.
    pub publish_time: u64,
    /// What only its publisher is told.
    pub own: Option<Own>,
}

/// What the publisher of an instance is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Own {
    /// The container it stands in.
    pub container: u32,
    /// Its version.
    pub version: u32,
    /// What it dies with.
    pub expire_type: ExpireType,
    /// The seconds it has left, if its time is limited.
    pub expires: Option<u64>,
}

/// Begins a list of categories of the user `uri`.
pub fn start(writer: &mut Writer, uri: &str) {
    writer.start("categories").attribute("xmlns", NAMESPACE).attribute("uri", uri);
}

impl Category<'_> {
    /// Begins the element; the payload follows, then [`Writer::end`].
    pub fn start(&self, writer: &mut Writer) {
        writer
            .start("category")
            .attribute("name", self.name)
            .attribute_of("instance", self.instance)
            .attribute_of("publishTime", Utc(self.publish_time));
        let Some(own) = self.own else { return };
        writer
            .attribute_of("container", own.container)
            .attribute_of("version", own.version)
            .attribute("expireType", own.expire_type.name());
        if let Some(expires) = own.expires {
            writer.attribute_of("expires", expires);
        }
    }
}

/// A category of which there is nothing any more: what is known of it is forgotten. Of an own
/// category `container` says where nothing is left; without it the client forgets its note, too.
pub fn cleared(writer: &mut Writer, name: &str, container: Option<u32>) {
    writer.start("category").attribute("name", name);
    if let Some(container) = container {
        writer.attribute_of("container", container);
    }
    writer.end();
}
