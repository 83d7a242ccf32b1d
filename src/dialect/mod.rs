//! Layer 3: translators between the wire and the domain. `ms` is what Lync clients speak,
//! `simple` what standard SIP clients speak; both end in the same commands and notices.

pub mod card;
pub mod ms;
pub mod reject;
pub mod resource_list;
pub mod simple;
pub mod text;
