//! An element as text which is complete in itself: stored, and put into documents for others.
//!
//! It is written anew from the tree, so whatever the publisher wrote, what others are sent is
//! well-formed. Comments are gone; nothing else is lost.

use super::tree::{Content, Element, NodeId};
use super::{XSI, escape_attribute, escape_text};

impl Element<'_> {
    /// Appends this element, with a declaration of each prefix it uses.
    pub fn copy_to(self, out: &mut String) {
        let mut scope = Scope { declared: vec![("xml", super::XML)] };
        let mut open: Vec<(Element<'_>, usize)> = Vec::new();
        let mut next = self.id;
        loop {
            let Some(node) = self.document.node(next) else { return };
            let mut below = NodeId::NONE;
            match &node.content {
                Content::Text(text) => escape_text(out, text),
                Content::Element(tag) => {
                    let element = Element { document: self.document, id: next, tag };
                    let in_scope = scope.declared.len();
                    start_tag(element, &mut scope, out);
                    below = node.first_child;
                    if below == NodeId::NONE {
                        out.push_str("/>");
                        scope.declared.truncate(in_scope);
                    } else {
                        out.push('>');
                        open.push((element, in_scope));
                    }
                }
            }
            if below != NodeId::NONE {
                next = below;
                continue;
            }
            // Up to the first ancestor that has more to say.
            loop {
                let sibling = self.document.node(next).map_or(NodeId::NONE, |node| node.next);
                if next == self.id || open.is_empty() {
                    return;
                }
                if sibling != NodeId::NONE {
                    next = sibling;
                    break;
                }
                let Some((element, in_scope)) = open.pop() else { return };
                end_tag(element, out);
                scope.declared.truncate(in_scope);
                next = element.id;
            }
        }
    }

    /// This element as text which is complete in itself; see [`copy_to`](Self::copy_to).
    pub fn copy(self) -> String {
        let mut out = String::with_capacity(self.source().len() + 64);
        self.copy_to(&mut out);
        out
    }
}

/// The prefixes declared in the copy, innermost last.
struct Scope<'t> {
    declared: Vec<(&'t str, &'t str)>,
}

impl<'t> Scope<'t> {
    /// True if `prefix` stands for `uri` here.
    fn has(&self, prefix: &str, uri: &str) -> bool {
        let found = self.declared.iter().rev().find(|(declared, _)| *declared == prefix);
        found.is_some_and(|(_, declared)| *declared == uri)
    }

    /// Declares `prefix` if it stands for anything else here.
    fn need(&mut self, prefix: &'t str, uri: &'t str, out: &mut String) {
        if self.has(prefix, uri) {
            return;
        }
        self.declared.push((prefix, uri));
        out.push_str(if prefix.is_empty() { " xmlns" } else { " xmlns:" });
        out.push_str(prefix);
        out.push_str("=\"");
        escape_attribute(out, uri);
        out.push('"');
    }
}

fn start_tag<'t>(element: Element<'t>, scope: &mut Scope<'t>, out: &mut String) {
    out.push('<');
    name(element.tag.prefix, element.tag.name, out);
    for attribute in element.attributes() {
        if let Some(prefix) = attribute.declares() {
            scope.declared.push((prefix, &attribute.value));
        }
        out.push(' ');
        name(attribute.prefix, attribute.name, out);
        out.push_str("=\"");
        escape_attribute(out, &attribute.value);
        out.push('"');
    }
    scope.need(element.tag.prefix, element.namespace(), out);
    for attribute in element.attributes() {
        let uri = element.document.namespace(attribute.namespace);
        if attribute.namespace != 0 {
            scope.need(attribute.prefix, uri, out);
        }
        // The value of xsi:type is a name too (XML Schema part 1 section 2.6.1).
        if uri == XSI
            && attribute.name == "type"
            && let Some((prefix, _)) = attribute.value.split_once(':')
            && let Some(uri) = element.declared(prefix)
        {
            scope.need(prefix, uri, out);
        }
    }
}

fn end_tag(element: Element<'_>, out: &mut String) {
    out.push_str("</");
    name(element.tag.prefix, element.tag.name, out);
    out.push('>');
}

fn name(prefix: &str, name: &str, out: &mut String) {
    if !prefix.is_empty() {
        out.push_str(prefix);
        out.push(':');
    }
    out.push_str(name);
}

impl<'t> Element<'t> {
    /// The namespace `prefix` stands for at this element, if it is declared on it or around it.
    fn declared(self, prefix: &'t str) -> Option<&'t str> {
        let mut id = self.id;
        while let Some(element) = self.document.element(id) {
            let mut attributes = element.attributes().iter();
            if let Some(found) = attributes.find(|a| a.declares() == Some(prefix)) {
                return Some(&found.value);
            }
            id = self.document.node(id)?.parent;
        }
        None
    }
}
