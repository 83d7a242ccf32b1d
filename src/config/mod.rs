//! Layer 1: `mynah.toml`: schema, defaults, validation with line and column, and what a reload may
//! change. Text in, [`Settings`] out: reading the file is the command line's business.

pub mod settings;

pub use settings::{Certificate, DigestAlgorithm, Listen, Log, LogFormat, Settings};
