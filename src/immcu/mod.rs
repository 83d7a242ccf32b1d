//! Layer 2: the IM multipoint control unit.
