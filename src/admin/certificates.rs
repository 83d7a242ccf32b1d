//! The certificates that clients are shown, as operators are told.

use std::path::PathBuf;

/// What is known of the certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificatesStanding {
    /// Those in force.
    pub certificates: Vec<CertificateStanding>,
    /// Why the files, as they are now, are not in force; in words.
    pub trouble: Option<String>,
}

/// A certificate in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateStanding {
    /// The file it was read from.
    pub file: PathBuf,
    /// It is the authority that signs the certificates of servers that open links.
    pub is_authority: bool,
    /// Names it is for; none for an authority.
    pub names: Vec<String>,
    /// First and last second, in the Unix epoch; `None` when they cannot be read.
    pub valid: Option<(i64, i64)>,
}
