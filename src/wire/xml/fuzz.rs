//! Body of the fuzz target `xml`, as an ordinary function that the property tests drive too.

use super::{Document, Element};
use crate::base::limits::Limits;

/// What an element says, whatever its prefixes: name and namespace, attributes, and what is in it.
#[derive(Debug, PartialEq, Eq)]
pub struct Meaning {
    name: (String, String),
    attributes: Vec<(String, String, String)>,
    text: String,
    children: Vec<Meaning>,
}

impl Meaning {
    /// Of an element.
    pub fn of(element: Element<'_>) -> Meaning {
        let attributes = element.attributes().iter().filter(|a| a.declares().is_none());
        let attributes = attributes.map(|a| {
            let namespace = element.document.namespace(a.namespace);
            (namespace.to_owned(), a.name.to_owned(), a.value.to_string())
        });
        Meaning {
            name: (element.namespace().to_owned(), element.name().to_owned()),
            attributes: attributes.collect(),
            text: element.text().into_owned(),
            children: element.children().map(Meaning::of).collect(),
        }
    }
}

/// Any octets are read or refused. Of what is read, the source and the self-contained copy of
/// every element can be told from the whole, and the copy says the same and is its own copy.
pub fn document(data: &[u8]) {
    let limits = Limits::default();
    let Ok(document) = Document::parse(data, &limits) else { return };
    let mut elements = vec![document.root()];
    let mut seen = 0;
    while let Some(element) = elements.pop()
        && seen < 64
    {
        seen += 1;
        assert!(element.source().starts_with('<') && element.source().ends_with('>'));
        let copy = element.copy();
        let roomy = Limits {
            sip_body_bytes_max: usize::MAX,
            xml_attributes_max: 2 * limits.xml_attributes_max,
            ..limits.clone()
        };
        let again = Document::parse(copy.as_bytes(), &roomy);
        let again = again.unwrap_or_else(|error| panic!("{error:?} in the copy {copy}"));
        assert_eq!(Meaning::of(again.root()), Meaning::of(element), "of the copy {copy}");
        assert_eq!(again.root().copy(), copy, "a copy is its own copy");
        elements.extend(element.children());
    }
}
