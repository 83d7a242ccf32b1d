//! Layer 5: durable rows.
