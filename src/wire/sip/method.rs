//! Request methods.

/// The method of a request. `method as usize` is below [`Method::COUNT`] and indexes counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Method {
    /// RFC 3261.
    Ack,
    /// MS-SIP: a NOTIFY that is never answered.
    Benotify,
    /// RFC 3261.
    Bye,
    /// RFC 3261.
    Cancel,
    /// RFC 6086.
    Info,
    /// RFC 3261.
    Invite,
    /// RFC 3428.
    Message,
    /// MS-SIPCOMP.
    Negotiate,
    /// RFC 6665.
    Notify,
    /// RFC 3261.
    Options,
    /// RFC 3903.
    Publish,
    /// RFC 3515.
    Refer,
    /// RFC 3261.
    Register,
    /// MS-SIP: a SOAP-like request, used for presence and conferencing.
    Service,
    /// RFC 6665.
    Subscribe,
    /// Any other token: forwarded or refused by its text, not by its kind.
    Other,
}

const _: () = assert!(Method::COUNT <= 16, "counters have sixteen places");

impl Method {
    /// Number of variants.
    pub const COUNT: usize = Method::Other as usize + 1;

    /// The method of that name. Method names are case-sensitive (RFC 3261 section 7.1), so
    /// `invite` is [`Method::Other`].
    pub fn from_bytes(name: &[u8]) -> Method {
        match name {
            b"ACK" => Method::Ack,
            b"BENOTIFY" => Method::Benotify,
            b"BYE" => Method::Bye,
            b"CANCEL" => Method::Cancel,
            b"INFO" => Method::Info,
            b"INVITE" => Method::Invite,
            b"MESSAGE" => Method::Message,
            b"NEGOTIATE" => Method::Negotiate,
            b"NOTIFY" => Method::Notify,
            b"OPTIONS" => Method::Options,
            b"PUBLISH" => Method::Publish,
            b"REFER" => Method::Refer,
            b"REGISTER" => Method::Register,
            b"SERVICE" => Method::Service,
            b"SUBSCRIBE" => Method::Subscribe,
            _ => Method::Other,
        }
    }

    /// The name on the wire; `OTHER` for [`Method::Other`], whose text only the message knows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Method::Ack => "ACK",
            Method::Benotify => "BENOTIFY",
            Method::Bye => "BYE",
            Method::Cancel => "CANCEL",
            Method::Info => "INFO",
            Method::Invite => "INVITE",
            Method::Message => "MESSAGE",
            Method::Negotiate => "NEGOTIATE",
            Method::Notify => "NOTIFY",
            Method::Options => "OPTIONS",
            Method::Publish => "PUBLISH",
            Method::Refer => "REFER",
            Method::Register => "REGISTER",
            Method::Service => "SERVICE",
            Method::Subscribe => "SUBSCRIBE",
            Method::Other => "OTHER",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Method; Method::COUNT] = [
        Method::Ack,
        Method::Benotify,
        Method::Bye,
        Method::Cancel,
        Method::Info,
        Method::Invite,
        Method::Message,
        Method::Negotiate,
        Method::Notify,
        Method::Options,
        Method::Publish,
        Method::Refer,
        Method::Register,
        Method::Service,
        Method::Subscribe,
        Method::Other,
    ];

    #[test]
    fn every_method_reads_back() {
        for (index, method) in ALL.into_iter().enumerate() {
            assert_eq!(method as usize, index);
            assert_eq!(Method::from_bytes(method.as_str().as_bytes()), method);
        }
    }

    #[test]
    fn methods_are_case_sensitive_and_unknown_ones_are_other() {
        for name in [&b"invite"[..], b"Register", b"PRACK", b"UPDATE", b"", b"INVITEX", b"OTHER"] {
            assert_eq!(Method::from_bytes(name), Method::Other);
        }
    }
}
