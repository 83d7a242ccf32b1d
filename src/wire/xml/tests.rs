use super::fuzz::{self, Meaning};
use super::*;
use crate::base::limits::{Limit, Limits};

fn limits() -> Limits {
    Limits {
        sip_body_bytes_max: 4096,
        xml_depth_max: 4,
        xml_elements_max: 8,
        xml_attributes_max: 4,
        ..Limits::default()
    }
}

fn refusal(xml: &str) -> Option<Error> {
    Document::parse(xml.as_bytes(), &limits()).err()
}

#[test]
fn a_tree_says_what_the_text_says() {
    let xml = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<!-- c -->\
        <a xmlns='urn:a' xmlns:b=\"urn:b\" x='1 &amp;\t&#10;2' b:x=\"3\"> t<!-- c -->1\r\n\
        <b:c/>&lt;<![CDATA[<&]]><c xmlns='' x=''>&#x41;</c></a>\n";
    let document = Document::parse(xml.as_bytes(), &Limits::default()).unwrap();
    let root = document.root();
    assert!(root.is("urn:a", "a") && !root.is("", "a"));
    assert_eq!(root.attribute("x"), Some("1 & \n2"));
    assert_eq!(root.attribute_in("urn:b", "x"), Some("3"));
    assert_eq!(root.attribute_in("urn:a", "x"), None);
    assert_eq!(root.attribute("b"), None);
    assert_eq!(root.text(), "t1\n<<&");
    let children: Vec<_> = root.children().map(|c| (c.namespace(), c.name())).collect();
    assert_eq!(children, [("urn:b", "c"), ("", "c")]);
    assert!(root.child("c").is_none(), "a child is looked for in the namespace of its parent");
    let last = root.children().last().unwrap();
    assert_eq!((last.text().as_ref(), last.attribute("x")), ("A", Some("")));
    assert_eq!(last.source(), "<c xmlns='' x=''>&#x41;</c>");
    assert!(root.source().starts_with("<a ") && root.source().ends_with("</a>"));
}

#[test]
fn what_is_malformed_is_refused_with_its_reason() {
    let laughs = "<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;\">]><l>&b;</l>";
    for (xml, error) in [
        ("", Error::Root),
        ("  \n", Error::Root),
        ("text", Error::Root),
        ("<a/><b/>", Error::Root),
        ("<a/>text", Error::Root),
        ("<a/>&amp;", Error::Root),
        ("<a/><![CDATA[x]]>", Error::Root),
        ("<!DOCTYPE a><a/>", Error::DocumentType),
        ("<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>", Error::DocumentType),
        (laughs, Error::DocumentType),
        ("<!DOCTYPE a [", Error::DocumentType),
        ("<?xml version='1.1'?><a/>", Error::Instruction),
        ("<?xml?><a/>", Error::Instruction),
        (" <?xml version='1.0'?><a/>", Error::Instruction),
        ("<a><?xml version='1.0'?></a>", Error::Instruction),
        ("<?php x?><a/>", Error::Instruction),
        ("<?xml version='1.0' encoding='utf-16'?><a/>", Error::Encoding),
        ("<a>&x;</a>", Error::Entity),
        ("<a>&nbsp;</a>", Error::Entity),
        ("<a>&</a>", Error::Entity),
        ("<a>&amp</a>", Error::Entity),
        ("<a b='&x;'/>", Error::Entity),
        ("<a b='&'/>", Error::Entity),
        ("<a>&#0;</a>", Error::Character),
        ("<a>&#x1;</a>", Error::Character),
        ("<a>&#xd800;</a>", Error::Character),
        ("<a>&#x110000;</a>", Error::Character),
        ("<a>&#99999999999999999999;</a>", Error::Character),
        ("<a>\u{1}</a>", Error::Character),
        ("<a>\u{fffe}</a>", Error::Character),
        ("<a b='\u{0}'/>", Error::Character),
        ("<a b='&#2;'/>", Error::Character),
        ("<1/>", Error::Name),
        ("<a:/>", Error::Name),
        ("<:a/>", Error::Name),
        ("<a:b:c/>", Error::Name),
        ("< a/>", Error::Name),
        ("<a/b/>", Error::Name),
        ("<a 1='2'/>", Error::Name),
        ("<a b/>", Error::Attribute),
        ("<a b=c/>", Error::Attribute),
        ("<a b='<'/>", Error::Attribute),
        ("<a b='1' b='2'/>", Error::DuplicateAttribute),
        ("<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>", Error::DuplicateAttribute),
        ("<a xmlns='u' xmlns='u'/>", Error::DuplicateAttribute),
        ("<p:a/>", Error::Namespace),
        ("<a p:b='1'/>", Error::Namespace),
        ("<a xmlns:p=''/>", Error::Namespace),
        ("<a xmlns:xml='u'/>", Error::Namespace),
        ("<a xmlns:xmlns='u'/>", Error::Namespace),
        ("<xmlns:a/>", Error::Namespace),
        ("<a><b xmlns:p='u'/><p:c/></a>", Error::Namespace),
        ("<a>", Error::Nesting),
        ("<a></b>", Error::Nesting),
        ("<a><b></a></b>", Error::Nesting),
        ("</a>", Error::Nesting),
        ("<a", Error::Syntax),
        ("<a b='", Error::Syntax),
        ("<a><!-- </a>", Error::Syntax),
        ("<a><![CDATA[ </a>", Error::Syntax),
        ("<a><!x></a>", Error::Syntax),
    ] {
        assert_eq!(refusal(xml), Some(error), "{xml}");
        assert!(!error.reason().is_empty());
    }
    assert_eq!(Document::parse(b"<a>\xff</a>", &limits()).err(), Some(Error::Encoding));
    let utf_16: Vec<u8> = "\u{feff}<a/>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(Document::parse(&utf_16, &limits()).err(), Some(Error::Encoding));
}

