//! The store's counters: one store a process, so apart from those of the shards.

use super::histogram::Histogram;

/// What the store has done and how it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreCounters {
    /// Records that wait in the queue.
    pub queued: u64,
    /// Records taken from the queue and not committed yet.
    pub pending: u64,
    /// Records refused because the queue was full.
    pub refused: u64,
    /// Rows committed: records and changes of users.
    pub rows: u64,
    /// Ends of records of which the store knows no start, or another end already.
    pub strays: u64,
    /// Commits that failed; their records are tried again.
    pub failures: u64,
    /// Duration of the commits that succeeded.
    pub commits: Histogram,
    /// Set from the first failed write to the next that succeeds.
    pub alarm: Option<Alarm>,
}

/// Why the store cannot write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alarm {
    /// Another process holds the database.
    Busy,
    /// The database is damaged or is none.
    Corrupt,
    /// Its files may not be opened.
    Denied,
    /// No space left.
    DiskFull,
    /// The disk reports an error.
    Io,
    /// Anything else SQLite says.
    Other,
    /// The file system or the files are read-only.
    ReadOnly,
    /// The store's thread has ended.
    Stopped,
}

impl Alarm {
    /// All values.
    pub const ALL: [Alarm; 8] = [
        Alarm::Busy,
        Alarm::Corrupt,
        Alarm::Denied,
        Alarm::DiskFull,
        Alarm::Io,
        Alarm::Other,
        Alarm::ReadOnly,
        Alarm::Stopped,
    ];

    /// The label value.
    pub const fn name(self) -> &'static str {
        match self {
            Alarm::Busy => "busy",
            Alarm::Corrupt => "corrupt",
            Alarm::Denied => "denied",
            Alarm::DiskFull => "disk_full",
            Alarm::Io => "io",
            Alarm::Other => "other",
            Alarm::ReadOnly => "read_only",
            Alarm::Stopped => "stopped",
        }
    }

    /// What it means and what to do, for an operator.
    pub const fn advice(self) -> &'static str {
        match self {
            Alarm::Busy => "another process holds the database: wait for it, or stop it",
            Alarm::Corrupt => {
                "the database is damaged: stop the server and put back a backup of the data folder"
            }
            Alarm::Denied => {
                "the database may not be opened: check owner and mode of the data folder"
            }
            Alarm::DiskFull => "the disk is full: free space on the file system of the data folder",
            Alarm::Io => "the disk reports an error: look into the system's log",
            Alarm::Other => "the database refuses: look up its code",
            Alarm::ReadOnly => {
                "the database is read-only: check the mount and the owner of the data folder"
            }
            Alarm::Stopped => "the store has stopped: restart the server",
        }
    }
}
