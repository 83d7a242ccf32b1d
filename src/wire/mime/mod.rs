//! Bodies: content types, bodies of several parts and session descriptions.

pub mod content_type;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod multipart;
pub mod sdp;
