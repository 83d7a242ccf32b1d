//! What the API works with. The runtime has it: users live on the cores, and tokens and accounts in
//! the database.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;

use crate::auth::api_token::{KeptToken, TokenId};
use crate::base::aor::Aor;
use crate::directory::User;
use crate::presence::container::ContainerId;
use crate::shard::observe::Sight;
use crate::shard::question::{Answer, Question};

/// Where the API gets its facts and carries its orders. Each wait is bounded by
/// `admin_answer_timeout`, but by `store_busy_timeout` for a change.
pub trait Backend: Send + Sync + 'static {
    /// What an application at `level` sees of users, each once; `None` when a core does not answer.
    fn sights(
        &self,
        users: Vec<Aor>,
        level: ContainerId,
    ) -> impl Future<Output = Option<Vec<Sight>>> + Send;

    /// Has an application watch users; `None` when a core cannot be told.
    fn observe(&self, application: &str, level: ContainerId, users: Vec<Aor>) -> Option<Watch>;

    /// What the home of a user answers; `None` when it does not.
    fn ask(&self, question: Question) -> impl Future<Output = Option<Answer>> + Send;

    /// The token that is kept under `id` now.
    fn token(&self, id: TokenId)
    -> impl Future<Output = Result<Option<KeptToken>, Trouble>> + Send;

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
    /// The database cannot be used now; in words.
    Unavailable(String),
}

/// A watch on some users. It ends when it is dropped.
pub struct Watch {
    /// What is seen: each user at first, and then again whenever that changes. Ends with the server.
    pub sights: mpsc::Receiver<Sight>,
    /// More waited than may; what is still read is not all there was.
    pub overrun: Arc<AtomicBool>,
    /// Tells the cores when it is dropped.
    pub guard: Box<dyn Send + Sync>,
}

impl Watch {
    /// True once something was left out.
    pub fn is_overrun(&self) -> bool {
        self.overrun.load(Ordering::Relaxed)
    }
}
