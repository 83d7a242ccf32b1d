//! Layer 2: call detail records.
