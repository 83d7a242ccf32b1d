//! What the API works with. The runtime has it: users live on the cores, and tokens and accounts in
//! the database.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;

use crate::admin::accounts::{Accounts, Trouble};
use crate::auth::api_token::{KeptToken, TokenId};
use crate::base::aor::Aor;
use crate::presence::container::ContainerId;
use crate::shard::observe::Sight;
use crate::shard::question::{Answer, Question};

/// Where the API gets its facts and carries its orders. Each wait is bounded by
/// `admin_answer_timeout`.
pub trait Backend: Send + Sync + 'static {
    /// What accounts are in.
    type Accounts: Accounts;

    /// The accounts of users.
    fn accounts(&self) -> &Self::Accounts;

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
