//! A subscription to many users at once (MS-PRES section 2.2.2.4),
//! `application/msrtc-adrl-categorylist+xml`.

use super::{Error, required, root};
use crate::wire::xml::{Document, Element};

/// The content type.
pub const CONTENT_TYPE: &str = "application/msrtc-adrl-categorylist+xml";

const NAMESPACE: &str = "http://schemas.microsoft.com/2006/01/sip/batch-subscribe";
const CATEGORY_LIST: &str = "http://schemas.microsoft.com/2006/09/sip/categorylist";

/// What shall be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ActionName {
    /// Watch these too.
    Subscribe,
    /// Watch these no more.
    Unsubscribe,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchSub<'t> {
    /// The watcher, as a URI.
    pub uri: &'t str,
    /// In the order in which they take effect.
    pub actions: Vec<Action<'t>>,
}

/// One step of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action<'t> {
    /// What shall be done.
    pub name: ActionName,
    /// The number the client knows it by.
    pub id: &'t str,
    /// With whom.
    pub resources: Vec<Resource<'t>>,
    /// Names of the categories that are of interest.
    pub categories: Vec<&'t str>,
}

/// Somebody to be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource<'t> {
    /// Who, as a URI.
    pub uri: &'t str,
    /// He has just been added: he shall be told.
    pub is_added: bool,
}

/// Reads a request.
pub fn read<'t>(document: &'t Document<'t>) -> Result<BatchSub<'t>, Error> {
    let root = root(document, NAMESPACE, "batchSub")?;
    let actions = root.children().filter(|child| child.is(NAMESPACE, "action")).map(action);
    let actions: Vec<_> = actions.collect::<Result<_, _>>()?;
    if actions.is_empty() {
        return Err(Error::Missing);
    }
    Ok(BatchSub { uri: required(root, "uri")?, actions })
}

fn action(element: Element<'_>) -> Result<Action<'_>, Error> {
    let name = match required(element, "name")? {
        "subscribe" => ActionName::Subscribe,
        "unsubscribe" => ActionName::Unsubscribe,
        _ => return Err(Error::Value),
    };
    let list = element.child("adhocList").ok_or(Error::Missing)?;
    let resources = list.children().filter(|child| child.is(NAMESPACE, "resource"));
    let resources = resources.map(|resource| {
        let is_added = resource.child("context").is_some();
        Ok(Resource { uri: required(resource, "uri")?, is_added })
    });
    let categories = element
        .children()
        .filter(|child| child.is(CATEGORY_LIST, "categoryList"))
        .flat_map(Element::children)
        .filter(|child| child.is(CATEGORY_LIST, "category"))
        .map(|category| required(category, "name"));
    Ok(Action {
        name,
        id: element.attribute("id").unwrap_or(""),
        resources: resources.collect::<Result<_, Error>>()?,
        categories: categories.collect::<Result<_, _>>()?,
    })
}
