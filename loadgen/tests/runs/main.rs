//! Whole runs against a small server written for them.

mod conference;
mod honest;
mod links;
mod profiles;
mod program;
mod registrar;
mod tls;

use loadgen::report::limits::Limits;
use loadgen::report::marks::mark_names;

/// Pass marks that do not depend on how fast this machine is.
fn unhurried() -> Limits {
    Limits::new(Vec::new(), hurried().map(str::to_owned).collect())
}

/// The marks that do.
fn hurried() -> impl Iterator<Item = &'static str> {
    mark_names().filter(|name| name.ends_with("_ms") || name.ends_with("_percent"))
}
