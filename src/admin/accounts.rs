//! The accounts of users, for the API and the console. The runtime has them: they are in the
//! database.

use std::future::Future;

use axum::body::Bytes;

use crate::base::aor::Aor;
use crate::directory::{Photo, PhotoHash, User};

/// Where accounts are read and changed. Each wait is bounded by `admin_answer_timeout`, and by
/// `store_busy_timeout` besides for a change.
pub trait Accounts: Send + Sync + 'static {
    /// A page of users by address: at most `users_max` after `after`, with `text` in their address
    /// or name.
    fn users(
        &self,
        text: String,
        after: String,
        users_max: usize,
    ) -> impl Future<Output = Result<Vec<User>, Trouble>> + Send;

    /// The account of a user.
    fn user(&self, user: Aor) -> impl Future<Output = Result<Option<User>, Trouble>> + Send;

    /// Changes an account, durably; the cores know it within two seconds.
    fn change(&self, change: AccountChange) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Makes a picture of a file and puts it in the place of the user's, durably, or takes that away.
    /// When it is refused the old one stays.
    fn set_photo(
        &self,
        user: Aor,
        file: Option<Bytes>,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// A picture that is kept.
    fn photo(&self, which: PhotoKey)
    -> impl Future<Output = Result<Option<Photo>, Trouble>> + Send;
}

/// Which picture.
#[derive(Clone, Debug)]
pub enum PhotoKey {
    /// That of a user.
    Of(Aor),
    /// The one of this hash.
    Hash(PhotoHash),
}

/// A change of one account.
#[derive(Clone, Debug)]
pub enum AccountChange {
    /// A new user.
    Add(Box<User>),
    /// He may not sign in any more, and is signed out.
    Disable(Aor),
    /// He may sign in again.
    Enable(Aor),
    /// Another password.
    Password(Aor, zeroize::Zeroizing<String>),
    /// The user is forgotten.
    Remove(Aor),
}

/// Why something cannot be read or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// There is no such user.
    NoSuchUser,
    /// The address is taken.
    UserExists,
    /// It is not fit to be kept; in words.
    Unfit(String),
    /// A picture has too many pixels; in words.
    TooManyPixels(String),
    /// The database cannot be used now; in words.
    Unavailable(String),
}
