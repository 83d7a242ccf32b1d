//! Whole runs against a small server written for them.

mod conference;
mod honest;
mod links;
mod program;
mod registrar;
mod tls;
