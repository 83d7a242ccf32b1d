//! Layer 2: the users and what is known of them.

pub mod address;
pub mod entry;
pub mod mapping;
pub mod person;
pub mod photo;
pub mod search;
pub mod secret;
pub mod user;

pub use address::{Address, AddressError};
pub use entry::{Entry, Known, Merged, Origin, Proofs, merge};
pub use mapping::{Mapped, Mapping, Memberships, Misfit, Raw, Unfit};
pub use person::Person;
pub use photo::{Photo, PhotoChange, PhotoHash};
pub use search::{Field, Findings, Found, Index, Query};
pub use secret::Secret;
pub use user::{User, UserError};
