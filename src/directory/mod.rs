//! Layer 2: the users and what is known of them.

pub mod address;
pub mod secret;
pub mod user;

pub use address::{Address, AddressError};
pub use secret::Secret;
pub use user::{User, UserError};
