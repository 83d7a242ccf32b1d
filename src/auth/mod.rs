//! Layer 2: who is it.
//!
//! A sign-in crosses two shards. The shard of the connection makes the challenge ([`nonce`],
//! [`digest::challenge`]) and reads the credentials through the connection's [`gate`], which
//! knows what was already used there. What passes travels as a [`proof::Proof`] to the home shard
//! of the user, which has the hash of the password, the user's [`lockout`] entry and the last word
//! ([`judge`]). The verdict goes back to the gate, which counts it. [`ntlm`] takes the same way,
//! and leaves a [`security_association`] that signs every later message of the connection.

pub mod api_token;
pub mod digest;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod gate;
pub mod judge;
pub mod lockout;
pub mod nonce;
pub mod nonce_count;
pub mod ntlm;
pub mod proof;
pub mod security_association;
