//! Whole runs against a small server written for them.

mod honest;
mod program;
mod registrar;
mod tls;
