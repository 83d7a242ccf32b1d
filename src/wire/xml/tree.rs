//! A document as a tree. All nodes lie in one vector, so that neither depth nor breadth costs
//! stack, and dropping it is one step.

use std::borrow::Cow;

use super::{Error, parse};
use crate::base::limits::Limits;

/// A document which has been read; borrows the text it was read from.
#[derive(Debug)]
pub struct Document<'a> {
    pub(super) source: &'a str,
    pub(super) root: Tag<'a>,
    /// The first is the root.
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) attributes: Vec<Attribute<'a>>,
    /// URIs, one for each declaration; the first is "no namespace".
    pub(super) namespaces: Vec<Cow<'a, str>>,
}

/// Position of a node; [`NodeId::NONE`] for no node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeId(pub(super) u32);

impl NodeId {
    pub(super) const NONE: NodeId = NodeId(u32::MAX);
}

#[derive(Debug)]
pub(super) struct Node<'a> {
    pub(super) content: Content<'a>,
    pub(super) parent: NodeId,
    pub(super) first_child: NodeId,
    pub(super) last_child: NodeId,
    pub(super) next: NodeId,
}

#[derive(Debug)]
pub(super) enum Content<'a> {
    /// Text between two elements; comments are gone, references replaced.
    Text(Cow<'a, str>),
    Element(Tag<'a>),
}

/// What a start tag says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tag<'a> {
    pub(super) prefix: &'a str,
    pub(super) name: &'a str,
    pub(super) namespace: u32,
    /// Its attributes in the vector of the document.
    pub(super) attributes: (u32, u32),
    /// From the `<` of the start tag to the `>` of the end tag, in the source.
    pub(super) span: (u32, u32),
}

#[derive(Debug)]
pub(super) struct Attribute<'a> {
    pub(super) prefix: &'a str,
    pub(super) name: &'a str,
    /// Of a prefixed attribute; an unprefixed one has none, whatever the default.
    pub(super) namespace: u32,
    /// Normalised, references replaced.
    pub(super) value: Cow<'a, str>,
}

impl Attribute<'_> {
    /// The prefix this attribute declares, if it is a declaration.
    pub(super) fn declares(&self) -> Option<&str> {
        match (self.prefix, self.name) {
            ("", "xmlns") => Some(""),
            ("xmlns", prefix) => Some(prefix),
            _ => None,
        }
    }
}

impl<'a> Document<'a> {
    /// Reads a whole body. Linear in its length, within the bounds of `limits`.
    pub fn parse(source: &'a [u8], limits: &Limits) -> Result<Self, Error> {
        parse::document(source, limits)
    }

    /// The outermost element.
    pub fn root(&self) -> Element<'_> {
        Element { document: self, id: NodeId(0), tag: &self.root }
    }

    pub(super) fn node(&self, id: NodeId) -> Option<&Node<'a>> {
        self.nodes.get(usize::try_from(id.0).ok()?)
    }

    pub(super) fn element(&self, id: NodeId) -> Option<Element<'_>> {
        match &self.node(id)?.content {
            Content::Element(tag) => Some(Element { document: self, id, tag }),
            Content::Text(_) => None,
        }
    }

    pub(super) fn namespace(&self, index: u32) -> &str {
        self.namespaces.get(index as usize).map_or("", |uri| uri)
    }
}

/// An element of a [`Document`].
#[derive(Clone, Copy, Debug)]
pub struct Element<'t> {
    pub(super) document: &'t Document<'t>,
    pub(super) id: NodeId,
    pub(super) tag: &'t Tag<'t>,
}

impl<'t> Element<'t> {
    /// The name without its prefix.
    pub fn name(self) -> &'t str {
        self.tag.name
    }

    /// The URI of its namespace; empty for none.
    pub fn namespace(self) -> &'t str {
        self.document.namespace(self.tag.namespace)
    }

    /// True for the element `name` of `namespace`.
    pub fn is(self, namespace: &str, name: &str) -> bool {
        self.name() == name && self.namespace() == namespace
    }

    /// The element as it stands in the source; prefixes may be declared outside of it.
    pub fn source(self) -> &'t str {
        let (start, end) = self.tag.span;
        self.document.source.get(start as usize..end as usize).unwrap_or("")
    }

    /// The value of the attribute without prefix.
    pub fn attribute(self, name: &str) -> Option<&'t str> {
        self.attributes().iter().find(|a| a.prefix.is_empty() && a.name == name).map(|a| &*a.value)
    }

    /// The value of the attribute `name` of `namespace`, such as `xsi:type`.
    pub fn attribute_in(self, namespace: &str, name: &str) -> Option<&'t str> {
        let found = self.attributes().iter().find(|attribute| {
            attribute.namespace != 0
                && attribute.name == name
                && self.document.namespace(attribute.namespace) == namespace
        });
        found.map(|attribute| &*attribute.value)
    }

    /// The elements directly within.
    pub fn children(self) -> Children<'t> {
        let next = self.document.node(self.id).map_or(NodeId::NONE, |node| node.first_child);
        Children { document: self.document, next }
    }

    /// The first element directly within that has this name and the namespace of `self`.
    pub fn child(self, name: &str) -> Option<Element<'t>> {
        self.children().find(|child| child.is(self.namespace(), name))
    }

    /// The text directly within, without white space at its ends.
    pub fn text(self) -> Cow<'t, str> {
        let mut all = Cow::Borrowed("");
        let mut next = self.document.node(self.id).map_or(NodeId::NONE, |node| node.first_child);
        while let Some(node) = self.document.node(next) {
            if let Content::Text(text) = &node.content {
                if all.is_empty() {
                    all = Cow::Borrowed(&**text);
                } else {
                    all.to_mut().push_str(text);
                }
            }
            next = node.next;
        }
        match all {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim_matches(super::character::is_space)),
            Cow::Owned(text) => {
                Cow::Owned(text.trim_matches(super::character::is_space).to_owned())
            }
        }
    }

    pub(super) fn attributes(self) -> &'t [Attribute<'t>] {
        let (start, end) = self.tag.attributes;
        self.document.attributes.get(start as usize..end as usize).unwrap_or(&[])
    }
}

/// The elements directly within another.
#[derive(Clone, Debug)]
pub struct Children<'t> {
    document: &'t Document<'t>,
    next: NodeId,
}

impl<'t> Iterator for Children<'t> {
    type Item = Element<'t>;

    fn next(&mut self) -> Option<Element<'t>> {
        loop {
            let id = self.next;
            self.next = self.document.node(id)?.next;
            if let Some(element) = self.document.element(id) {
                return Some(element);
            }
        }
    }
}
