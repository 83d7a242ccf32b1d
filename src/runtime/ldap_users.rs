//! The users of the directory service while the server runs: a thread of its own looks at them again
//! and again and puts what changed into the store, from where the shards are told as of any other
//! change. While the service is no help they stay as they were.

use std::io;
use std::panic::AssertUnwindSafe;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_lite::FutureExt;
use tokio::sync::watch;
use tokio::time::timeout;

use super::ldap_look::{self, Look, LookError, Sink, Step};
use crate::config::{Ldap, Settings};
use crate::ldap::Board;
use crate::metrics::ldap::LdapAlarm;
use crate::store::{Database, StoreError, StoreHandle, UserChange};

/// After the first failure the next look comes so soon; after each further one twice as late.
const RETRY_TIME: Duration = Duration::from_secs(1);
/// Latest next look after a failure, unless all looks are further apart.
const RETRY_TIME_MAX: Duration = Duration::from_secs(60);

/// The thread. Ends when this is dropped.
#[derive(Debug)]
pub struct Follower {
    stop: Option<watch::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Starts the thread; `None` when no directory service is configured.
pub fn follow(
    settings: &Settings,
    store: StoreHandle,
    board: Board,
) -> Result<Option<Follower>, io::Error> {
    let Some(ldap) = settings.ldap.clone() else { return Ok(None) };
    let (stop, stopped) = watch::channel(());
    let looks = Looks { settings: settings.clone(), ldap, store, board, failures: 0 };
    let thread = std::thread::Builder::new().name("ldap".to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => {
                runtime.block_on(looks.run(stopped));
                // A name that is looked up for ever must not hold up the end.
                runtime.shutdown_background();
            }
            Err(error) => tracing::error!(%error, "directory service cannot be asked"),
        }
    })?;
    Ok(Some(Follower { stop: Some(stop), thread: Some(thread) }))
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the directory service did not end in order");
        }
    }
}

/// Looks, one after the other.
struct Looks {
    settings: Settings,
    ldap: Ldap,
    store: StoreHandle,
    board: Board,
    /// Since the last look that came to its end.
    failures: u32,
}

impl Looks {
    /// Runs until the sender of `stopped` is dropped, and no longer, whatever the service does.
    async fn run(mut self, mut stopped: watch::Receiver<()>) {
        self.remember();
        loop {
            let done = tokio::select! {
                _ = stopped.changed() => return,
                done = AssertUnwindSafe(self.look()).catch_unwind() => done,
            };
            // The library ends at some answers that LDAP does not allow.
            let wait = self.settle(done.unwrap_or(Err(LookError::Unreadable)));
            if timeout(wait, stopped.changed()).await.is_ok() {
                return;
            }
        }
    }

    /// Shows what was found before this process.
    fn remember(&self) {
        let busy = self.settings.limits.store_busy_timeout;
        let read = || {
            let database = Database::open(&self.settings.data, busy)?;
            let users = database.for_each_service_user(|_, _| ())?;
            Ok::<_, StoreError>((users as u64, database.service_looked()?.unwrap_or(0)))
        };
        match read() {
            Ok((users, looked)) => self.board.update(|counters| {
                counters.users = users;
                counters.looked_unix_ms = looked;
            }),
            Err(error) => tracing::warn!(%error, "users of the directory service cannot be read"),
        }
    }

    async fn look(&self) -> Result<Look, LookError> {
        let busy = self.settings.limits.store_busy_timeout;
        // Reads alone: the store's thread writes.
        let database = Database::open(&self.settings.data, busy)?;
        let mut sink = ToStore(&self.store);
        let look = ldap_look::look(&self.settings, &self.ldap, &database, false, &mut sink).await?;
        self.store.change_user(UserChange::Looked(unix_ms()))?.await?;
        Ok(look)
    }

    /// Takes note of a look, says what is new, and returns when the next one is due.
    fn settle(&mut self, done: Result<Look, LookError>) -> Duration {
        let before = self.board.counters().alarm;
        match done {
            Ok(look) => {
                self.failures = 0;
                let alarm = (look.spared > 0).then_some(LdapAlarm::Missing);
                self.board.update(|counters| {
                    counters.looks += 1;
                    counters.looked_unix_ms = unix_ms();
                    counters.changes += look.changes;
                    counters.users = look.users;
                    counters.unfit = look.unfit;
                    counters.alarm = alarm;
                });
                let Look { users, unfit, changes, spared } = look;
                if alarm.is_some() && before != alarm {
                    let advice = LdapAlarm::Missing.advice();
                    tracing::warn!(spared, "{advice}");
                }
                if changes > 0 || (before.is_some() && alarm.is_none()) {
                    tracing::info!(users, changes, unfit, "users of the directory service read");
                }
                self.ldap.refresh
            }
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                let alarm = error.alarm();
                self.board.update(|counters| {
                    if let Some(count) = counters.failures.get_mut(alarm as usize) {
                        *count += 1;
                    }
                    counters.entries_limit_hits +=
                        u64::from(matches!(error, LookError::TooMany(_)));
                    counters.alarm = Some(alarm);
                });
                if before == Some(alarm) {
                    tracing::debug!(%error, "directory service is still no help");
                } else {
                    tracing::warn!(%error, "directory service is no help, users stay as they were");
                }
                retry_time(self.failures, self.ldap.refresh)
            }
        }
    }
}

/// Puts what a look finds into the store.
struct ToStore<'a>(&'a StoreHandle);

impl Sink for ToStore<'_> {
    async fn apply(&mut self, steps: Vec<Step>) -> Result<(), StoreError> {
        self.0.change_users(steps.into_iter().map(UserChange::from).collect())?.await
    }

    fn unfit(&mut self, dn: &str, why: &str) {
        tracing::debug!(dn, why, "entry of the directory service is no user");
    }
}

/// When the next look is due after so many failures: later each time, but not later than after a
/// good one.
fn retry_time(failures: u32, refresh: Duration) -> Duration {
    let doubled = RETRY_TIME.saturating_mul(1 << failures.saturating_sub(1).min(16));
    doubled.min(RETRY_TIME_MAX).min(refresh)
}

fn unix_ms() -> u64 {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(unix.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_come_later_and_later_up_to_a_minute_or_the_usual_time() {
        let time = |failures| retry_time(failures, Duration::from_secs(300)).as_secs();
        assert_eq!([1, 2, 3, 7, 8, u32::MAX].map(time), [1, 2, 4, 60, 60, 60]);
        assert_eq!(retry_time(5, Duration::from_secs(2)), Duration::from_secs(2));
    }
}
