//! SOAP 1.1 envelopes as the Lync client sends them in SERVICE: a method with its arguments as
//! children, and parts beside it that the method refers to.

use std::borrow::Cow;

use super::xml::{Document, Element, Writer};

/// The namespace of the envelope (SOAP 1.1 section 3).
pub const ENVELOPE: &str = "http://schemas.xmlsoap.org/soap/envelope/";

/// The namespace of the methods and their arguments.
pub const METHODS: &str = "http://schemas.microsoft.com/winrtc/2002/11/sip";

/// Why a document is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Error {
    /// The root is no SOAP envelope.
    Envelope,
    /// The envelope has no body.
    Body,
    /// The body has no method.
    Method,
}

impl Error {
    /// A short text for the reason phrase or a Warning.
    pub const fn reason(self) -> &'static str {
        match self {
            Error::Envelope => "No SOAP Envelope",
            Error::Body => "SOAP Envelope Without Body",
            Error::Method => "SOAP Body Without Method",
        }
    }
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'t> {
    body: Element<'t>,
    method: Element<'t>,
}

impl<'t> Request<'t> {
    /// The request `document` is. Its method is the first element of the body in the namespace of
    /// methods.
    pub fn of(document: &'t Document<'t>) -> Result<Self, Error> {
        let envelope = document.root();
        if !envelope.is(ENVELOPE, "Envelope") {
            return Err(Error::Envelope);
        }
        let body = envelope.child("Body").ok_or(Error::Body)?;
        let method = body.children().find(|child| child.namespace() == METHODS);
        Ok(Request { body, method: method.ok_or(Error::Method)? })
    }

    /// The name of the method.
    pub fn method(&self) -> &'t str {
        self.method.name()
    }

    /// The text of an argument; `None` when it is absent.
    pub fn argument(&self, name: &str) -> Option<Cow<'t, str>> {
        self.method.child(name).map(Element::text)
    }

    /// The part an argument refers to by `href="#id"`: the element `name` with that `id` beside
    /// the method.
    pub fn part(&self, argument: &str, name: &str) -> Option<Element<'t>> {
        let id = attribute(self.method.child(argument)?, "href")?.strip_prefix('#')?;
        let mut parts = self.body.children().filter(|child| child.is(METHODS, name));
        parts.find(|part| attribute(*part, "id") == Some(id))
    }
}

/// An attribute of an element of METHODS, whose attributes have its prefix or none.
pub fn attribute<'t>(element: Element<'t>, name: &str) -> Option<&'t str> {
    element.attribute_in(METHODS, name).or_else(|| element.attribute(name))
}

/// An envelope whose body `write` writes, the namespaces of envelope and methods under the
/// prefixes `s` and `m`.
pub fn envelope(write: impl FnOnce(&mut Writer)) -> String {
    let mut writer = Writer::new();
    writer.start("s:Envelope").attribute("xmlns:s", ENVELOPE).attribute("xmlns:m", METHODS);
    writer.start("s:Body");
    write(&mut writer);
    writer.finish()
}

/// The body of a refusal that is the sender's fault (SOAP 1.1 section 4.4).
pub fn fault(reason: &str) -> String {
    envelope(|writer| {
        writer.start("s:Fault").leaf("faultcode", "s:Client").leaf("faultstring", reason);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::limits::Limits;

    /// Of the transcript `contact-ops`.
    const ADD_GROUP: &str = concat!(
        r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" "#,
        r#"xmlns:m="http://schemas.microsoft.com/winrtc/2002/11/sip"><s:Body><m:addGroup>"#,
        r#"<m:name>Team</m:name><m:externalURI /><m:deltaNum>1</m:deltaNum></m:addGroup>"#,
        r#"</s:Body></s:Envelope>"#
    );
    const SEARCH: &str = concat!(
        r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" "#,
        r#"xmlns:m="http://schemas.microsoft.com/winrtc/2002/11/sip"><s:Body>"#,
        r##"<m:directorySearch><m:filter m:href="#searchArray"/><m:maxResults>100"##,
        r#"</m:maxResults></m:directorySearch><m:Array m:id="other"/>"#,
        r#"<m:Array m:id="searchArray"><m:row m:attrib="givenName" m:value="Carol"/></m:Array>"#,
        r#"</s:Body></s:Envelope>"#
    );

    fn document(text: &str) -> Document<'_> {
        Document::parse(text.as_bytes(), &Limits::default()).unwrap()
    }

    #[test]
    fn a_method_has_arguments() {
        let document = document(ADD_GROUP);
        let request = Request::of(&document).unwrap();
        assert_eq!(request.method(), "addGroup");
        assert_eq!(request.argument("name").as_deref(), Some("Team"));
        assert_eq!(request.argument("externalURI").as_deref(), Some(""));
        assert_eq!(request.argument("groupID"), None);
    }

    #[test]
    fn a_part_is_found_by_reference() {
        let document = document(SEARCH);
        let request = Request::of(&document).unwrap();
        let row = request.part("filter", "Array").unwrap().children().next().unwrap();
        assert_eq!(attribute(row, "attrib"), Some("givenName"));
        assert_eq!(attribute(row, "value"), Some("Carol"));
        assert!(request.part("maxResults", "Array").is_none());
        assert!(request.part("filter", "List").is_none());
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let envelope = |body: &str| format!("<Envelope xmlns='{ENVELOPE}'>{body}</Envelope>");
        let body = envelope("<Body><addGroup/></Body>");
        for (text, error) in [
            ("<Envelope/>", Error::Envelope),
            (&*envelope("<Header/>"), Error::Body),
            (&*envelope("<Body xmlns=''/>"), Error::Body),
            (&*body, Error::Method),
        ] {
            assert_eq!(Request::of(&document(text)).unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn a_fault_says_whose_and_why() {
        let text = fault("no <such> group");
        let start = concat!(
            r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" "#,
            r#"xmlns:m="http://schemas.microsoft.com/winrtc/2002/11/sip"><s:Body>"#,
        );
        let rest = "<s:Fault><faultcode>s:Client</faultcode>\
                    <faultstring>no &lt;such&gt; group</faultstring></s:Fault>\
                    </s:Body></s:Envelope>";
        assert_eq!(text, format!("{start}{rest}"));
    }
}
