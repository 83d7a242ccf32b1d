//! Reports of messages that did not reach a member: `application/ms-imdn+xml`.

use crate::base::aor::Aor;
use crate::dialect::address::uri;
use crate::wire::conference::imdn;

pub use crate::wire::conference::imdn::CONTENT_TYPE;

/// The report to the author of the message that was answered with this Message-Id.
pub fn body(message_id: &str, recipient: &Aor, status: u16) -> String {
    imdn::write(message_id, &uri(recipient.as_str()), status)
}
