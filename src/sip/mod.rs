//! Layer 2: RFC 3261 transactions, dialogs and forking, over reliable transports only: there are
//! no retransmission timers, and what a transaction waits for after its final answer on UDP is
//! not waited for here.

pub mod client_transaction;
pub mod dialog;
pub mod fork;
mod kind;
pub mod own_dialog;
pub mod server_transaction;
pub mod subscription;
pub mod transaction_key;

pub use kind::Kind;
