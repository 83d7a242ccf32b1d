//! Layer 3: translators between the wire and the domain. `ms` is what Lync clients speak,
//! `simple` what standard SIP clients speak; both end in the same commands and notices.

pub mod address;
pub mod conference_info;
pub mod conference_uri;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod ms;
pub mod person;
pub mod reject;
pub mod resources;
pub mod simple;
pub mod speech;
pub mod text;
