//! Header names: one table. A new header is one line of it.

/// Declares the headers: variant, canonical name, compact form or "", whether it may stand once
/// only (`one`) or more often (`many`).
macro_rules! headers {
    ($($variant:ident $name:literal $compact:literal $times:ident;)*) => {
        /// A header the server knows by name. Names compare case-insensitively; compact forms
        /// (RFC 3261 section 7.3.3) are the same header.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum HeaderName {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
            /// Any other header: kept and forwarded, not looked at.
            #[default]
            Other,
        }

        impl HeaderName {
            /// Number of variants; `name as usize` is below it.
            pub const COUNT: usize = [$($name,)* ""].len();

            /// All known names in declaration order, without [`HeaderName::Other`].
            pub const ALL: [HeaderName; HeaderName::COUNT - 1] = [$(HeaderName::$variant,)*];

            /// The canonical name; empty for [`HeaderName::Other`].
            pub const fn as_str(self) -> &'static str {
                match self { $(HeaderName::$variant => $name,)* HeaderName::Other => "" }
            }

            /// The compact form, one letter; empty when the header has none.
            pub const fn compact(self) -> &'static str {
                match self { $(HeaderName::$variant => $compact,)* HeaderName::Other => "" }
            }

            /// "Missing Call-ID", for the answer.
            pub const fn missing(self) -> &'static str {
                match self {
                    $(HeaderName::$variant => concat!("Missing ", $name),)*
                    HeaderName::Other => "Missing Header",
                }
            }

            /// "Duplicate Call-ID", for the answer.
            pub const fn duplicate(self) -> &'static str {
                match self {
                    $(HeaderName::$variant => concat!("Duplicate ", $name),)*
                    HeaderName::Other => "Duplicate Header",
                }
            }

            /// Whether the header may stand only once in a message.
            pub const fn is_single(self) -> bool {
                match self { $(HeaderName::$variant => headers!(@$times),)* HeaderName::Other => false }
            }
        }
    };
    (@one) => { true };
    (@many) => { false };
}

headers! {
    Accept "Accept" "" many;
    Allow "Allow" "" many;
    AllowEvents "Allow-Events" "u" many;
    AuthenticationInfo "Authentication-Info" "" many;
    Authorization "Authorization" "" many;
    CallId "Call-ID" "i" one;
    Contact "Contact" "m" many;
    ContentDisposition "Content-Disposition" "" one;
    ContentEncoding "Content-Encoding" "e" many;
    ContentLength "Content-Length" "l" one;
    ContentType "Content-Type" "c" one;
    CSeq "CSeq" "" one;
    Date "Date" "" one;
    Event "Event" "o" one;
    Expires "Expires" "" one;
    From "From" "f" one;
    MaxForwards "Max-Forwards" "" one;
    MinExpires "Min-Expires" "" one;
    MsAssertedVerificationLevel "ms-asserted-verification-level" "" many;
    MsConversationId "Ms-Conversation-ID" "" many;
    MsDiagnostics "ms-diagnostics" "" many;
    MsDiagnosticsPublic "ms-diagnostics-public" "" many;
    MsEdgeProxyMessageTrust "ms-edge-proxy-message-trust" "" many;
    MsKeepAlive "ms-keep-alive" "" many;
    MsSender "Ms-Sender" "" many;
    MsTextFormat "ms-text-format" "" many;
    MsUserLogonData "ms-user-logon-data" "" many;
    PAssertedIdentity "P-Asserted-Identity" "" many;
    Path "Path" "" many;
    PPreferredIdentity "P-Preferred-Identity" "" many;
    ProxyAuthenticate "Proxy-Authenticate" "" many;
    ProxyAuthenticationInfo "Proxy-Authentication-Info" "" many;
    ProxyAuthorization "Proxy-Authorization" "" many;
    ProxyRequire "Proxy-Require" "" many;
    Reason "Reason" "" many;
    RecordRoute "Record-Route" "" many;
    ReferredBy "Referred-By" "b" one;
    ReferTo "Refer-To" "r" one;
    Replaces "Replaces" "" one;
    RemotePartyId "Remote-Party-ID" "" many;
    ReplyTo "Reply-To" "" one;
    Require "Require" "" many;
    RetryAfter "Retry-After" "" one;
    Route "Route" "" many;
    Server "Server" "" many;
    ServiceRoute "Service-Route" "" many;
    SipEtag "SIP-ETag" "" one;
    SipIfMatch "SIP-If-Match" "" one;
    Subject "Subject" "s" one;
    SubscriptionState "Subscription-State" "" one;
    Supported "Supported" "k" many;
    Timestamp "Timestamp" "" one;
    To "To" "t" one;
    Unsupported "Unsupported" "" many;
    UserAgent "User-Agent" "" many;
    Via "Via" "v" many;
    Warning "Warning" "" many;
    WwwAuthenticate "WWW-Authenticate" "" many;
}

