//! Octets to tree.

use std::borrow::Cow;

use quick_xml::errors::IllFormedError;
use quick_xml::escape::{EscapeError, resolve_xml_entity};
use quick_xml::events::attributes::Attributes;
use quick_xml::events::{BytesDecl, BytesRef, Event};
use quick_xml::{Reader, XmlVersion};

use super::character::{is_allowed, is_name, is_space};
use super::tree::{Attribute, Content, Document, Node, NodeId, Tag};
use super::{Error, XML};
use crate::base::limits::Limits;

/// Reads a whole body.
pub(super) fn document<'a>(source: &'a [u8], limits: &Limits) -> Result<Document<'a>, Error> {
    if source.len() > limits.sip_body_bytes_max || u32::try_from(source.len()).is_err() {
        return Err(Error::TooLarge);
    }
    let source = std::str::from_utf8(source).map_err(|_| Error::Encoding)?;
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    let mut parser = Parser::new(source, limits);
    let mut reader = Reader::from_str(source);
    loop {
        let start = position(&reader);
        let event = reader.read_event().map_err(syntax)?;
        let span = (start, position(&reader));
        match event {
            Event::Start(_) => parser.start(span, false)?,
            Event::Empty(_) => parser.start(span, true)?,
            Event::End(_) => parser.end(span.1),
            Event::Text(text) => parser.text(text.xml10_content())?,
            Event::CData(text) if parser.is_inside() => parser.text(text.xml10_content())?,
            Event::CData(_) => return Err(Error::Root),
            Event::GeneralRef(reference) => parser.reference(&reference)?,
            Event::Comment(_) => {}
            Event::Decl(declaration) if start == 0 => declared(&declaration)?,
            Event::Decl(_) | Event::PI(_) => return Err(Error::Instruction),
            Event::DocType(_) => return Err(Error::DocumentType),
            Event::Eof => return parser.finish(),
        }
    }
}

fn position(reader: &Reader<&[u8]>) -> u32 {
    u32::try_from(reader.buffer_position()).unwrap_or(u32::MAX)
}

fn syntax(error: quick_xml::Error) -> Error {
    match error {
        quick_xml::Error::IllFormed(IllFormedError::UnclosedReference) => Error::Entity,
        quick_xml::Error::IllFormed(IllFormedError::MissingDoctypeName) => Error::DocumentType,
        quick_xml::Error::IllFormed(
            IllFormedError::MissingEndTag(_)
            | IllFormedError::UnmatchedEndTag(_)
            | IllFormedError::MismatchedEndTag { .. },
        ) => Error::Nesting,
        quick_xml::Error::Syntax(quick_xml::errors::SyntaxError::UnclosedDoctype) => {
            Error::DocumentType
        }
        _ => Error::Syntax,
    }
}

/// Only version 1.0 in UTF-8 is read; US-ASCII is a part of it.
fn declared(declaration: &BytesDecl<'_>) -> Result<(), Error> {
    if declaration.version().map_err(|_| Error::Instruction)? != "1.0" {
        return Err(Error::Instruction);
    }
    match declaration.encoding() {
        None => Ok(()),
        Some(Ok(name))
            if name.eq_ignore_ascii_case("utf-8") || name.eq_ignore_ascii_case("us-ascii") =>
        {
            Ok(())
        }
        Some(_) => Err(Error::Encoding),
    }
}

struct Parser<'a, 'l> {
    limits: &'l Limits,
    source: &'a str,
    root: Option<Tag<'a>>,
    elements: usize,
    nodes: Vec<Node<'a>>,
    attributes: Vec<Attribute<'a>>,
    namespaces: Vec<Cow<'a, str>>,
    /// Prefixes in scope with their namespaces; the innermost declaration is the last.
    scope: Vec<(&'a str, u32)>,
    /// Open elements, and how many prefixes were in scope before each.
    open: Vec<(NodeId, usize)>,
}

impl<'a, 'l> Parser<'a, 'l> {
    fn new(source: &'a str, limits: &'l Limits) -> Self {
        // What the bodies of clients have, so that a short one is read without growing anything.
        let places = |octets: usize| (source.len() / octets).clamp(8, 128);
        let mut namespaces = Vec::with_capacity(8);
        namespaces.extend([Cow::Borrowed(""), Cow::Borrowed(XML)]);
        let mut scope = Vec::with_capacity(8);
        scope.extend([("", 0), ("xml", 1)]);
        Parser {
            limits,
            source,
            root: None,
            elements: 0,
            nodes: Vec::with_capacity(places(64)),
            attributes: Vec::with_capacity(places(48)),
            namespaces,
            scope,
            open: Vec::with_capacity(16),
        }
    }

