//! The server as the command line starts it: the store, a shard on every core, the users in it and
//! what is kept of them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::account_desk::AccountDesk;
use super::api_desk::ApiDesk;
use super::boot::{self, MakeApi, Plan, Reread, StartError};
use super::control::{Desk, ServeError, Service};
use super::core_loop::Seat;
use super::ldap_users;
use super::logging::{self, LogError};
use super::orders::{Cores, Deaf};
use crate::admin::Sources;
use crate::admin::api::{self, Api};
use crate::base::aor::Aor;
use crate::base::ids::ShardId;
use crate::base::seed::Seed;
use crate::base::time::Now;
use crate::config::Settings;
use crate::directory::User;
use crate::ldap::Board;
use crate::shard::input::{Control, Input};
use crate::shard::{Keys, Machine, Options, Shard};
use crate::store::{Database, Store, StoreError, StoreHandle, UserChanges};

/// Between two looks for users that another process added or changed.
const USERS_LOOK: Duration = Duration::from_secs(1);
/// Between two tries to tell a core that has all the orders it can hold: it takes them each tick.
const ORDER_LOOK: Duration = Duration::from_millis(5);
/// Longest wait for room among the orders of a core; one that is stuck must not hold up the rest.
const ORDER_TIME: Duration = Duration::from_secs(2);

/// The server cannot start, or went down other than it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log cannot be set up.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The store cannot be opened or closed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The system refuses a thread.
    #[error("cannot start the thread of the directory service: {0}")]
    Thread(std::io::Error),
    /// It failed while it ran.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// Serves until told to stop. The ready file is written once all listeners are up and all users
/// are known, with what is kept of them; `reread` gives the settings anew for a reload.
pub fn serve(settings: Settings, ready_file: PathBuf, reread: Reread) -> Result<(), Error> {
    let log = logging::start(&settings.log)?;
    let outcome = serve_logged(settings, ready_file, reread, log.clone());
    log.last_lines();
    outcome
}

fn serve_logged(
    settings: Settings,
    ready_file: PathBuf,
    reread: Reread,
    log: logging::LogFilter,
) -> Result<(), Error> {
    let users = read_users(&settings)?;
    let store = Store::open(&settings.data, &settings.limits)?;
    let outcome = serve_from(settings, ready_file, reread, log, &store, users);
    store.close()?;
    outcome
}

fn serve_from(
    settings: Settings,
    ready_file: PathBuf,
    reread: Reread,
    log: logging::LogFilter,
    store: &Store,
    users: UserChanges,
) -> Result<(), Error> {
    let version = users.version;
    let users: Arc<[Arc<User>]> = users.changed.into_iter().map(Arc::new).collect();
    let shared = Arc::new(settings.clone());
    let ldap = Board::default();
    // Ends before the store does.
    let _follower =
        ldap_users::follow(&settings, store.handle(), ldap.clone()).map_err(Error::Thread)?;
    let keys = keys();
    let make = move |seat: Seat| {
        let now = seat.now;
        let home = (seat.shard, seat.shards);
        let options = Options {
            id: seat.shard,
            shards: seat.shards,
            seed: seat.seed,
            keys: keys.clone(),
            settings: shared.clone(),
            sent_by: format!("{}:{}", shared.name, seat.port),
        };
        let mut shard = Shard::new(now, options);
        for user in &*users {
            shard.handle(now, Input::Control(Control::PutUser(user.clone())));
        }
        restore(&mut shard, now, home, &shared).map_err(|error| error.to_string())?;
        Ok(shard)
    };
    let limits = &settings.limits;
    let database = Database::open(&settings.data, limits.store_busy_timeout)?;
    let accounts = AccountDesk::new(Some(database), &settings);
    let api = settings.api.listen.map(|_| make_api(&settings, accounts.clone()));
    let plan = Plan {
        settings,
        ledger: Arc::new(store.handle()),
        ldap,
        accounts,
        api,
        ready_file: Some(ready_file),
        spin: Duration::ZERO,
        certificate_look: boot::CERTIFICATE_LOOK,
        services: vec![follow_users(store.handle(), version)],
        reread: Some(reread),
    };
    let server = boot::start(plan, make)?;
    Ok(server.run(Some(log), std::future::pending())?)
}

/// The users at start, before anybody may sign in.
fn read_users(settings: &Settings) -> Result<UserChanges, StoreError> {
    let database = Database::open(&settings.data, settings.limits.store_busy_timeout)?;
    Ok(database.users_since(0)?.unwrap_or_default())
}

