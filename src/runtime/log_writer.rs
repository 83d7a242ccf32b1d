//! The way of log lines to standard error: through a bounded queue to a thread of their own. What reads
//! standard error may be slow or stand still, and then lines are lost; whoever logs never waits.

use std::sync::{Mutex, OnceLock, PoisonError};

use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};

/// Lines that may wait: some 2 MiB.
const LINES_MAX: usize = 8192;

/// The way of this process, once there is one.
static WAY: OnceLock<Way> = OnceLock::new();

struct Way {
    queue: NonBlocking,
    /// Taken at the end: its drop has the thread write what waits.
    thread: Mutex<Option<WorkerGuard>>,
}

/// Where the process writes its log lines to; the same queue each time.
pub fn queue() -> NonBlocking {
    let way = WAY.get_or_init(|| {
        let builder = NonBlockingBuilder::default().lossy(true).thread_name("log");
        let (queue, thread) = builder.buffered_lines_limit(LINES_MAX).finish(std::io::stderr());
        Way { queue, thread: Mutex::new(Some(thread)) }
    });
    way.queue.clone()
}

/// Waits for what was logged to be written before the process ends, for some 1.1 s at most. What is
/// logged after that is lost.
pub fn end() {
    if let Some(way) = WAY.get() {
        drop(way.thread.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// Lines that were lost because standard error was not read.
pub fn lost() -> u64 {
    WAY.get().map_or(0, |way| way.queue.error_counter().dropped_lines() as u64)
}
