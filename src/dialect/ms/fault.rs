//! Why a publication or a change of members was refused: `application/msrtc-fault+xml`.

use crate::presence::document::Stale;
use crate::wire::presence::fault::{Operation, wrong_delta};

pub use crate::wire::presence::fault::CONTENT_TYPE;

/// The body of a 409: these operations rest on versions that are not current.
pub fn wrong_versions(stale: &[Stale]) -> String {
    wrong_delta(stale.iter().map(|stale| Operation {
        index: stale.index,
        version: stale.version,
        current: stale.current,
    }))
}
