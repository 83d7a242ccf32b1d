//! Why what a server sends ends its connection.

use crate::scan::ScanError;
use crate::signature::SignatureError;
use std::fmt;

/// What is wrong with what arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is not SIP.
    Stream(ScanError),
    /// It is not signed as it must be.
    Signature(SignatureError),
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Stream(error) => error.fmt(out),
            Fault::Signature(error) => error.fmt(out),
        }
    }
}

impl From<ScanError> for Fault {
    fn from(error: ScanError) -> Self {
        Fault::Stream(error)
    }
}

impl From<SignatureError> for Fault {
    fn from(error: SignatureError) -> Self {
        Fault::Signature(error)
    }
}
