//! Layer 2: the users and what is known of them.