/// Gives `shard` what is kept of the users whose home it is, a user at a time, and its scheduled
/// conferences. Each core reads its own: they do it together, and none holds more than the rows of
/// one user twice.
fn restore(
    shard: &mut Shard,
    now: Now,
    (own, shards): (ShardId, u16),
    settings: &Settings,
) -> Result<(), StoreError> {
    let database = Database::open(&settings.data, settings.limits.store_busy_timeout)?;
    database.for_each_rows(
        |aor| aor.home(shards) == own,
        |aor, rows| shard.handle(now, Input::Control(Control::PutRows(aor, rows))),
    )?;
    database.for_each_conference(
        |id| id.home(shards) == own,
        |description| {
            let control = Control::PutConference(Box::new(description));
            shard.handle(now, Input::Control(control));
        },
    )
}

/// Tells the shards of users that the command line, or another process, adds and changes.
fn follow_users(store: StoreHandle, mut version: u64) -> Service {
    Box::new(move |desk: Desk| {
        Box::pin(async move {
            let mut looks = interval(USERS_LOOK);
            looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut settings = desk.settings;
            loop {
                tokio::select! {
                    _ = looks.tick() => {}
                    // A reload: whoever asked for it wants to see his users.
                    Ok(()) = settings.changed() => {}
                }
                let changes = match store.users_since(version) {
                    Ok(reply) => reply.await,
                    Err(error) => Err(error),
                };
                match changes {
                    Ok(None) => {}
                    Ok(Some(changes)) => match tell(&desk.cores, &changes).await {
                        Ok(()) => version = changes.version,
                        // All of them again next time: they take no harm from it.
                        Err(error) => tracing::warn!(%error, "users not told"),
                    },
                    Err(error) => tracing::warn!(%error, "users cannot be read"),
                }
            }
        })
    })
}

/// Tells the cores of all changes, of which there may be more than their queues hold.
async fn tell(cores: &Cores, changes: &UserChanges) -> Result<(), Deaf> {
    // One who was removed and added again is somebody else.
    for aor in &changes.removed {
        let aor = Aor::new(aor);
        for shard in (0..cores.shards()).map(ShardId) {
            pass_on(cores, shard, || Control::RemoveUser(aor.clone())).await?;
        }
    }
    for user in &changes.changed {
        let home = Aor::new(&user.aor).home(cores.shards());
        let user = Arc::new(user.clone());
        pass_on(cores, home, || Control::PutUser(user.clone())).await?;
    }
    tracing::info!(changed = changes.changed.len(), removed = changes.removed.len(), "users told");
    Ok(())
}

/// Tells a core something once it has room for it.
async fn pass_on(cores: &Cores, shard: ShardId, control: impl Fn() -> Control) -> Result<(), Deaf> {
    let until = Instant::now() + ORDER_TIME;
    loop {
        match cores.tell(shard, control()) {
            Err(_) if Instant::now() < until => sleep(ORDER_LOOK).await,
            result => return result,
        }
    }
}

/// What serves the API once there is a socket for it.
fn make_api(settings: &Settings, accounts: AccountDesk) -> MakeApi {
    let settings = settings.clone();
    Box::new(move |socket| {
        Box::new(move |desk: Desk| {
            Box::pin(async move {
                let tally = desk.census.api_tally();
                let tls = settings.api.needs_tls().then_some(desk.tls);
                let backend = ApiDesk::new(desk.cores, accounts, &settings.limits);
                let census = desk.census;
                let leaves_in_s = Box::new(move || census.health().leaves_in_s);
                let seed = &mut random();
                let api = Api::new(backend, &settings, tally, desk.draining, leaves_in_s, seed);
                if let Err(error) = api::serve(socket, tls, api).await {
                    tracing::error!(%error, "the API has ended");
                }
            })
        })
    })
}

/// A generator of this process.
fn random() -> Seed {
    let mut seed = [0; 32];
    rand::fill(&mut seed[..]);
    Seed::new(seed)
}

/// Secrets of this process.
fn keys() -> Keys {
    let mut seed = random();
    let mut keys = Keys { hash: [0; 4], nonce: [0; 32] };
    keys.hash.iter_mut().for_each(|key| *key = seed.next_u64());
    seed.fill(&mut keys.nonce);
    keys
}