#[test]
fn bounds_hold() {
    let nested = |depth: usize| "<a>".repeat(depth) + &"</a>".repeat(depth);
    assert_eq!((refusal(&nested(4)), refusal(&nested(5))), (None, Some(Error::TooDeep)));
    assert_eq!(refusal("<a><b><c><d><e/></d></c></b></a>"), Some(Error::TooDeep));
    let wide = |width: usize| format!("<a>{}</a>", "<b/>".repeat(width));
    assert_eq!((refusal(&wide(7)), refusal(&wide(8))), (None, Some(Error::TooManyElements)));
    assert_eq!(refusal("<a b='' c='' d='' e=''/>"), None);
    assert_eq!(refusal("<a b='' c='' d='' e='' f=''/>"), Some(Error::TooManyAttributes));
    let scope = "<a xmlns:b='b' xmlns:c='c'><d xmlns:e='e' xmlns:f='f'/></a>";
    assert_eq!(refusal(scope), Some(Error::TooManyAttributes));
    let text = |len: usize| format!("<a>{}</a>", "x".repeat(len - 7));
    assert_eq!((refusal(&text(4096)), refusal(&text(4097))), (None, Some(Error::TooLarge)));
    assert_eq!(refusal(&"<a>".repeat(1000)), Some(Error::TooDeep));
    let long = |len: usize| format!("<a xmlns='{}'/>", "u".repeat(len));
    assert_eq!((refusal(&long(256)), refusal(&long(257))), (None, Some(Error::NamespaceTooLong)));
    assert_eq!(Error::TooDeep.limit(), Some(Limit::XmlDepth));
    assert_eq!(Error::Syntax.limit(), None);
}

#[test]
fn a_copy_is_complete_in_itself() {
    let xml = "<p xmlns='urn:p' xmlns:q='urn:q' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'>\
        <q:a b=\"'&quot;\" q:c='' xsi:type='q:t'> 1 <d/>2<!-- c --> <e xmlns=''><q:f/></e></q:a>\
        <g xmlns='urn:g'>&gt;\r<h></h></g><i/></p>";
    let document = Document::parse(xml.as_bytes(), &Limits::default()).unwrap();
    let copies: Vec<_> = document.root().children().map(Element::copy).collect();
    let a = "<q:a b=\"'&quot;\" q:c=\"\" xsi:type=\"q:t\" xmlns:q=\"urn:q\" \
        xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns=\"urn:p\"> 1 <d/>2 \
        <e xmlns=\"\"><q:f/></e></q:a>";
    assert_eq!(copies, [a, "<g xmlns=\"urn:g\">&gt;\n<h/></g>", "<i xmlns=\"urn:p\"/>"]);
    let often = "<a xmlns:p='urn:p'><b><p:c/><p:c/><p:c xmlns:p='urn:q'/></b></a>";
    let often = Document::parse(often.as_bytes(), &Limits::default()).unwrap();
    let inner = often.root().children().next().unwrap();
    let once = "<b xmlns=\"\" xmlns:p=\"urn:p\"><p:c/><p:c/><p:c xmlns:p=\"urn:q\"/></b>";
    assert_eq!(inner.copy(), once, "declared once however often it is used");
    let none = Document::parse(b"<a><b/></a>", &Limits::default()).unwrap();
    let inner = none.root().children().next().unwrap();
    assert_eq!(inner.copy(), "<b xmlns=\"\"/>", "also within a document that has a default");
}

#[test]
fn what_a_client_publishes_is_copied_as_it_is() {
    let state = "<state xmlns=\"http://schemas.microsoft.com/2006/09/sip/state\" manual=\"true\" \
        xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"userState\">\
        <availability>6500</availability><endpointLocation/></state>";
    let xml = format!("<publish xmlns=\"urn:x\"><publication>{state}</publication></publish>");
    let document = Document::parse(xml.as_bytes(), &Limits::default()).unwrap();
    let publication = document.root().child("publication").unwrap();
    assert_eq!(publication.children().next().unwrap().copy(), state);
}

