//! One message: its octets and its head, headers typed when asked for.

use super::error::Error;
use super::head::Head;
use super::header::HeaderName;
use super::list::Elements;
use super::method::Method;
use super::name_addr::NameAddr;
use super::octets;
use super::uri::Uri;
use super::via::Via;

/// A view over the octets of one message and their index. Nothing is kept of what was typed:
/// asking twice reads twice.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    head: &'a Head,
}

/// CSeq (RFC 3261 section 20.16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// The sequence number, below 2^31.
    pub number: u32,
    /// The method as written.
    pub method: &'a [u8],
}

impl<'a> CSeq<'a> {
    /// Reads `number method`.
    ///
    /// # Errors
    /// [`Error::CSeq`].
    pub fn parse(value: &'a [u8]) -> Result<CSeq<'a>, Error> {
        let value = octets::trim(value);
        let len = value.iter().position(|o| !o.is_ascii_digit()).ok_or(Error::CSeq)?;
        let (number, rest) = value.split_at_checked(len).ok_or(Error::CSeq)?;
        let method = octets::trim_start(rest);
        let number = octets::digits(number).ok_or(Error::CSeq)?;
        if number >= 1 << 31 || method.len() == rest.len() || !octets::is_token(method) {
            return Err(Error::CSeq);
        }
        Ok(CSeq { number, method })
    }
}

impl<'a> Message<'a> {
    /// The message of `bytes`, which `head` was made from.
    pub fn new(bytes: &'a [u8], head: &'a Head) -> Self {
        Message { bytes, head }
    }

    /// All octets.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The index.
    pub fn head(&self) -> &'a Head {
        self.head
    }

