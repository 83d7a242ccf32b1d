//! Requests written from readable texts (`templates/<dialect>/*.sip`), compiled once a thread.
//!
//! A text holds `[field]` marks. A line that is nothing but a mark of a *line field* disappears
//! when the field is empty; such a field brings its own line ends. `[length]` becomes the length
//! of the body.

use crate::number::push_number;

macro_rules! fields {
    ($($(#[$doc:meta])* $variant:ident $text:literal;)*) => {
        /// What a mark in a template stands for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Field { $($(#[$doc])* $variant,)* }

        impl Field {
            const COUNT: usize = [$(Field::$variant),*].len();

            fn of(text: &str) -> Option<Field> {
                match text { $($text => Some(Field::$variant),)* _ => None }
            }
        }
    };
}

fields! {
    /// Own address, `user@domain`.
    Aor "aor";
    /// Line field: Authorization or Proxy-Authorization.
    Authorization "authorization";
    /// Line field: the extension that asks for BENOTIFY.
    Benotify "benotify";
    /// Text of an instant message, or the part of a document that differs each time.
    Body "body";
    /// Branch of the top Via.
    Branch "branch";
    /// Call-ID.
    CallId "call-id";
    /// Own Contact URI.
    Contact "contact";
    /// CSeq number.
    CSeq "cseq";
    /// SIP domain.
    Domain "domain";
    /// Endpoint identifier (12 hexadecimal digits).
    Epid "epid";
    /// Event package.
    Event "event";
    /// Line field: Expires.
    Expires "expires";
    /// Line field: SIP-If-Match.
    IfMatch "if-match";
    /// Local IP address.
    Ip "ip";
    /// Length of the body.
    Length "length";
    /// Local `ip:port`.
    Local "local";
    /// Address of the other side, `user@domain`.
    Peer "peer";
    /// Parameters of the To header: `;tag=…` or nothing.
    PeerTag "peer-tag";
    /// Line field: Route headers.
    Routes "routes";
    /// Own tag.
    Tag "tag";
    /// Transport token, in the letter case of the dialect.
    Transport "transport";
    /// Request-URI.
    Uri "uri";
    /// User part of the own address.
    User "user";
    /// `+sip.instance` UUID.
    Uuid "uuid";
}

impl Field {
    fn is_line(self) -> bool {
        matches!(
            self,
            Field::Authorization
                | Field::Benotify
                | Field::Expires
                | Field::IfMatch
                | Field::Routes
        )
    }
}

/// Values for one request.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a>([&'a [u8]; Field::COUNT]);

impl<'a> Fields<'a> {
    /// All empty.
    pub fn new() -> Self {
        Fields([&[]; Field::COUNT])
    }

    /// Gives a field its value.
    pub fn set(&mut self, field: Field, value: &'a [u8]) -> &mut Self {
        self.0[field as usize] = value;
        self
    }

    fn value(&self, field: Field) -> &'a [u8] {
        self.0[field as usize]
    }
}

impl Default for Fields<'_> {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Debug)]
enum Part {
    Text(Vec<u8>),
    Field(Field),
}

/// One compiled request.
#[derive(Debug)]
pub struct Template {
    head: Vec<Part>,
    body: Vec<Part>,
}

impl Template {
    /// Compiles a text with LF line ends; the first empty line ends the head, and the text's last
    /// line end is not part of the body.
    ///
    /// # Errors
    /// Names the mark that is unknown or not closed.
    pub fn compile(text: &str) -> Result<Template, String> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let (head, body) = text.split_once("\n\n").unwrap_or((text.trim_end(), ""));
        let mut template = Template { head: Vec::new(), body: Vec::new() };
        for line in head.lines() {
            compile_line(line, &mut template.head)?;
        }
        template.head.push(Part::Text(b"\r\n".to_vec()));
        for line in body.split_inclusive('\n') {
            let ends = line.ends_with('\n');
            compile_marks(line.trim_end_matches('\n'), &mut template.body)?;
            if ends {
                template.body.push(Part::Text(b"\r\n".to_vec()));
            }
        }
        merge(&mut template.head);
        merge(&mut template.body);
        Ok(template)
    }

    /// Appends the request with these values.
    pub fn render(&self, fields: &Fields<'_>, out: &mut Vec<u8>) {
        let length: usize = self.body.iter().map(|part| part.bytes(fields).len()).sum();
        for part in &self.head {
            match part {
                Part::Field(Field::Length) => push_number(out, length as u64),
                part => out.extend_from_slice(part.bytes(fields)),
            }
        }
        for part in &self.body {
            out.extend_from_slice(part.bytes(fields));
        }
    }
}

