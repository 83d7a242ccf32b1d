//! Whole runs against a small server written for them.

mod conference;
mod honest;
mod program;
mod registrar;
mod tls;
