//! How a connection reaches us.

/// The transport of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TLS over TCP.
    Tls,
    /// Plain TCP, only on listeners configured so.
    Tcp,
}

impl Transport {
    /// The transport token of a Via (RFC 3261 section 18.1.1), always three octets.
    pub const fn via(self) -> &'static str {
        match self {
            Transport::Tls => "TLS",
            Transport::Tcp => "TCP",
        }
    }
}
