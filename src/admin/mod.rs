//! Layer 5: HTTP.
