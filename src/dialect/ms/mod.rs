//! The dialect of Lync clients (MS-SIPRE, MS-SIPREGE, MS-OCER).

pub mod acl;
pub mod batch;
mod card;
pub mod categories;
pub mod conference;
pub mod contacts;
pub mod custom_states;
pub mod fault;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod members;
mod note;
pub mod pending;
pub mod provisioning;
pub mod publish;
pub mod register;
pub mod roaming_self;
pub mod search;
pub mod soap;
mod state;
pub mod subscribers;
#[cfg(test)]
mod tests;

use super::reject::Reject;
use crate::base::aor::Aor;
use crate::wire::sip::{HeaderName, Message, Writer};

/// True if the client speaks this dialect: it says so in Supported, or asks for the dialect's
/// keep-alive (MS-SIPREGE section 2.2).
pub fn is_spoken_by(message: Message<'_>) -> bool {
    message.header(HeaderName::MsKeepAlive).is_some()
        || message.has_token(HeaderName::Supported, "msrtc-event-categories")
}

/// True for the service that has chat rooms. The client invites it by this address at each sign-in
/// to learn whether there are any, unless it is provisioned with another one.
pub fn is_room_service(aor: &Aor) -> bool {
    aor.user() == "ocschat"
}

/// Adds the reason of a refusal (MS-OCER section 2.2.1).
pub fn diagnostics<'o>(
    writer: Writer<'o>,
    reject: Reject,
    reason: &str,
    source: &str,
) -> Writer<'o> {
    writer.line_fmt(
        "ms-diagnostics",
        format_args!("{};reason=\"{reason}\";source=\"{source}\"", reject.code()),
    )
}

/// Adds the reason of a refused sign-in, in the form that may leave the enterprise and that the
/// client shows to its user.
pub fn public_diagnostics<'o>(writer: Writer<'o>, reject: Reject) -> Writer<'o> {
    public_diagnostics_saying(writer, reject, reject.reason())
}

/// The same in words more precise than those of the refusal.
pub fn public_diagnostics_saying<'o>(
    writer: Writer<'o>,
    reject: Reject,
    reason: &str,
) -> Writer<'o> {
    writer.line_fmt("ms-diagnostics-public", format_args!("{};reason=\"{reason}\"", reject.code()))
}
