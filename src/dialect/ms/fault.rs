//! Why a publication, or a change of an access level, is refused (MS-PRES section 2.2.2.2).

use crate::presence::document::Stale;
pub use crate::wire::presence::fault::MEDIA_TYPE as CONTENT_TYPE;
use crate::wire::presence::fault::{Operation, wrong_delta};

/// Writes which operations rest on versions that are not current.
pub fn wrong_versions(stale: &[Stale]) -> String {
    wrong_delta(stale.iter().map(|stale| Operation {
        index: stale.index,
        version: stale.version,
        current: stale.current,
    }))
}
