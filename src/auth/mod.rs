//! Layer 2: who is it.
