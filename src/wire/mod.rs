//! Layer 1: bytes to values and back, no memory of earlier messages.

mod body;
pub mod conference;
pub mod hep;
pub mod mime;
pub mod ntlm;
pub mod presence;
pub mod sip;
pub mod soap;
pub mod xml;