impl HeaderName {
    /// The header of that name or compact form, [`HeaderName::Other`] for any other.
    #[inline]
    pub fn from_bytes(name: &[u8]) -> HeaderName {
        Key::of(name).map_or(HeaderName::Other, |key| key.find())
    }

    /// The header whose name and colon stand at the start of `text`, and what precedes the colon;
    /// `None` when no colon is near. A name in the table is exact; any other text before the colon
    /// is [`HeaderName::Other`], a name or not.
    #[inline]
    pub(super) fn at_start(text: &[u8]) -> Option<(HeaderName, usize)> {
        match text.first_chunk() {
            Some(start) => HeaderName::before_colon(start),
            None => {
                let mut padded = [0u8; NAME_MAX];
                padded.get_mut(..text.len())?.copy_from_slice(text);
                HeaderName::before_colon(&padded)
            }
        }
    }

    /// Names of up to 15 octets, nearly all, take the short way.
    #[inline(always)]
    fn before_colon(text: &[u8; NAME_MAX]) -> Option<(HeaderName, usize)> {
        let (chunks, _) = text.as_chunks::<8>();
        let [first, second, ..] = *chunks else { return None };
        let (first, second) = (Word::of(first), Word::of(second));
        let (key, len) = match (first.colon(), second.colon()) {
            (Some(len), _) => (Key([first.before(len), 0, 0, 0]), len),
            (None, Some(len)) => (Key([first.all(), second.before(len), 0, 0]), 8 + len),
            (None, None) => Key::before_colon(text)?,
        };
        Some((key.find(), len))
    }
}

/// A name is at most one octet shorter than this; a longer one is not known.
const NAME_MAX: usize = 32;

/// A name folded to lower case, in words filled up with zeros: two names are the same header
/// exactly when their keys are equal. Setting bit 0x20 folds letters; of the other octets it makes
/// alike, none but the CR (which looks like `-` then) could turn a foreign name into a known one,
/// and a CR never stands in a header name.
#[derive(Clone, Copy)]
struct Key([u64; NAME_MAX / 8]);

const ONES: u64 = 0x0101_0101_0101_0101;
const LOWER: u64 = ONES * 0x20;
/// Slots of the table; a power of two.
const SLOTS: usize = 512;

impl Key {
    const NONE: Key = Key([0; NAME_MAX / 8]);

    fn of(name: &[u8]) -> Option<Key> {
        let mut padded = [b':'; NAME_MAX];
        padded.get_mut(..name.len())?.copy_from_slice(name);
        let (key, len) = Key::before_colon(&padded)?;
        (len == name.len()).then_some(key)
    }

    /// The key of what stands before the first colon, and its length.
    const fn before_colon(text: &[u8; NAME_MAX]) -> Option<(Key, usize)> {
        let (chunks, _) = text.as_chunks::<8>();
        let mut key = Key::NONE;
        let mut i = 0;
        while i < key.0.len() {
            let word = Word::of(chunks[i]);
            if let Some(len) = word.colon() {
                key.0[i] = word.before(len);
                return Some((key, 8 * i + len));
            }
            key.0[i] = word.all();
            i += 1;
        }
        None
    }

