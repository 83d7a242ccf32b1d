//! Layer 1: `mynah.toml`.
