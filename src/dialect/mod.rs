//! Layer 3: translators between the wire and the domain.