    #[inline(always)]
    const fn slot(&self, multiplier: u64) -> usize {
        let [a, b, c, d] = self.0;
        let mixed = a ^ b.rotate_left(7) ^ c.rotate_left(23) ^ d.rotate_left(41);
        (mixed.wrapping_mul(multiplier) >> (64 - SLOTS.trailing_zeros())) as usize
    }

    #[inline(always)]
    fn find(&self) -> HeaderName {
        let slot = &TABLE.slots[self.slot(TABLE.multiplier)];
        let ([a, b, c, d], [e, f, g, h]) = (self.0, slot.key.0);
        let same = (a ^ e) | (b ^ f) | (c ^ g) | (d ^ h) == 0;
        if same { slot.name } else { HeaderName::Other }
    }
}

/// Eight octets of a name and of what follows it; the first one is the lowest.
#[derive(Clone, Copy)]
struct Word(u64);

impl Word {
    #[inline(always)]
    const fn of(octets: [u8; 8]) -> Word {
        Word(u64::from_le_bytes(octets))
    }

    /// Number of octets before the first colon.
    #[inline(always)]
    const fn colon(self) -> Option<usize> {
        let colons = self.0 ^ (ONES * b':' as u64);
        // The lowest bit set marks the first octet that is a colon.
        let marks = colons.wrapping_sub(ONES) & !colons & (ONES << 7);
        if marks == 0 { None } else { Some((marks.trailing_zeros() / 8) as usize) }
    }

    /// The first `len` octets in lower case, zeros behind them.
    #[inline(always)]
    const fn before(self, len: usize) -> u64 {
        self.all() & ((1 << (8 * len)) - 1)
    }

    /// All octets in lower case.
    #[inline(always)]
    const fn all(self) -> u64 {
        self.0 | LOWER
    }
}

#[derive(Clone, Copy)]
struct Slot {
    key: Key,
    name: HeaderName,
}

/// A perfect hash of all names and compact forms, made by the compiler.
struct Table {
    multiplier: u64,
    slots: [Slot; SLOTS],
}

static TABLE: Table = table();

const fn table() -> Table {
    let mut multiplier = 0x9e37_79b9_7f4a_7c15u64;
    loop {
        if let Some(slots) = fill(multiplier) {
            return Table { multiplier, slots };
        }
        multiplier = multiplier.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e);
    }
}

/// The slots under one multiplier; `None` when two names would share one.
const fn fill(multiplier: u64) -> Option<[Slot; SLOTS]> {
    let mut slots = [Slot { key: Key::NONE, name: HeaderName::Other }; SLOTS];
    let mut i = 0;
    while i < HeaderName::ALL.len() {
        let name = HeaderName::ALL[i];
        let forms = [name.as_str(), name.compact()];
        let mut form = 0;
        while form < forms.len() {
            let text = forms[form].as_bytes();
            if !text.is_empty() {
                let key = const_key(text);
                let slot = key.slot(multiplier);
                if !matches!(slots[slot].name, HeaderName::Other) {
                    return None;
                }
                slots[slot] = Slot { key, name };
            }
            form += 1;
        }
        i += 1;
    }
    Some(slots)
}

/// [`Key::of`] for the table.
const fn const_key(name: &[u8]) -> Key {
    assert!(name.len() < NAME_MAX, "the table takes shorter names only");
    let mut padded = [b':'; NAME_MAX];
    let mut i = 0;
    while i < name.len() {
        padded[i] = name[i];
        i += 1;
    }
    match Key::before_colon(&padded) {
        Some((key, _)) => key,
        None => Key::NONE,
    }
}

/// A set of header names, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeaderSet(u64);

