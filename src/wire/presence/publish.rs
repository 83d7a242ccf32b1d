//! A publication of categories (MS-PRES section 2.2.2.1), `application/msrtc-category-publish+xml`.

use super::{Error, number, required, root};
use crate::wire::xml::{Document, Element};

/// The content type.
pub const CONTENT_TYPE: &str = "application/msrtc-category-publish+xml";

const NAMESPACE: &str = "http://schemas.microsoft.com/2006/09/sip/rich-presence";

/// What a publication dies with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExpireType {
    /// The endpoint that published it.
    Endpoint,
    /// Nothing.
    Static,
    /// The end of its time.
    Time,
    /// The last endpoint of the user.
    User,
}

impl ExpireType {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            ExpireType::Endpoint => "endpoint",
            ExpireType::Static => "static",
            ExpireType::Time => "time",
            ExpireType::User => "user",
        }
    }

    fn of(name: &str) -> Result<Self, Error> {
        [ExpireType::Endpoint, ExpireType::Static, ExpireType::Time, ExpireType::User]
            .into_iter()
            .find(|known| known.name() == name)
            .ok_or(Error::Value)
    }
}

/// What a user publishes.
#[derive(Clone, Debug)]
pub struct Publish<'t> {
    /// The user, as a URI.
    pub uri: &'t str,
    /// In the order in which they take effect.
    pub publications: Vec<Publication<'t>>,
}

/// One instance of a category in one container.
#[derive(Clone, Copy, Debug)]
pub struct Publication<'t> {
    /// Name of the category.
    pub category: &'t str,
    /// Its number.
    pub instance: u32,
    /// The container, 0 to 32767.
    pub container: u32,
    /// The version the publisher takes for the current one; 0 for none.
    pub version: u32,
    /// What it dies with.
    pub expire_type: ExpireType,
    /// Seconds it shall live; 0 deletes it.
    pub expires: Option<u32>,
    /// What it says; a deletion says nothing.
    pub payload: Option<Element<'t>>,
}

/// The highest number of a container (MS-PRES section 2.2.2.1).
pub(super) const CONTAINER_MAX: u32 = 32_767;

/// Reads a publication.
pub fn read<'t>(document: &'t Document<'t>) -> Result<Publish<'t>, Error> {
    let publications = root(document, NAMESPACE, "publish")?;
    let publications = publications.child("publications").ok_or(Error::Missing)?;
    let uri = required(publications, "uri")?;
    let of_this_kind = |element: &Element<'t>| element.is(NAMESPACE, "publication");
    let publications = publications.children().filter(of_this_kind).map(publication);
    Ok(Publish { uri, publications: publications.collect::<Result<_, _>>()? })
}

fn publication(element: Element<'_>) -> Result<Publication<'_>, Error> {
    let container = number(required(element, "container")?)?;
    if container > CONTAINER_MAX {
        return Err(Error::Number);
    }
    let mut payloads = element.children();
    let payload = payloads.next();
    if payloads.next().is_some() {
        return Err(Error::TooMany);
    }
    let expires = element.attribute("expires").map(number).transpose()?;
    if payload.is_none() && expires != Some(0) {
        return Err(Error::Missing);
    }
    Ok(Publication {
        category: required(element, "categoryName")?,
        instance: number(required(element, "instance")?)?,
        container,
        version: number(required(element, "version")?)?,
        expire_type: ExpireType::of(required(element, "expireType")?)?,
        expires,
        payload,
    })
}
