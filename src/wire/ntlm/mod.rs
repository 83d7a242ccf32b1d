//! The messages of NTLM (MS-NLMP section 2.2) as the connection-less handshake of SIP needs them
//! (MS-SIPAE section 3.1.5): the server's CHALLENGE is written, the client's AUTHENTICATE is read.
//! There is no NEGOTIATE: the client asks with empty data.

pub mod authenticate;
pub mod challenge;
#[cfg(any(test, fuzzing))]
pub mod fuzz;

pub use authenticate::{Authenticate, Error};
pub use challenge::Challenge;

/// What every message starts with.
const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";

/// Flags of NEGOTIATE (MS-NLMP section 2.2.2.5).
pub mod flags {
    /// Text is UTF-16.
    pub const UNICODE: u32 = 0x0000_0001;
    /// A target name is asked for.
    pub const REQUEST_TARGET: u32 = 0x0000_0004;
    /// Messages are signed.
    pub const SIGN: u32 = 0x0000_0010;
    /// Connection-less.
    pub const DATAGRAM: u32 = 0x0000_0040;
    /// NTLM, of either version.
    pub const NTLM: u32 = 0x0000_0200;
    /// A signature block on every message.
    pub const ALWAYS_SIGN: u32 = 0x0000_8000;
    /// NTLMv2 session security.
    pub const EXTENDED_SESSION_SECURITY: u32 = 0x0008_0000;
    /// The client may only learn who the user is, not act for him.
    pub const IDENTIFY: u32 = 0x0010_0000;
    /// The challenge carries a list of attributes of the server.
    pub const TARGET_INFO: u32 = 0x0080_0000;
    /// A version follows.
    pub const VERSION: u32 = 0x0200_0000;
    /// Session keys of 128 bits.
    pub const KEY_128: u32 = 0x2000_0000;
    /// The client chooses the session key.
    pub const KEY_EXCHANGE: u32 = 0x4000_0000;
    /// Session keys of 56 bits; without effect beside 128.
    pub const KEY_56: u32 = 0x8000_0000;

    /// What the server offers: 0xE2988255, which the Lync client takes.
    pub const OFFERED: u32 = UNICODE
        | REQUEST_TARGET
        | SIGN
        | DATAGRAM
        | NTLM
        | ALWAYS_SIGN
        | EXTENDED_SESSION_SECURITY
        | IDENTIFY
        | TARGET_INFO
        | VERSION
        | KEY_128
        | KEY_EXCHANGE
        | KEY_56;

    /// What the client must have taken: without any of these the keys are made otherwise, and
    /// weaker.
    pub const REQUIRED: u32 =
        UNICODE | SIGN | NTLM | EXTENDED_SESSION_SECURITY | KEY_128 | KEY_EXCHANGE;
}
