//! Layer 4: the owner of users and sessions.
