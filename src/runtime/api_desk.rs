//! What the API works with: the cores, and a connection to the database of its own, so that a request
//! waits neither for the store's thread nor holds it up.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use super::observers::Way;
use super::orders::{Cores, Order};
use crate::admin::api::{AccountChange, Backend, Trouble, Watch};
use crate::auth::api_token::{KeptToken, TokenId};
use crate::base::aor::Aor;
use crate::base::grouped::grouped;
use crate::base::ids::{ShardId, Slot};
use crate::base::limits::Limits;
use crate::directory::User;
use crate::presence::container::ContainerId;
use crate::shard::observe::{Observation, Sight};
use crate::shard::question::{Answer, Question};
use crate::store::{Database, StoreError, UserChange, UserPage};

/// The desk at which requests to the API are carried out.
pub struct ApiDesk {
    cores: Cores,
    database: Arc<Mutex<Database>>,
    /// The name of the next watch.
    next: AtomicU64,
    answer_time: Duration,
    /// For a change, which waits for other writers.
    change_time: Duration,
    events_waiting_max: usize,
}

impl ApiDesk {
    /// A desk for `cores` and the users of `database`.
    pub fn new(cores: Cores, database: Database, limits: &Limits) -> Self {
        ApiDesk {
            cores,
            database: Arc::new(Mutex::new(database)),
            next: AtomicU64::new(0),
            answer_time: limits.admin_answer_timeout,
            change_time: limits.store_busy_timeout + limits.admin_answer_timeout,
            events_waiting_max: limits.api_events_waiting_max.max(1),
        }
    }

    /// Does something with the database, away from the control thread.
    async fn with_database<T: Send + 'static>(
        &self,
        time: Duration,
        work: impl FnOnce(&mut Database) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, Trouble> {
        let database = Arc::clone(&self.database);
        let task = tokio::task::spawn_blocking(move || {
            work(&mut database.lock().unwrap_or_else(PoisonError::into_inner))
        });
        match timeout(time, task).await {
            Ok(Ok(done)) => done,
            Ok(Err(_)) => Err(Trouble::Unavailable("the database failed".to_owned())),
            Err(_) => Err(Trouble::Unavailable("the database does not answer".to_owned())),
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
        self.with_database(self.answer_time, move |database| Ok(database.api_token(id)?)).await
    }

    async fn users(
        &self,
        text: String,
        after: String,
        users_max: usize,
    ) -> Result<Vec<User>, Trouble> {
        let page = UserPage { text, after, users_max };
        self.with_database(self.answer_time, move |database| Ok(database.users_page(&page)?)).await
    }

    async fn user(&self, user: Aor) -> Result<Option<User>, Trouble> {
        self.with_database(self.answer_time, move |database| Ok(database.user(user.as_str())?))
            .await
    }

    async fn change(&self, change: AccountChange) -> Result<(), Trouble> {
        self.with_database(self.change_time, move |database| apply(database, change)).await
    }
}

fn apply(database: &mut Database, change: AccountChange) -> Result<(), Trouble> {
    let address = |user: Aor| user.as_str().to_owned();
    let change = match change {
        AccountChange::Add(user) => UserChange::Add(*user),
        AccountChange::Disable(user) => UserChange::Disable(address(user)),
        AccountChange::Enable(user) => UserChange::Enable(address(user)),
        AccountChange::Remove(user) => UserChange::Remove(address(user)),
        AccountChange::Password(user, password) => {
            let mut user = database.user(user.as_str())?.ok_or(Trouble::NoSuchUser)?;
            let realm = user.realm().to_owned();
            let set = user.set_password(&realm, &password);
            set.map_err(|error| Trouble::Unfit(error.to_string()))?;
            UserChange::Update(user)
        }
    };
    Ok(database.change_user(&change)?)
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoSuchUser(_) => Trouble::NoSuchUser,
            StoreError::UserExists(_) => Trouble::UserExists,
            other => Trouble::Unavailable(other.to_string()),
        }
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
