//! What the API works with: the cores, and the desk of the accounts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use super::account_desk::AccountDesk;
use super::observers::Way;
use super::orders::{Cores, Order};
use crate::admin::accounts::Trouble;
use crate::admin::api::{Backend, Watch};
use crate::auth::api_token::{KeptToken, TokenId};
use crate::base::aor::Aor;
use crate::base::grouped::grouped;
use crate::base::ids::{ShardId, Slot};
use crate::base::limits::Limits;
use crate::presence::container::ContainerId;
use crate::shard::observe::{Observation, Sight};
use crate::shard::question::{Answer, Question};

/// The desk at which requests to the API are carried out.
pub struct ApiDesk {
    cores: Cores,
    accounts: AccountDesk,
    /// The name of the next watch.
    next: AtomicU64,
    answer_time: Duration,
    events_waiting_max: usize,
}

impl ApiDesk {
    /// A desk for `cores` and `accounts`.
    pub fn new(cores: Cores, accounts: AccountDesk, limits: &Limits) -> Self {
        ApiDesk {
            cores,
            accounts,
            next: AtomicU64::new(0),
            answer_time: limits.admin_answer_timeout,
            events_waiting_max: limits.api_events_waiting_max.max(1),
        }
    }

    fn ask_shard(&self, shard: ShardId, question: Question) -> Option<oneshot::Receiver<Answer>> {
        let (reply, answer) = oneshot::channel();
        self.cores.order(shard, Order::Ask(question, reply)).ok()?;
        Some(answer)
    }

    /// Users by the shard that is their home.
    fn by_home(&self, users: Vec<Aor>) -> Vec<(ShardId, Vec<Aor>)> {
        let shards = self.cores.shards();
        grouped(users.into_iter().map(|user| (user.home(shards), user)))
    }
}

impl Backend for ApiDesk {
    type Accounts = AccountDesk;

    fn accounts(&self) -> &AccountDesk {
        &self.accounts
    }

    async fn sights(&self, users: Vec<Aor>, level: ContainerId) -> Option<Vec<Sight>> {
        // All are asked before the first is waited for.
        let replies: Option<Vec<_>> = self
            .by_home(users)
            .into_iter()
            .map(|(shard, users)| self.ask_shard(shard, Question::Sights { users, level }))
            .collect();
        let until = Instant::now() + self.answer_time;
        let mut sights = Vec::new();
        for reply in replies? {
            let Answer::Sights(seen) = timeout_at(until, reply).await.ok()?.ok()? else {
                return None;
            };
            sights.extend(seen);
        }
        Some(sights)
    }

    fn observe(&self, application: &str, level: ContainerId, users: Vec<Aor>) -> Option<Watch> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let observer = Slot { index: number as u32, generation: (number >> 32) as u32 };
        let waiting_max = self.events_waiting_max.max(users.len());
        let (to, sights) = mpsc::channel(waiting_max);
        let overrun = Arc::new(AtomicBool::new(false));
        let mut guard = Guard { cores: self.cores.clone(), observer, homes: Vec::new() };
        for (shard, users) in self.by_home(users) {
            let application = Aor::new(application);
            let observation = Observation { observer, application, level, users };
            let way = Way { to: to.clone(), overrun: Arc::clone(&overrun) };
            // What was begun before ends with the guard.
            self.cores.order(shard, Order::Observe(observation, way)).ok()?;
            guard.homes.push(shard);
        }
        Some(Watch { sights, overrun, guard: Box::new(guard) })
    }

    async fn ask(&self, question: Question) -> Option<Answer> {
        let reply = self.ask_shard(question.home(self.cores.shards())?, question)?;
        timeout(self.answer_time, reply).await.ok()?.ok()
    }

    async fn token(&self, id: TokenId) -> Result<Option<KeptToken>, Trouble> {
        self.accounts.read(move |database| Ok(database.api_token(id)?)).await
    }
}

/// Ends a watch when it is dropped. A core that takes no orders then finds out with what it has to
/// show next.
struct Guard {
    cores: Cores,
    observer: Slot,
    homes: Vec<ShardId>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        for home in &self.homes {
            let _ = self.cores.order(*home, Order::Unobserve(self.observer));
        }
    }
}
