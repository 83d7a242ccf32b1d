//! A stretch of time in which latency is measured, and what is left when it is over.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::setpriority_process;

use crate::outside::eventually;
use crate::outside::server::Server;
use crate::siege::Attack;
use crate::siege::chat::Chat;
use crate::siege::field::Field;
use crate::siege::pace::{Ends, Pace};

/// From the begin of an attack until it counts: its connections are open then.
const LEAD_IN: Duration = Duration::from_millis(300);
/// The lowest priority there is.
const LOWEST: i32 = 19;

/// What was measured.
pub struct Window {
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// Of one core, all threads of the server together.
    pub cpu_percent: f64,
    pub blows_per_second: f64,
}

impl Window {
    /// Nobody attacks.
    pub fn quiet(server: &Server, chat: &Chat, time: Duration) -> Self {
        Window::of(server, chat, time, || 0)
    }

    /// Somebody attacks.
    pub fn attacked(server: &Server, chat: &Chat, attack: &Attack, time: Duration) -> Self {
        let pace = Pace::new(attack.rate);
        thread::scope(|scope| {
            let _ends = Ends(&pace);
            scope.spawn(|| {
                setpriority_process(None, LOWEST).expect("a lower priority");
                (attack.wage)(&Field::new(server, &pace));
            });
            thread::sleep(LEAD_IN);
            Window::of(server, chat, time, || pace.blows())
        })
    }

    fn of(server: &Server, chat: &Chat, time: Duration, blows: impl Fn() -> u64) -> Self {
        let cpu = || server.metrics().value("process_cpu_seconds_total");
        let (began, cpu_before, blows_before) = (Instant::now(), cpu(), blows());
        chat.took();
        thread::sleep(time);
        let mut took: Vec<f64> =
            chat.took().into_iter().map(|took| took.as_secs_f64() * 1e3).collect();
        let seconds = began.elapsed().as_secs_f64();
        took.sort_unstable_by(f64::total_cmp);
        let at = |percent: usize| took.get(took.len() * percent / 100).copied().unwrap_or(f64::NAN);
        Window {
            p50_ms: at(50),
            p99_ms: at(99),
            cpu_percent: (cpu() - cpu_before) / seconds * 100.0,
            blows_per_second: (blows() - blows_before) as f64 / seconds,
        }
    }
}

/// The server when nobody but the two who talk is connected.
pub struct Rest {
    pub memory_mib: f64,
    pub descriptors: f64,
}

impl Rest {
    /// Waits for it.
    pub fn of(server: &Server) -> Self {
        eventually("the attackers to be gone", || {
            let metrics = server.metrics();
            let left = metrics.value("mynah_connections_current") - 2.0
                + metrics.value("mynah_subscriptions_current")
                + metrics.value("mynah_im_sessions_current");
            let memory = metrics.value("process_resident_memory_bytes");
            let rest = Rest {
                memory_mib: memory / f64::from(1 << 20),
                descriptors: metrics.value("process_open_fds"),
            };
            if left == 0.0 { Ok(rest) } else { Err(format!("{left} left")) }
        })
    }
}

/// The middle one.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
