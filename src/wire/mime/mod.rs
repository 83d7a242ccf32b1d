//! Bodies: content types, bodies of several parts and session descriptions.

pub mod content_type;
pub mod multipart;
pub mod sdp;
