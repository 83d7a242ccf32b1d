//! Layer 0: bounds, identifiers, time and the containers that every layer above rests on.

pub mod aor;
pub mod grouped;
pub mod host_name;
pub mod host_port;
pub mod ids;
pub mod limits;
pub mod plain_text;
pub mod policy_name;
pub mod seed;
pub mod side;
pub mod slab;
pub mod time;
pub mod transport;
pub mod wheel;
