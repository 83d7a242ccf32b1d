//! Layer 2: endpoints of a user.
