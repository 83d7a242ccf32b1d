//! Bodies: content types and session descriptions.

pub mod content_type;
pub mod sdp;
