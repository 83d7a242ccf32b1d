//! Layer 2: RFC 3261 transactions, dialogs and forking, without octets and sockets.

pub mod dialog;