#[test]
fn the_writer_escapes_and_closes() {
    let mut xml = Writer::new();
    xml.start("a").attribute("b", "<\"&'\n\u{1}>").attribute_of("n", 7);
    xml.start("c").end().leaf("d", "1 < 2 & 3 > 2\u{b}\r").leaf("e", "").leaf_of("f", 3500);
    xml.raw("<g/>").start("h");
    let text = "<a b=\"&lt;&quot;&amp;'&#10;&gt;\" n=\"7\"><c/><d>1 &lt; 2 &amp; 3 &gt; 2&#13;</d>\
        <e/><f>3500</f><g/><h/></a>";
    assert_eq!(xml.finish(), text);
}

mod properties {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    struct Tree {
        prefix: &'static str,
        attributes: Vec<(&'static str, String)>,
        text: String,
        children: Vec<Tree>,
    }

    fn tree() -> impl Strategy<Value = Tree> {
        const PREFIXES: &[&str] = &["", "p:", "q:"];
        const ATTRIBUTES: &[&str] = &["x", "y", "p:x", "q:x", "xmlns", "xmlns:p", "xmlns:r"];
        let attributes = proptest::sample::subsequence(ATTRIBUTES, 0..4)
            .prop_flat_map(|names| {
                let values = vec("[a-c<>&\"']{1,4}", names.len());
                (Just(names), values)
            })
            .prop_map(|(names, values)| names.into_iter().zip(values).collect::<Vec<_>>());
        let node = (proptest::sample::select(PREFIXES), attributes, ".{0,6}");
        let leaf = node.clone().prop_map(|(prefix, attributes, text)| Tree {
            prefix,
            attributes,
            text,
            children: Vec::new(),
        });
        leaf.prop_recursive(4, 24, 4, move |inner| {
            (node.clone(), vec(inner, 0..4)).prop_map(|((prefix, attributes, text), children)| {
                Tree { prefix, attributes, text, children }
            })
        })
    }

    fn write(tree: &Tree, out: &mut String) {
        out.push_str(&format!("<{}n", tree.prefix));
        for (name, value) in &tree.attributes {
            out.push_str(&format!(" {name}=\""));
            escape_attribute(out, value);
            out.push('"');
        }
        out.push('>');
        escape_text(out, &tree.text);
        tree.children.iter().for_each(|child| write(child, out));
        out.push_str(&format!("</{}n>", tree.prefix));
    }

    const FRAGMENTS: &[&str] = &[
        "<a>",
        "</a>",
        "<a/>",
        "<b:c",
        " xmlns:b='u'",
        " xmlns='v'",
        ">",
        "/>",
        " x=\"1\"",
        "&amp;",
        "&#65;",
        "&#0;",
        "&x;",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?xml version='1.0'?>",
        "<?p?>",
        "<!DOCTYPE a>",
        "text",
        "<",
        "&",
        "\"",
        "'",
        "=",
        " ",
        "\u{1}",
        "\u{fffe}",
        "é",
    ];

    proptest! {
        #[test]
        fn any_octets_are_read_or_refused(data in vec(any::<u8>(), 0..200)) {
            fuzz::document(&data);
        }

        #[test]
        fn anything_like_xml_is_read_or_refused(
            parts in vec(proptest::sample::select(FRAGMENTS), 0..24)
        ) {
            fuzz::document(parts.concat().as_bytes());
            fuzz::document(format!("<r xmlns:b='w'>{}</r>", parts.concat()).as_bytes());
        }

        #[test]
        fn every_element_of_a_tree_is_copied_whole(tree in tree()) {
            let mut xml = String::from("<r xmlns:p='urn:p' xmlns:q='urn:q' xmlns='urn:d'>");
            write(&tree, &mut xml);
            xml.push_str("</r>");
            let document = Document::parse(xml.as_bytes(), &Limits::default());
            // Two prefixes may come to stand for one namespace.
            prop_assume!(document.as_ref().err() != Some(&Error::DuplicateAttribute));
            prop_assert!(document.is_ok(), "{xml}");
            fuzz::document(xml.as_bytes());
        }

        #[test]
        fn what_is_escaped_is_read_again(text in any::<String>()) {
            let allowed: String =
                text.chars().filter(|c| character::is_allowed(*c)).collect();
            let mut writer = Writer::new();
            writer.start("a").attribute("b", &text).leaf("c", &format!("[{text}]"));
            let xml = writer.finish();
            let document = Document::parse(xml.as_bytes(), &Limits::default()).unwrap();
            prop_assert_eq!(document.root().attribute("b"), Some(&*allowed));
            let inner = document.root().children().next().unwrap();
            prop_assert_eq!(inner.text(), format!("[{allowed}]"));
            prop_assert_eq!(Meaning::of(inner), Meaning::of(inner));
        }
    }
}
