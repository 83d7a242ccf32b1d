//! The dialect of standard SIP clients (RFC 3261, RFC 3428).

pub mod challenge;
pub mod pidf;
pub mod publish;
pub mod refer;
pub mod register;
pub mod rls;
#[cfg(test)]
mod tests;
pub mod winfo;

use crate::wire::sip::Writer;

/// Adds the reason of a refusal (RFC 3261 section 20.43; 399 is "miscellaneous warning").
pub fn warning<'o>(writer: Writer<'o>, reason: &str, source: &str) -> Writer<'o> {
    writer.line_fmt("Warning", format_args!("399 {source} \"{reason}\""))
}

/// Adds the reason of a refusal of what a message says. By this code, which is the product's for
/// "message contents not allowed by policy", the Lync client knows what to tell its user.
pub fn content_warning<'o>(writer: Writer<'o>, reason: &str, source: &str) -> Writer<'o> {
    writer.line_fmt("Warning", format_args!("309 {source} \"{reason}\""))
}