const _: () = assert!(HeaderName::COUNT <= 64, "HeaderSet has one bit for each name");

impl HeaderSet {
    /// No header.
    pub const EMPTY: HeaderSet = HeaderSet(0);

    /// The set of these names.
    pub const fn of(names: &[HeaderName]) -> HeaderSet {
        let mut set = HeaderSet::EMPTY;
        let mut i = 0;
        while i < names.len() {
            set = set.with(names[i]);
            i += 1;
        }
        set
    }

    /// This set and one name more.
    pub const fn with(self, name: HeaderName) -> HeaderSet {
        HeaderSet(self.0 | 1 << name as u8)
    }

    /// Whether the name is in the set.
    #[inline]
    pub const fn contains(self, name: HeaderName) -> bool {
        self.0 >> name as u8 & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_and_compact_form_is_found_in_any_case() {
        for (index, name) in HeaderName::ALL.into_iter().enumerate() {
            assert_eq!(name as usize, index);
            for form in [name.as_str(), name.compact()] {
                if form.is_empty() {
                    continue;
                }
                assert_eq!(HeaderName::from_bytes(form.as_bytes()), name, "{form}");
                assert_eq!(HeaderName::from_bytes(form.to_lowercase().as_bytes()), name);
                assert_eq!(HeaderName::from_bytes(form.to_uppercase().as_bytes()), name);
            }
        }
        assert_eq!(HeaderName::Other as usize, HeaderName::COUNT - 1);
    }

    #[test]
    fn a_name_is_found_before_its_colon() {
        for name in HeaderName::ALL {
            let text = name.as_str();
            for line in [format!("{text}:"), format!("{text}: value of some length: x")] {
                assert_eq!(HeaderName::at_start(line.as_bytes()), Some((name, text.len())));
            }
            for line in [format!("{text} :"), format!("{text}x: {text}:")] {
                let other = Some((HeaderName::Other, text.len() + 1));
                assert_eq!(HeaderName::at_start(line.as_bytes()), other, "{line}");
            }
        }
        for line in [&b""[..], &[b'a'; 31], &[b'a'; 32], &[b'a'; 99]] {
            assert_eq!(HeaderName::at_start(line), None);
        }
        for (line, len) in [(&b":"[..], 0), (b"\r\nVia: x", 5), (b"Via\r\n:", 5)] {
            assert_eq!(HeaderName::at_start(line), Some((HeaderName::Other, len)));
        }
    }

    #[test]
    fn near_misses_are_other() {
        for name in HeaderName::ALL {
            let text = name.as_str();
            for near in [format!("{text}x"), format!("x{text}"), text[1..].to_owned()] {
                let found = HeaderName::from_bytes(near.as_bytes());
                assert!(found != name, "{near} is not {text}");
            }
            for at in 0..text.len() {
                for octet in 0x21..=0xffu8 {
                    let mut changed = text.as_bytes().to_vec();
                    changed[at] = octet;
                    let same = changed.eq_ignore_ascii_case(text.as_bytes());
                    assert_eq!(HeaderName::from_bytes(&changed) == name, same, "{changed:?}");
                }
            }
        }
        for other in [&b""[..], b"X", b"X-Custom", &[b'a'; 32], &[b'a'; 33], &[b'a'; 4096]] {
            assert_eq!(HeaderName::from_bytes(other), HeaderName::Other);
        }
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let set = HeaderSet::of(&[HeaderName::Via, HeaderName::Other]);
        for name in HeaderName::ALL {
            assert_eq!(set.contains(name), name == HeaderName::Via);
        }
        assert!(set.contains(HeaderName::Other));
        assert!(!HeaderSet::EMPTY.contains(HeaderName::Accept));
    }

    #[test]
    fn reasons_name_the_header() {
        assert_eq!(HeaderName::CallId.missing(), "Missing Call-ID");
        assert_eq!(HeaderName::From.duplicate(), "Duplicate From");
    }
}
