//! The answer to a REGISTER in the form a Lync client expects (MS-SIPREGE section 3.2).

use std::time::Duration;

use crate::base::time::Now;
use crate::registrar::Binding;
use crate::wire::sip::Writer;

/// Longest keep-alive interval asked for, in seconds: what the product asks for.
const KEEP_ALIVE_S: u64 = 300;

/// The event packages served. The client asks for those that stand here exactly, without blanks
/// after the commas.
const EVENTS: &str = "vnd-microsoft-provisioning-v2,vnd-microsoft-roaming-contacts,\
    vnd-microsoft-roaming-ACL,vnd-microsoft-roaming-self,presence,presence.wpending";

/// Writes the rest of the 200. `own` is the endpoint that asked; without one it signed off.
///
/// The client reads the header Expires, not the Contact parameter; wants each Supported on a
/// line of its own; and takes its GRUU from the Contact line that has its instance. It believes
/// a server without `msrtc-event-categories` to be LCS 2005.
pub fn accept(
    writer: Writer<'_>,
    now: Now,
    aor: &str,
    own: Option<&Binding>,
    bindings: &[Binding],
    idle: Duration,
) {
    let expires = own.map_or(0, |binding| binding.expires_in(now));
    let mut writer = writer.line_fmt("Expires", format_args!("{expires}"));
    for binding in bindings {
        writer = contact(writer, now, aor, binding);
    }
    let keep_alive = KEEP_ALIVE_S.min(idle.as_secs() / 2).max(1);
    writer
        .line("Server", "RTC/5.0")
        .line("Supported", "adhoclist")
        .line("Supported", "msrtc-event-categories")
        .line("Allow-Events", EVENTS)
        .line_fmt(
            "ms-keep-alive",
            format_args!("UAS; tcp=no; hop-hop=yes; end-end=no; timeout={keep_alive}"),
        )
        .finish();
}

fn contact<'o>(writer: Writer<'o>, now: Now, aor: &str, binding: &Binding) -> Writer<'o> {
    let uri = binding.contact.escape_ascii();
    let expires = binding.expires_in(now);
    match (&binding.instance, binding.instance_id()) {
        (Some(instance), Some(id)) => writer.line_fmt(
            "Contact",
            format_args!(
                "<{uri}>;expires={expires};+sip.instance=\"<{instance}>\";gruu=\"{}\"",
                id.ms_gruu(aor)
            ),
        ),
        _ => writer.line_fmt("Contact", format_args!("<{uri}>;expires={expires}")),
    }
}
