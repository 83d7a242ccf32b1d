//! That a member is typing, or has stopped to, in both dialects.

use crate::base::limits::Limits;
use crate::wire::conference::typing;
use crate::wire::mime::content_type::ContentType;
use crate::wire::xml::Document;

pub use crate::wire::conference::typing::{
    IS_COMPOSING, KEYBOARD_ACTIVITY, is_composing, keyboard_activity,
};

/// Whether the sender types; `None` when the body says nothing of it.
pub fn read(content_type: &[u8], body: &[u8], limits: &Limits) -> Option<bool> {
    let content_type = ContentType::parse(content_type);
    let read = if content_type.is(IS_COMPOSING) {
        typing::read_is_composing
    } else if content_type.is(KEYBOARD_ACTIVITY) {
        typing::read_keyboard_activity
    } else {
        return None;
    };
    read(&Document::parse(body, limits).ok()?).ok()
}
