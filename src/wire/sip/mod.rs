//! SIP on the wire (RFC 3261).