    fn is_inside(&self) -> bool {
        !self.open.is_empty()
    }

    /// A start tag, or an element which is empty.
    fn start(&mut self, span: (u32, u32), empty: bool) -> Result<(), Error> {
        if self.open.is_empty() && !self.nodes.is_empty() {
            return Err(Error::Root);
        }
        if self.open.len() >= self.limits.xml_depth_max {
            return Err(Error::TooDeep);
        }
        self.elements = self.elements.saturating_add(1);
        if self.elements > self.limits.xml_elements_max {
            return Err(Error::TooManyElements);
        }
        let tag = self.source.get(span.0 as usize..span.1 as usize).ok_or(Error::Syntax)?;
        let tag = tag.strip_prefix('<').and_then(|tag| tag.strip_suffix('>'));
        let tag = tag.ok_or(Error::Syntax)?;
        let tag = if empty { tag.strip_suffix('/').ok_or(Error::Syntax)? } else { tag };
        let name_len = tag.find(is_space).unwrap_or(tag.len());
        let (name, _) = tag.split_at_checked(name_len).ok_or(Error::Syntax)?;

        let in_scope = self.scope.len();
        let (prefix, name) = split(name)?;
        let attributes = self.attributes(Attributes::new(tag, name_len))?;
        let namespace = self.resolve(prefix)?;
        let tag = Tag { prefix, name, namespace, attributes, span };
        let id = self.push(Content::Element(tag));
        self.root.get_or_insert(tag);
        if empty {
            self.scope.truncate(in_scope);
        } else {
            self.open.push((id, in_scope));
        }
        Ok(())
    }

    fn end(&mut self, end: u32) {
        let Some((id, in_scope)) = self.open.pop() else { return };
        self.scope.truncate(in_scope);
        if let Some(Node { content: Content::Element(tag), .. }) = self.nodes.get_mut(id.0 as usize)
        {
            tag.span.1 = end;
            if id == NodeId(0) {
                self.root = Some(*tag);
            }
        }
    }

    fn text(&mut self, text: Cow<'a, str>) -> Result<(), Error> {
        let Some((parent, _)) = self.open.last() else {
            return if text.chars().all(is_space) { Ok(()) } else { Err(Error::Root) };
        };
        if !text.chars().all(is_allowed) {
            return Err(Error::Character);
        }
        let last = self.nodes.get(parent.0 as usize).map_or(NodeId::NONE, |node| node.last_child);
        match self.nodes.get_mut(last.0 as usize) {
            Some(Node { content: Content::Text(before), .. }) => before.to_mut().push_str(&text),
            _ if text.is_empty() => {}
            _ => {
                self.push(Content::Text(text));
            }
        }
        Ok(())
    }

    fn reference(&mut self, reference: &BytesRef<'a>) -> Result<(), Error> {
        if !self.is_inside() {
            return Err(Error::Root);
        }
        if let Some(character) = reference.resolve_char_ref().map_err(|_| Error::Character)? {
            return self.text(Cow::Owned(character.to_string()));
        }
        let text = resolve_xml_entity(&reference.xml10_content()).ok_or(Error::Entity)?;
        self.text(Cow::Borrowed(text))
    }

    fn finish(self) -> Result<Document<'a>, Error> {
        if self.is_inside() {
            return Err(Error::Nesting);
        }
        let root = self.root.ok_or(Error::Root)?;
        let Parser { source, nodes, attributes, namespaces, .. } = self;
        Ok(Document { source, root, nodes, attributes, namespaces })
    }

    /// Reads the attributes of a start tag: first all values, as a declaration holds for the
    /// attributes before it too, then the namespaces.
    fn attributes(&mut self, mut raw: Attributes<'a>) -> Result<(u32, u32), Error> {
        let start = self.attributes.len();
        for attribute in raw.with_checks(false) {
            let attribute = attribute.map_err(|_| Error::Attribute)?;
            if self.attributes.len() - start >= self.limits.xml_attributes_max {
                return Err(Error::TooManyAttributes);
            }
            let (prefix, name) = split(attribute.key.0)?;
            let value = value(&attribute)?;
            self.attributes.push(Attribute { prefix, name, namespace: 0, value });
            self.declare(prefix, name)?;
        }
        for index in start..self.attributes.len() {
            let Some(attribute) = self.attributes.get(index) else { continue };
            let namespace = match attribute.prefix {
                "" | "xmlns" => 0,
                prefix => self.resolve(prefix)?,
            };
            if let Some(attribute) = self.attributes.get_mut(index) {
                attribute.namespace = namespace;
            }
        }
        self.refuse_duplicates(start)?;
        Ok((start as u32, self.attributes.len() as u32))
    }

