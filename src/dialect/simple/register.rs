//! The answer to a REGISTER of a standard client (RFC 3261 section 10.3 step 8, RFC 5627).

use crate::base::time::Now;
use crate::registrar::Binding;
use crate::wire::sip::Writer;

/// Writes the rest of the 200: all endpoints of the user, with the time each has left.
pub fn accept(writer: Writer<'_>, now: Now, aor: &str, bindings: &[Binding]) {
    bindings.iter().fold(writer, |writer, binding| contact(writer, now, aor, binding)).finish();
}

fn contact<'o>(writer: Writer<'o>, now: Now, aor: &str, binding: &Binding) -> Writer<'o> {
    let uri = binding.contact.escape_ascii();
    let expires = binding.expires_in(now);
    let Some(instance) = &binding.instance else {
        return writer.line_fmt("Contact", format_args!("<{uri}>;expires={expires}"));
    };
    let reg_id = binding.reg_id.map(|id| format!(";reg-id={id}")).unwrap_or_default();
    let gruu = binding
        .instance_id()
        .map(|id| format!(";pub-gruu=\"{}\"", id.public_gruu(aor)))
        .unwrap_or_default();
    writer.line_fmt(
        "Contact",
        format_args!("<{uri}>;+sip.instance=\"<{instance}>\"{reg_id}{gruu};expires={expires}"),
    )
}
