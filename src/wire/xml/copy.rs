//! An element as text which is complete in itself: stored, and put into documents for others.
//!
//! It is written anew from the tree, so whatever the publisher wrote, what others are sent is
//! well-formed. Comments are gone; nothing else is lost.

use super::tree::{Content, Element, NodeId};
use super::{XSI, escape_attribute, escape_text};

impl<'t> Element<'t> {
    /// Appends this element, with one declaration of each prefix that it uses and that is declared
    /// outside of it.
    pub fn copy_to(self, out: &mut String) {
        let mut scope = Scope { within: vec![("xml", super::XML)], outside: Vec::new(), at: None };
        self.write(&mut scope, out);
        let mut declarations = String::new();
        for (prefix, uri) in scope.outside {
            declarations.push_str(if prefix.is_empty() { " xmlns" } else { " xmlns:" });
            declarations.push_str(prefix);
            declarations.push_str("=\"");
            escape_attribute(&mut declarations, uri);
            declarations.push('"');
        }
        out.insert_str(scope.at.unwrap_or(out.len()), &declarations);
    }

    fn write(self, scope: &mut Scope<'t>, out: &mut String) {
        let mut open: Vec<(Element<'t>, usize)> = Vec::new();
        let mut next = self.id;
        loop {
            let Some(node) = self.document.node(next) else { return };
            let mut below = NodeId::NONE;
            match &node.content {
                Content::Text(text) => escape_text(out, text),
                Content::Element(tag) => {
                    let element = Element { document: self.document, id: next, tag };
                    let in_scope = scope.within.len();
                    start_tag(element, scope, out);
                    below = node.first_child;
                    if below == NodeId::NONE {
                        out.push_str("/>");
                        scope.within.truncate(in_scope);
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
                scope.within.truncate(in_scope);
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

/// Which prefixes are declared in the copy.
struct Scope<'t> {
    /// In the elements that are open, innermost last.
    within: Vec<(&'t str, &'t str)>,
    /// Around the element that is copied, as far as they are used: what stands for a prefix there
    /// is one thing only.
    outside: Vec<(&'t str, &'t str)>,
    /// Where the first start tag ends: these are declared there.
    at: Option<usize>,
}

impl<'t> Scope<'t> {
    /// Sees that `prefix` stands for `uri`.
    fn need(&mut self, prefix: &'t str, uri: &'t str) {
        let is_it = |(declared, _): &&(&str, &str)| *declared == prefix;
        let within = self.within.iter().rev().find(is_it);
        if within.is_none() && !self.outside.iter().any(|one| is_it(&one)) {
            self.outside.push((prefix, uri));
        }
    }
}

fn start_tag<'t>(element: Element<'t>, scope: &mut Scope<'t>, out: &mut String) {
    out.push('<');
    name(element.tag.prefix, element.tag.name, out);
    for attribute in element.attributes() {
        if let Some(prefix) = attribute.declares() {
            scope.within.push((prefix, &attribute.value));
        }
        out.push(' ');
        name(attribute.prefix, attribute.name, out);
        out.push_str("=\"");
        escape_attribute(out, &attribute.value);
        out.push('"');
    }
    scope.need(element.tag.prefix, element.namespace());
    for attribute in element.attributes() {
        let uri = element.document.namespace(attribute.namespace);
        if attribute.namespace != 0 {
            scope.need(attribute.prefix, uri);
        }
        // The value of xsi:type is a name too (XML Schema part 1 section 2.6.1).
        if uri == XSI
            && attribute.name == "type"
            && let Some((prefix, _)) = attribute.value.split_once(':')
            && let Some(uri) = element.declared(prefix)
        {
            scope.need(prefix, uri);
        }
    }
    scope.at.get_or_insert(out.len());
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
