//! What operators see of the cores and the store, asked for when somebody looks.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};

use super::account_desk::AccountDesk;
use super::control::Operate;
use super::drain::Leave;
use super::ledger::Ledger;
use super::log_writer;
use super::orders::{Cores, Order};
use super::watchdog::Pulses;
use crate::admin::certificates::CertificatesStanding;
use crate::admin::operation::{Operated, Operation};
use crate::admin::{Health, Sources, Trace};
use crate::base::ids::ShardId;
use crate::config::Settings;
use crate::ldap::Board;
use crate::metrics::api::{ApiCounters, ApiTally};
use crate::metrics::counters::Counters;
use crate::metrics::hep::HepCounters;
use crate::metrics::ldap::LdapCounters;
use crate::metrics::names::Series;
use crate::metrics::store::StoreCounters;
use crate::net::tap::Tap;
use crate::shard::overheard::Subject;
use crate::shard::question::{Answer, Question};

/// How long cores may take to answer together. One that takes longer is left out.
const ANSWER_TIME: Duration = Duration::from_secs(1);

/// Messages that wait for one listener: of the longest there may be, 15 MiB.
const HEARD_MAX: usize = 256;

/// Asks the cores. Cheap to clone.
#[derive(Clone)]
pub struct Census {
    cores: Cores,
    pulses: Arc<Pulses>,
    ledger: Arc<dyn Ledger>,
    ldap: Board,
    standing: Standing,
    accounts: AccountDesk,
    api: Arc<ApiTally>,
    copies: Arc<HepCounters>,
    /// Conferences in one list.
    listed_max: usize,
}

/// How the server stands, as the control thread tells it, and the way back.
#[derive(Clone)]
pub struct Standing {
    /// True when the server goes down.
    pub draining: watch::Receiver<bool>,
    /// Set while a drain is under way.
    pub leave: watch::Receiver<Option<Leave>>,
    /// Where operations go.
    pub operate: mpsc::Sender<Operate>,
    /// The settings in force.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// The certificates in force.
    pub certificates: watch::Receiver<CertificatesStanding>,
}

impl Census {
    /// A census of `cores`.
    pub fn new(
        cores: Cores,
        pulses: Arc<Pulses>,
        ledger: Arc<dyn Ledger>,
        ldap: Board,
        standing: Standing,
        accounts: AccountDesk,
    ) -> Self {
        let listed_max = standing.settings.borrow().limits.conferences_listed_max;
        let (api, copies) = (Arc::default(), Arc::default());
        Census { cores, pulses, ledger, ldap, standing, accounts, api, copies, listed_max }
    }

    /// Where the API counts.
    pub fn api_tally(&self) -> Arc<ApiTally> {
        Arc::clone(&self.api)
    }

    /// What becomes of copies for the collector.
    pub fn copies_counted(&self) -> Arc<HepCounters> {
        Arc::clone(&self.copies)
    }

    fn ask_shard(&self, shard: ShardId, question: Question) -> Option<oneshot::Receiver<Answer>> {
        let (reply, answer) = oneshot::channel();
        self.cores.order(shard, Order::Ask(question, reply)).ok()?;
        Some(answer)
    }

    /// The counters of the cores that answer within a second.
    pub async fn take(&self) -> Vec<(ShardId, Counters)> {
        let replies: Vec<_> = (0..self.cores.shards())
            .map(ShardId)
            .filter_map(|shard| {
                let (reply, answer) = oneshot::channel();
                // Before the core is woken, which empties them.
                let depths = self.cores.depths(shard);
                let ordered = self.cores.order(shard, Order::Counters(reply)).ok();
                ordered.map(|()| (shard, depths, answer))
            })
            .collect();
        let until = Instant::now() + ANSWER_TIME;
        let mut answers = Vec::with_capacity(replies.len());
        for (shard, (frames, orders), reply) in replies {
            if let Ok(Ok(mut counters)) = timeout_at(until, reply).await {
                counters.set(Series::CoreNudges, self.pulses.nudges(shard));
                counters.set(Series::CoreStalls, self.pulses.stalls(shard));
                counters.set(Series::FramesWaitingCurrent, frames as u64);
                counters.set(Series::OrdersWaitingCurrent, orders as u64);
                answers.push((shard, counters));
            }
        }
        answers
    }
}

impl Sources for Census {
    type Accounts = AccountDesk;

    fn accounts(&self) -> &AccountDesk {
        &self.accounts
    }

    async fn ask(&self, question: Question) -> Option<Answer> {
        let shards = self.cores.shards();
        if let Some(home) = question.home(shards) {
            return self.ask_shard(home, question)?.await.ok();
        }
        // All are asked before the first is waited for.
        let replies: Option<Vec<_>> =
            (0..shards).map(|shard| self.ask_shard(ShardId(shard), question.clone())).collect();
        let mut whole: Option<Answer> = None;
        for reply in replies? {
            let part = reply.await.ok()?;
            whole = Some(match whole {
                None => part,
                Some(whole) => whole.merged(part, self.listed_max)?,
            });
        }
        whole
    }

    fn counters(&self) -> impl Future<Output = Vec<(ShardId, Counters)>> + Send {
        self.take()
    }

    fn listen(&self, subject: Subject) -> Trace {
        let (listener, heard) = mpsc::channel(HEARD_MAX);
        let lost = Arc::default();
        let tap = Tap { subject, listener, lost: Arc::clone(&lost) };
        self.cores.order_all(|| Order::Tap(tap.clone()));
        Trace { heard, lost }
    }

    fn copies(&self) -> (u64, u64) {
        self.copies.values()
    }

    fn log_lines_lost(&self) -> u64 {
        log_writer::lost()
    }

    fn store(&self) -> StoreCounters {
        self.ledger.counters()
    }

    fn ldap(&self) -> LdapCounters {
        self.ldap.counters()
    }

    fn api(&self) -> ApiCounters {
        self.api.counters()
    }

    fn certificates(&self) -> CertificatesStanding {
        self.standing.certificates.borrow().clone()
    }

    fn health(&self) -> Health {
        let Standing { draining, leave, .. } = &self.standing;
        let leave = *leave.borrow();
        Health {
            stuck: self.pulses.late(),
            store: self.ledger.counters().alarm,
            ldap: self.ldap.counters().alarm,
            draining: *draining.borrow(),
            leaves_in_s: leave.map(|leave| leave.left_s()),
        }
    }

    fn settings(&self) -> Arc<Settings> {
        self.standing.settings.borrow().clone()
    }

    async fn operate(&self, operation: Operation) -> Option<Operated> {
        let (reply, outcome) = oneshot::channel();
        self.standing.operate.try_send((operation, reply)).ok()?;
        outcome.await.ok()
    }
}