    /// The octets behind the blank line.
    pub fn body(&self) -> &'a [u8] {
        self.bytes.get(self.head.len()..).unwrap_or(&[])
    }

    /// Whether it is a request.
    pub fn is_request(&self) -> bool {
        self.head.is_request()
    }

    /// The method of a request; of a response, the method of its CSeq.
    pub fn method(&self) -> Method {
        match self.head.method() {
            Some(method) => method,
            None => self.cseq().map_or(Method::Other, |cseq| Method::from_bytes(cseq.method)),
        }
    }

    /// The method as written; of a response, that of its CSeq.
    pub fn method_text(&self) -> &'a [u8] {
        if self.is_request() {
            return self.head.method_span().of(self.bytes);
        }
        self.cseq().map_or(&[], |cseq| cseq.method)
    }

    /// The Request-URI; empty for a response.
    pub fn uri(&self) -> &'a [u8] {
        self.head.uri().of(self.bytes)
    }

    /// The status code of a response, 0 for a request.
    pub fn status(&self) -> u16 {
        self.head.status()
    }

    /// The reason phrase of a response; empty for a request.
    pub fn reason(&self) -> &'a [u8] {
        self.head.reason().of(self.bytes)
    }

    /// The first value of that name, as written.
    #[inline]
    pub fn header(&self, name: HeaderName) -> Option<&'a [u8]> {
        self.head.first(name).map(|field| field.value.of(self.bytes))
    }

    /// The values of that name in order, one for each header line; a value may be a comma list.
    #[inline]
    pub fn headers(&self, name: HeaderName) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        let bytes = self.bytes;
        let fields = self.head.tail_at(name).iter();
        fields.filter(move |field| field.name == name).map(move |field| field.value.of(bytes))
    }

    /// The values of headers that are not in the table, found by name (compared without case).
    pub fn other_headers<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        let bytes = self.bytes;
        let others = self.head.fields().iter().filter(|f| f.name == HeaderName::Other);
        others
            .filter(move |f| f.name_span.of(bytes).eq_ignore_ascii_case(name.as_bytes()))
            .map(move |f| f.value.of(bytes))
    }

    /// The elements of all comma lists of that name, trimmed, empty ones left out.
    #[inline]
    pub fn list(&self, name: HeaderName) -> Elements<'a> {
        Elements::new(self.bytes, self.head.tail_at(name), name)
    }

    /// Whether an element of the comma lists of that name is this token (compared without case).
    pub fn has_token(&self, name: HeaderName, token: &str) -> bool {
        self.list(name).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// Number of header lines of that name.
    pub fn count(&self, name: HeaderName) -> usize {
        self.headers(name).count()
    }

    /// Number of Via elements: the hops the message has made.
    pub fn via_count(&self) -> usize {
        self.list(HeaderName::Via).count()
    }

    /// The topmost Via element.
    ///
    /// # Errors
    /// [`Error::MissingHeader`], or what [`Via::parse`] says.
    #[inline]
    pub fn top_via(&self) -> Result<Via<'a>, Error> {
        let missing = Error::MissingHeader(HeaderName::Via);
        Via::parse(self.list(HeaderName::Via).next().ok_or(missing)?)
    }

    /// From.
    ///
    /// # Errors
    /// [`Error::MissingHeader`], or what [`NameAddr::parse`] says.
    #[inline]
    pub fn from(&self) -> Result<NameAddr<'a>, Error> {
        NameAddr::parse(self.mandatory(HeaderName::From)?)
    }

    /// To.
    ///
    /// # Errors
    /// [`Error::MissingHeader`], or what [`NameAddr::parse`] says.
    #[inline]
    pub fn to(&self) -> Result<NameAddr<'a>, Error> {
        NameAddr::parse(self.mandatory(HeaderName::To)?)
    }

    /// The tag of From.
    pub fn from_tag(&self) -> Option<&'a [u8]> {
        self.from().ok()?.tag()
    }

    /// The tag of To.
    pub fn to_tag(&self) -> Option<&'a [u8]> {
        self.to().ok()?.tag()
    }

    /// Call-ID.
    ///
    /// # Errors
    /// [`Error::MissingHeader`], or [`Error::CallId`].
    #[inline]
    pub fn call_id(&self) -> Result<&'a [u8], Error> {
        let value = self.mandatory(HeaderName::CallId)?;
        let valid = !value.is_empty() && octets::all(value, octets::WORD);
        if valid { Ok(value) } else { Err(Error::CallId) }
    }

    /// CSeq.
    ///
    /// # Errors
    /// [`Error::MissingHeader`], or what [`CSeq::parse`] says.
    #[inline]
    pub fn cseq(&self) -> Result<CSeq<'a>, Error> {
        CSeq::parse(self.mandatory(HeaderName::CSeq)?)
    }

    /// Max-Forwards.
    ///
    /// # Errors
    /// [`Error::MaxForwards`] when it is not a number from 0 to 255.
    pub fn max_forwards(&self) -> Result<Option<u8>, Error> {
        let Some(value) = self.header(HeaderName::MaxForwards) else { return Ok(None) };
        let number = octets::digits(value).and_then(|number| u8::try_from(number).ok());
        number.map(Some).ok_or(Error::MaxForwards)
    }

    /// Expires, in seconds; a number above `u32::MAX` is taken for it.
    ///
    /// # Errors
    /// [`Error::Expires`] when it is not a number.
    pub fn expires(&self) -> Result<Option<u32>, Error> {
        let Some(value) = self.header(HeaderName::Expires) else { return Ok(None) };
        octets::digits(value).map(Some).ok_or(Error::Expires)
    }

    /// The Contact elements. `*` is an error here; ask [`Message::is_contact_star`] first.
    pub fn contacts(&self) -> impl Iterator<Item = Result<NameAddr<'a>, Error>> + use<'a> {
        self.list(HeaderName::Contact).map(NameAddr::parse)
    }

    /// Where later requests go that are meant for the sender of this one, if it makes a dialog: the
    /// URI of its Contact or, of a sender that gives none that is a URI, its address; empty when that
    /// is none either.
    pub fn remote_target(&self) -> &'a [u8] {
        let own = if self.is_request() { self.from() } else { self.to() };
        let mut given = self.contacts().chain([own]).filter_map(Result::ok).map(|given| given.uri);
        given.find(|uri| Uri::parse(uri).is_ok()).unwrap_or_default()
    }

    /// Whether the one Contact is `*` (RFC 3261 section 10.2.2).
    pub fn is_contact_star(&self) -> bool {
        self.list(HeaderName::Contact).eq([b"*"])
    }

    /// Content-Type with its parameters.
    pub fn content_type(&self) -> Option<&'a [u8]> {
        self.header(HeaderName::ContentType)
    }

    /// `type/subtype` of the Content-Type, without parameters.
    pub fn media_type(&self) -> Option<&'a [u8]> {
        self.content_type()?.split(|&octet| octet == b';').next().map(octets::trim_end)
    }

    /// Whether the Content-Type is this one (compared without case, without parameters).
    pub fn is_media_type(&self, media_type: &str) -> bool {
        self.media_type().is_some_and(|own| own.eq_ignore_ascii_case(media_type.as_bytes()))
    }

    #[inline]
    fn mandatory(&self, name: HeaderName) -> Result<&'a [u8], Error> {
        self.header(name).ok_or(Error::MissingHeader(name))
    }
}

#[cfg(test)]
mod tests;
