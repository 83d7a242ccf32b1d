//! Layer 7: one file a command.
