//! Layer 2: RFC 3261 transactions and forking.
