//! Bodies that speak of conferences, each as values: no memory, nothing of the domain.
//!
//! | file | media type |
//! |---|---|
//! | `cccp` | `application/cccp+xml` requests (MS-CONFBAS section 2.2, MS-CONFPRO section 2.2) |
//! | `answer` | the answers to them |
//! | `info` | `application/conference-info+xml` (RFC 4575, MS-CONFBAS section 2.2.2) |
//! | `imdn` | `application/ms-imdn+xml` (MS-CONFIM) |
//! | `invite` | `application/ms-conf-invite+xml` |
//! | `typing` | `application/im-iscomposing+xml` (RFC 3994), and the Lync client's own |

pub mod answer;
pub mod cccp;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod imdn;
pub mod info;
pub mod invite;
#[cfg(test)]
mod tests;
pub mod typing;

pub use super::body::Error;

use super::body::{boolean, required, root};

/// The namespace of requests and answers.
const CCCP: &str = "urn:ietf:params:xml:ns:cccp";

/// The namespace of what is told of a conference (RFC 4575 section 4.2).
const INFO: &str = "urn:ietf:params:xml:ns:conference-info";

/// Its extensions (MS-CONFBAS section 2.2.2).
const EXTENSIONS: &str = "http://schemas.microsoft.com/rtc/2005/08/confinfoextensions";

/// Extensions of a later time.
const LATER_EXTENSIONS: &str = "http://schemas.microsoft.com/rtc/2008/12/confinfoextensions";

/// The namespace of what the product has no word for.
const OWN: &str = "urn:mynah:conference";
