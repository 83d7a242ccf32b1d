//! The log of the process: one line an event on standard error, whatever wrote it. Glommio speaks
//! through the `log` crate; its warnings about rings and buffers come out here too. Nobody waits for
//! whoever reads standard error.

use std::panic::PanicHookInfo;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Registry, fmt, reload};

use super::log_writer;
use crate::config::{Log, LogFormat};

/// Changes what is logged while the server runs.
#[derive(Clone, Debug)]
pub struct LogFilter(reload::Handle<EnvFilter, Registry>);

/// The log cannot be set up or changed.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter cannot be read.
    #[error("log.filter: {0}")]
    Filter(#[from] ParseError),
    /// Something else logs for this process already.
    #[error("the log is set up already: {0}")]
    Again(#[from] TryInitError),
    /// The log is gone.
    #[error("the log filter cannot be changed: {0}")]
    Gone(#[from] reload::Error),
}

/// Sets the log of the process up. Panics are logged too, at most ten a second.
pub fn start(log: &Log) -> Result<LogFilter, LogError> {
    let (filter, handle) = reload::Layer::new(log.filter.parse::<EnvFilter>()?);
    let lines = fmt::layer().with_writer(log_writer::queue());
    let lines = match log.format {
        LogFormat::Json => lines.json().boxed(),
        LogFormat::Text => lines.with_ansi(false).boxed(),
    };
    tracing_subscriber::registry().with(filter).with(lines).try_init()?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(LogFilter(handle))
}

impl LogFilter {
    /// Waits for what was logged to be written, for about a second at most. For the end of the process,
    /// which takes with it what waits.
    pub fn last_lines(&self) {
        log_writer::end();
    }

    /// Says whether `filter` can be read.
    ///
    /// # Errors
    /// When it cannot.
    pub fn check(filter: &str) -> Result<(), LogError> {
        filter.parse::<EnvFilter>()?;
        Ok(())
    }

    /// Logs what `filter` lets through from now on.
    pub fn set(&self, filter: &str) -> Result<(), LogError> {
        self.0.reload(filter.parse::<EnvFilter>()?)?;
        Ok(())
    }
}

/// A panic that a peer can cause must not fill the disk.
fn log_panic(panic: &PanicHookInfo<'_>) {
    const LINES: u64 = 10;
    static LINE: AtomicU64 = AtomicU64::new(0);
    static SINCE: Mutex<Option<Instant>> = Mutex::new(None);
    if let Ok(mut since) = SINCE.try_lock()
        && since.is_none_or(|since| since.elapsed() > Duration::from_secs(1))
    {
        *since = Some(Instant::now());
        LINE.store(0, Ordering::Relaxed);
    }
    if LINE.fetch_add(1, Ordering::Relaxed) >= LINES {
        return;
    }
    let text = panic.payload_as_str().unwrap_or("");
    let at = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    tracing::error!(at, text, thread = thread.name().unwrap_or(""), "panic");
}
