//! sipsak