impl Part {
    fn bytes<'a>(&'a self, fields: &Fields<'a>) -> &'a [u8] {
        match self {
            Part::Text(text) => text,
            Part::Field(field) => fields.value(*field),
        }
    }
}

fn compile_line(line: &str, parts: &mut Vec<Part>) -> Result<(), String> {
    let alone = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match alone.and_then(Field::of) {
        Some(field) if field.is_line() => parts.push(Part::Field(field)),
        _ => {
            compile_marks(line, parts)?;
            parts.push(Part::Text(b"\r\n".to_vec()));
        }
    }
    Ok(())
}

fn compile_marks(line: &str, parts: &mut Vec<Part>) -> Result<(), String> {
    let mut rest = line;
    while let Some((text, marked)) = rest.split_once('[') {
        let (name, after) =
            marked.split_once(']').ok_or_else(|| format!("[ is not closed in: {line}"))?;
        let field = Field::of(name).ok_or_else(|| format!("unknown mark [{name}]"))?;
        parts.push(Part::Text(text.as_bytes().to_vec()));
        parts.push(Part::Field(field));
        rest = after;
    }
    parts.push(Part::Text(rest.as_bytes().to_vec()));
    Ok(())
}

/// Joins neighbouring texts.
fn merge(parts: &mut Vec<Part>) {
    let mut merged: Vec<Part> = Vec::with_capacity(parts.len());
    for part in parts.drain(..) {
        match (merged.last_mut(), part) {
            (_, Part::Text(text)) if text.is_empty() => {}
            (Some(Part::Text(before)), Part::Text(text)) => before.extend_from_slice(&text),
            (_, part) => merged.push(part),
        }
    }
    *parts = merged;
}

/// Every request of one dialect.
#[derive(Debug)]
pub struct Templates {
    /// REGISTER: sign-in, refresh and sign-out.
    pub register: Template,
    /// INVITE of an instant-messaging session.
    pub invite: Template,
    /// ACK.
    pub ack: Template,
    /// MESSAGE: in a session (`ms`) or on its own (`simple`).
    pub message: Template,
    /// BYE.
    pub bye: Template,
    /// SUBSCRIBE to presence: a batch of users (`ms`) or one (`simple`).
    pub subscribe: Template,
    /// SUBSCRIBE that ends a subscription.
    pub unsubscribe: Template,
    /// Publication of the own state: SERVICE (`ms`) or PUBLISH (`simple`).
    pub publish: Template,
    /// Requests of conferences, which only Lync clients make.
    pub conference: ConferenceTemplates,
    /// Further requests of Lync clients.
    pub lync: LyncTemplates,
    /// PUBLISH that takes the own state back; a Lync client's ends with its connection.
    pub unpublish: Option<Template>,
}

/// What Lync clients ask for besides.
#[derive(Debug)]
pub struct LyncTemplates {
    /// SUBSCRIBE to the user's contact list.
    pub contacts: Template,
    /// SUBSCRIBE to what the user has published, and who watches.
    pub own: Template,
    /// SUBSCRIBE without a life: documents of users.
    pub poll: Template,
    /// SUBSCRIBE without a life: what the server has for its clients.
    pub provisioning: Template,
    /// SERVICE that searches the directory.
    pub search: Template,
    /// INFO that the user is typing.
    pub typing: Template,
}

