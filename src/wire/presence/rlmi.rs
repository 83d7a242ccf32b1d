//! What became of each resource of a list (RFC 4662 section 5; MS-PRES section 2.2.2.4),
//! `application/rlmi+xml`.

use super::{Error, boolean, number, required, root};
use crate::wire::xml::{Document, Element, Writer};

/// The content type.
pub const CONTENT_TYPE: &str = "application/rlmi+xml";

const NAMESPACE: &str = "urn:ietf:params:xml:ns:rlmi";

/// A list of resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List<'a> {
    /// The list, as a URI.
    pub uri: &'a str,
    /// Rises with each notification of one subscription.
    pub version: u32,
    /// All resources are there; otherwise only those that changed.
    pub full_state: bool,
    /// The resources.
    pub resources: Vec<Resource<'a>>,
}

/// A resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource<'a> {
    /// Which, as a URI.
    pub uri: &'a str,
    /// What became of the subscription to it.
    pub instance: Option<Instance<'a>>,
}

/// A subscription to a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance<'a> {
    /// Tells the instances of one resource apart.
    pub id: &'a str,
    /// What became of it.
    pub state: State,
    /// Why it is over (RFC 6665 section 4.2.2); empty when it is not, or not said.
    pub reason: &'a str,
    /// The Content-ID of its document; empty when there is none.
    pub cid: &'a str,
    /// The pool to subscribe at; empty for this one.
    pub pool_fqdn: &'a str,
}

/// What became of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// It holds.
    Active,
    /// It waits for the resource's consent.
    Pending,
    /// It is to be made again, at another place or in another way (MS-PRES).
    Resubscribe,
    /// It is over.
    Terminated,
}

impl State {
    const ALL: [State; 4] = [State::Active, State::Pending, State::Resubscribe, State::Terminated];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            State::Active => "active",
            State::Pending => "pending",
            State::Resubscribe => "resubscribe",
            State::Terminated => "terminated",
        }
    }
}

impl<'t> List<'t> {
    /// Reads a list.
    pub fn read(document: &'t Document<'t>) -> Result<Self, Error> {
        let root = root(document, NAMESPACE, "list")?;
        let resources = root.children().filter(|child| child.is(NAMESPACE, "resource"));
        Ok(List {
            uri: required(root, "uri")?,
            version: number(required(root, "version")?)?,
            full_state: boolean(required(root, "fullState")?)?,
            resources: resources.map(resource).collect::<Result<_, _>>()?,
        })
    }

    /// The document.
    pub fn write(&self) -> String {
        let mut writer = Writer::new();
        writer
            .start("list")
            .attribute("xmlns", NAMESPACE)
            .attribute("uri", self.uri)
            .attribute_of("version", self.version)
            .attribute_of("fullState", self.full_state);
        for resource in &self.resources {
            writer.start("resource").attribute("uri", resource.uri);
            if let Some(instance) = &resource.instance {
                writer
                    .start("instance")
                    .attribute("id", instance.id)
                    .attribute("state", instance.state.name());
                for (name, value) in [
                    ("reason", instance.reason),
                    ("poolFqdn", instance.pool_fqdn),
                    ("cid", instance.cid),
                ] {
                    if !value.is_empty() {
                        writer.attribute(name, value);
                    }
                }
                writer.end();
            }
            writer.end();
        }
        writer.finish()
    }
}

fn resource(element: Element<'_>) -> Result<Resource<'_>, Error> {
    let instance = element.child("instance").map(instance).transpose()?;
    Ok(Resource { uri: required(element, "uri")?, instance })
}

fn instance(element: Element<'_>) -> Result<Instance<'_>, Error> {
    let name = required(element, "state")?;
    let state = State::ALL.into_iter().find(|state| state.name() == name).ok_or(Error::Value)?;
    let optional = |name: &str| element.attribute(name).unwrap_or("");
    Ok(Instance {
        id: required(element, "id")?,
        state,
        reason: optional("reason"),
        cid: optional("cid"),
        pool_fqdn: optional("poolFqdn"),
    })
}
