//! Layer 6: executors, mesh, boot.
