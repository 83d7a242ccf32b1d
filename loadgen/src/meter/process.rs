//! What a process used, as `/proc` says.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// Clock ticks a second in `/proc/PID/stat`: fixed by Linux for programs on every machine that
/// has io_uring (USER_HZ).
const TICKS_PER_SECOND: u64 = 100;

/// What a process has used since it began, and what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU in its own code.
    pub user: Duration,
    /// CPU in the kernel for it.
    pub system: Duration,
    /// Resident memory in octets.
    pub resident: u64,
    /// Octets it had written to disks; zero where that may not be read.
    pub written: u64,
}

impl Usage {
    /// Of the process `pid` and those it started; `None` when there is none, or it may not be
    /// looked at. Memory that several of them share counts for each.
    pub fn of(pid: u32) -> Option<Usage> {
        let mut sum = Usage::read(&pid.to_string())?;
        let mut open = children(pid);
        // Each process has one parent, so this ends.
        while let Some(child) = open.pop() {
            if let Some(usage) = Usage::read(&child.to_string()) {
                sum.user += usage.user;
                sum.system += usage.system;
                sum.resident += usage.resident;
                sum.written += usage.written;
                open.extend(children(child));
            }
        }
        Some(sum)
    }

    /// Of this process.
    pub fn own() -> Option<Usage> {
        Usage::read("self")
    }

    /// CPU used since `earlier`.
    pub fn cpu_since(&self, earlier: &Usage) -> Duration {
        (self.user + self.system).saturating_sub(earlier.user + earlier.system)
    }

    fn read(name: &str) -> Option<Usage> {
        let stat = fs::read_to_string(format!("/proc/{name}/stat")).ok()?;
        let status = fs::read_to_string(format!("/proc/{name}/status")).ok()?;
        let (user, system) = cpu(&stat)?;
        // Who may not look at it learns the rest all the same.
        let io = fs::read_to_string(format!("/proc/{name}/io")).unwrap_or_default();
        let written = written(&io).unwrap_or_default();
        Some(Usage { user, system, resident: resident(&status)?, written })
    }
}

fn children(pid: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_ascii_whitespace().filter_map(|child| child.parse().ok()).collect()
}

/// User and system time of a `stat` line. The command name may hold anything, also `)`.
fn cpu(stat: &str) -> Option<(Duration, Duration)> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let mut next = || {
        let ticks: u64 = fields.next()?.parse().ok()?;
        Some(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
    };
    Some((next()?, next()?))
}

/// Octets of the regular files that a process has open, each counted once: of a server its
/// database and logs. `None` when it may not be looked at.
pub fn open_files(pid: u32) -> Option<u64> {
    let mut sizes = BTreeMap::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten() {
        // A descriptor may be closed while this looks.
        let Ok(file) = fs::metadata(entry.path()) else { continue };
        if file.is_file() && file.nlink() > 0 {
            sizes.insert((file.dev(), file.ino()), file.len());
        }
    }
    Some(sizes.values().sum())
}

/// Cores that a process may use.
pub fn cores(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let mask = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed:"))?;
    let digits = mask.chars().filter_map(|digit| digit.to_digit(16));
    Some(digits.map(u32::count_ones).sum())
}

/// Octets written to disks of an `io` text.
fn written(io: &str) -> Option<u64> {
    io.lines().find_map(|line| line.strip_prefix("write_bytes:"))?.trim().parse().ok()
}

/// Resident octets of a `status` text.
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    #[test]
    fn times_are_read_past_a_strange_command_name() {
        let stat = "42 (a) b) R 1 2 3 4 5 6 7 8 9 10 250 31 0 0 20 0 3";
        assert_eq!(cpu(stat), Some((Duration::from_millis(2500), Duration::from_millis(310))));
        assert_eq!(cpu("42 (a) R 1"), None);
    }

    #[test]
    fn memory_is_read_in_octets() {
        assert_eq!(resident("VmPeak: 9 kB\nVmRSS:\t    2048 kB\n"), Some(2_097_152));
        assert_eq!(resident("VmPeak: 9 kB\n"), None);
        assert_eq!(written("wchar: 7\nwrite_bytes: 4096\n"), Some(4096));
    }

    #[test]
    fn this_process_can_be_looked_at() {
        assert!(Usage::own().is_some_and(|usage| usage.resident > 0));
        assert!(Usage::of(std::process::id()).is_some());
        assert_eq!(Usage::of(u32::MAX), None);
    }

    #[test]
    fn open_files_count_once_and_only_while_they_have_a_name() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, &vec![0; 5_000_000]).unwrap();
        let _again = file.reopen().unwrap();
        let mut nameless = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut nameless, &vec![0; 50_000_000]).unwrap();
        let size = open_files(std::process::id()).unwrap();
        assert!((5_000_000..10_000_000).contains(&size), "{size}");
        assert!(cores(std::process::id()).unwrap() > 0);
    }

    #[test]
    fn what_a_process_started_counts_with_it() {
        let script = "sleep 60 & echo $!; wait";
        let mut shell =
            Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (own, sleeper) = (Usage::read(&shell.id().to_string()), Usage::read(line.trim()));
        let both = Usage::of(shell.id()).unwrap();
        assert!(Command::new("kill").arg(line.trim()).status().unwrap().success());
        shell.wait().unwrap();
        assert!(both.resident > own.unwrap().resident.max(sleeper.unwrap().resident));
    }
}
