//! The way of log lines to standard error: through a bounded queue to a thread of its own. What reads
//! standard error may be slow or stand still, and then lines are lost; whoever logs never waits.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Lines that may wait: some 300 KiB.
const LINES_MAX: usize = 2048;

/// The writer of the process, once there is one.
static WRITER: OnceLock<LogWriter> = OnceLock::new();

/// Where log lines are written to. Its clones are the same queue.
#[derive(Clone, Debug)]
pub struct LogWriter {
    queue: SyncSender<Entry>,
    lost: Arc<AtomicU64>,
}

/// An element of the queue.
#[derive(Debug)]
enum Entry {
    /// A whole line.
    Line(Vec<u8>),
    /// All before it was written: say so.
    Flush(SyncSender<()>),
}

impl LogWriter {
    /// A writer of the process to standard error; the same one each time.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start() -> io::Result<LogWriter> {
        if let Some(writer) = WRITER.get() {
            return Ok(writer.clone());
        }
        let writer = LogWriter::to(io::stderr(), LINES_MAX)?;
        Ok(WRITER.get_or_init(|| writer).clone())
    }

    /// A writer to `sink` before which at most `lines_max` lines wait.
    fn to(sink: impl Write + Send + 'static, lines_max: usize) -> io::Result<LogWriter> {
        let (queue, lines) = sync_channel(lines_max);
        thread::Builder::new().name("log".to_owned()).spawn(move || write_all(sink, &lines))?;
        Ok(LogWriter { queue, lost: Arc::default() })
    }

    /// Waits for what was logged before to be written, no longer than `patience`.
    fn flush(&self, patience: Duration) {
        let (done, written) = sync_channel(1);
        if self.queue.try_send(Entry::Flush(done)).is_ok() {
            // Whoever reads is too slow if this fails: nothing can be done about it.
            let _ = written.recv_timeout(patience);
        }
    }
}

/// Waits for what was logged to be written before the process ends, no longer than `patience`.
pub fn flush(patience: Duration) {
    if let Some(writer) = WRITER.get() {
        writer.flush(patience);
    }
}

/// Lines that were lost because standard error was not read.
pub fn lost() -> u64 {
    WRITER.get().map_or(0, |writer| writer.lost.load(Ordering::Relaxed))
}

/// Writes line by line until nobody can log any more.
fn write_all(mut sink: impl Write, entries: &Receiver<Entry>) {
    for entry in entries {
        match entry {
            // There is no other place to say that standard error is closed.
            Entry::Line(line) => drop(sink.write_all(&line)),
            // Nobody waits any more if this fails.
            Entry::Flush(done) => drop(sink.flush().map(|()| done.try_send(()))),
        }
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = &'a LogWriter;

    fn make_writer(&'a self) -> &'a LogWriter {
        self
    }
}

impl Write for &LogWriter {
    /// Takes a whole line, which is how the formatter writes.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match self.queue.try_send(Entry::Line(line.to_vec())) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// A reader that takes a line when it is told to.
    struct Slow {
        turn: Receiver<()>,
        read: Sender<Vec<u8>>,
    }

    impl Write for Slow {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            let _ = self.turn.recv();
            self.read.send(line.to_vec()).unwrap();
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn who_logs_to_a_reader_that_stands_still_does_not_wait_and_loses_lines() {
        let (turns, turn) = channel();
        let (read, lines) = channel();
        let writer = LogWriter::to(Slow { turn, read }, 2).unwrap();
        for _ in 0..100 {
            assert_eq!((&writer).write(b"line\n").unwrap(), 5);
        }
        // Two wait, and perhaps one was taken out of the queue.
        let lost = writer.lost.load(Ordering::Relaxed);
        assert!((97..=98).contains(&lost), "{lost}");
        // The queue is full: a flush does not wait for it.
        writer.flush(Duration::from_secs(3600));
        drop(turns);
        for _ in lost..100 {
            assert_eq!(lines.recv().unwrap(), b"line\n");
        }
        (&writer).write_all(b"last\n").unwrap();
        writer.flush(Duration::from_secs(30));
        assert_eq!(lines.try_recv().unwrap(), b"last\n");
    }
}
