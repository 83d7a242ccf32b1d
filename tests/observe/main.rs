//! What operators see of a running server, by the real binary: traces, diagnoses, synthetic
//! transactions, metrics and what is made of them.

#[path = "../outside/mod.rs"]
mod outside;

mod dashboard;
mod doctor;
mod hep;
mod synthetic;
mod trace;
mod tshark;

/// The certificate of an authority that signed nothing of the server's.
fn other_authority(server: &outside::server::Server) -> std::path::PathBuf {
    let made = rcgen::generate_simple_self_signed(vec!["other.test".to_owned()]).unwrap();
    let file = server.data().join("other-ca.pem");
    std::fs::write(&file, made.cert.pem()).unwrap();
    file
}