    /// Takes the attribute read last into the scope, if it declares a namespace (Namespaces in
    /// XML section 3).
    fn declare(&mut self, prefix: &'a str, name: &'a str) -> Result<(), Error> {
        let declared = match (prefix, name) {
            ("", "xmlns") => "",
            ("xmlns", "xmlns") => return Err(Error::Namespace),
            ("xmlns", declared) => declared,
            _ => return Ok(()),
        };
        let uri = self.attributes.last().map_or(Cow::Borrowed(""), |a| a.value.clone());
        let reserved = uri == "http://www.w3.org/2000/xmlns/";
        if reserved
            || (declared == "xml") != (uri == XML)
            || (uri.is_empty() && !declared.is_empty())
        {
            return Err(Error::Namespace);
        }
        if uri.len() > self.limits.xml_namespace_bytes_max {
            return Err(Error::NamespaceTooLong);
        }
        if self.scope.len() > self.limits.xml_attributes_max {
            return Err(Error::TooManyAttributes);
        }
        let known = if uri.is_empty() { Some(0) } else { None };
        let namespace = known.unwrap_or(self.namespaces.len() as u32);
        if known.is_none() {
            self.namespaces.push(uri);
        }
        self.scope.push((declared, namespace));
        Ok(())
    }

    fn resolve(&self, prefix: &str) -> Result<u32, Error> {
        let found = self.scope.iter().rev().find(|(declared, _)| *declared == prefix);
        found.map(|(_, namespace)| *namespace).ok_or(Error::Namespace)
    }

    /// No two attributes with the same name, or with the same name in the same namespace.
    fn refuse_duplicates(&self, start: usize) -> Result<(), Error> {
        let attributes = self.attributes.get(start..).unwrap_or(&[]);
        let uri = |index: u32| self.namespaces.get(index as usize);
        for (index, one) in attributes.iter().enumerate() {
            let twice = attributes.iter().take(index).any(|other| {
                other.name == one.name
                    && (other.prefix == one.prefix
                        || (one.namespace != 0 && uri(one.namespace) == uri(other.namespace)))
            });
            if twice {
                return Err(Error::DuplicateAttribute);
            }
        }
        Ok(())
    }

    /// Appends a node to the innermost open element.
    fn push(&mut self, content: Content<'a>) -> NodeId {
        // Nodes are fewer than octets of the source, of which there are fewer than 2^32.
        let id = NodeId(self.nodes.len() as u32);
        let parent = self.open.last().map_or(NodeId::NONE, |(id, _)| *id);
        self.nodes.push(Node {
            content,
            parent,
            first_child: NodeId::NONE,
            last_child: NodeId::NONE,
            next: NodeId::NONE,
        });
        let Some(above) = self.nodes.get_mut(parent.0 as usize) else { return id };
        let before = std::mem::replace(&mut above.last_child, id);
        if before == NodeId::NONE {
            above.first_child = id;
        } else if let Some(before) = self.nodes.get_mut(before.0 as usize) {
            before.next = id;
        }
        id
    }
}

/// Splits a name into prefix and local name.
fn split(name: &str) -> Result<(&str, &str), Error> {
    let (prefix, local) = match name.split_once(':') {
        Some(("", _)) => return Err(Error::Name),
        Some(parts) => parts,
        None => ("", name),
    };
    let valid = is_name(local) && (prefix.is_empty() || is_name(prefix));
    valid.then_some((prefix, local)).ok_or(Error::Name)
}

/// The value of an attribute (XML section 3.3.3), checked.
fn value<'a>(
    attribute: &quick_xml::events::attributes::Attribute<'a>,
) -> Result<Cow<'a, str>, Error> {
    if attribute.value.contains('<') {
        return Err(Error::Attribute);
    }
    let value = attribute
        .normalized_value_with(XmlVersion::Implicit1_0, 1, resolve_xml_entity)
        .map_err(|error| match error {
            quick_xml::Error::Escape(EscapeError::InvalidCharRef(_)) => Error::Character,
            _ => Error::Entity,
        })?;
    if value.chars().all(is_allowed) { Ok(value) } else { Err(Error::Character) }
}