/// Requests of a member of a conference.
#[derive(Debug)]
pub struct ConferenceTemplates {
    /// SERVICE that makes a conference.
    pub create: Template,
    /// INVITE of the focus: the user adds himself.
    pub join: Template,
    /// SUBSCRIBE to the roster.
    pub watch: Template,
    /// SUBSCRIBE that ends it.
    pub unwatch: Template,
    /// INVITE of the instant messages.
    pub chat: Template,
}

macro_rules! load {
    ($folder:literal) => {
        Templates {
            register: load!($folder, "register"),
            invite: load!($folder, "invite"),
            ack: load!($folder, "ack"),
            message: load!($folder, "message"),
            bye: load!($folder, "bye"),
            subscribe: load!($folder, "subscribe"),
            unsubscribe: load!($folder, "unsubscribe"),
            publish: load!($folder, "publish"),
            conference: ConferenceTemplates {
                create: load!("conference", "create"),
                join: load!("conference", "join"),
                watch: load!("conference", "watch"),
                unwatch: load!("conference", "unwatch"),
                chat: load!("conference", "chat"),
            },
            lync: LyncTemplates {
                contacts: load!("ms", "contacts"),
                own: load!("ms", "own"),
                poll: load!("ms", "poll"),
                provisioning: load!("ms", "provisioning"),
                search: load!("ms", "search"),
                typing: load!("ms", "typing"),
            },
            unpublish: None,
        }
    };
    ($folder:literal, $name:literal) => {
        Template::compile(include_str!(concat!("../templates/", $folder, "/", $name, ".sip")))?
    };
}

impl Templates {
    /// The Lync client's requests.
    ///
    /// # Errors
    /// When a built-in text is broken, which a test excludes.
    pub fn ms() -> Result<Templates, String> {
        Ok(load!("ms"))
    }

    /// A SIMPLE client's requests.
    ///
    /// # Errors
    /// When a built-in text is broken, which a test excludes.
    pub fn simple() -> Result<Templates, String> {
        let unpublish = Some(load!("simple", "unpublish"));
        Ok(Templates { unpublish, ..load!("simple") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_filled_and_an_empty_line_field_leaves_no_line() {
        let template = Template::compile(
            "MESSAGE [uri] SIP/2.0\n[routes]\nContent-Length: [length]\n\nto [peer]\nbye\n",
        )
        .unwrap();
        let mut fields = Fields::new();
        fields.set(Field::Uri, b"sip:b").set(Field::Peer, b"bob");
        let mut out = Vec::new();
        template.render(&fields, &mut out);
        assert_eq!(out, b"MESSAGE sip:b SIP/2.0\r\nContent-Length: 11\r\n\r\nto bob\r\nbye");
        out.clear();
        fields.set(Field::Routes, b"Route: <sip:a;lr>\r\nRoute: <sip:c;lr>\r\n");
        template.render(&fields, &mut out);
        assert!(
            out.starts_with(
                b"MESSAGE sip:b SIP/2.0\r\nRoute: <sip:a;lr>\r\nRoute: <sip:c;lr>\r\nC"
            )
        );
    }

    #[test]
    fn a_text_without_body_ends_with_the_empty_line() {
        let template = Template::compile("ACK x SIP/2.0\nContent-Length: [length]\n\n").unwrap();
        let mut out = Vec::new();
        template.render(&Fields::new(), &mut out);
        assert_eq!(out, b"ACK x SIP/2.0\r\nContent-Length: 0\r\n\r\n");
    }

    #[test]
    fn broken_marks_are_named() {
        assert_eq!(Template::compile("A [nonsense]").unwrap_err(), "unknown mark [nonsense]");
        assert_eq!(Template::compile("A [aor").unwrap_err(), "[ is not closed in: A [aor");
    }

    #[test]
    fn the_built_in_texts_compile() {
        Templates::ms().unwrap();
        Templates::simple().unwrap();
    }
}
