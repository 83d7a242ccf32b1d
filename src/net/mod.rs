//! Layer 5: sockets and TLS.
