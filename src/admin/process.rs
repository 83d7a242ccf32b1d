//! The process as the kernel sees it.

use std::fs;

/// Clock ticks a second in `/proc`: fixed by Linux's interface to programs (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// Gauges of the process. What `/proc` does not say is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Process {
    /// User and system time of all threads, in seconds.
    pub cpu_s: Option<f64>,
    /// Resident memory in octets.
    pub resident_bytes: Option<u64>,
    /// Octets written to disks.
    pub written_bytes: Option<u64>,
    /// Open file descriptors.
    pub fds: Option<u64>,
    /// Soft bound on open file descriptors.
    pub fds_max: Option<u64>,
}

impl Process {
    /// Reads `/proc/self`.
    pub fn read() -> Self {
        let text = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).ok();
        Process {
            cpu_s: text("stat").and_then(|stat| cpu_s(&stat)),
            resident_bytes: text("status").and_then(|status| resident_bytes(&status)),
            written_bytes: text("io").and_then(|io| written_bytes(&io)),
            // The descriptor that reads the folder is one of them.
            fds: fs::read_dir("/proc/self/fd")
                .ok()
                .map(|entries| (entries.count() as u64).saturating_sub(1)),
            fds_max: text("limits").and_then(|limits| fds_max(&limits)),
        }
    }
}

/// Fields 14 and 15 of proc_pid_stat(5). The second field is a name that may hold anything, in
/// parentheses.
fn cpu_s(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user.checked_add(system)? as f64 / TICKS_PER_SECOND)
}

fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}

fn written_bytes(io: &str) -> Option<u64> {
    io.lines().find_map(|line| line.strip_prefix("write_bytes:"))?.trim().parse().ok()
}

fn fds_max(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_process_has_all_of_it() {
        let process = Process::read();
        assert!(process.cpu_s.is_some());
        assert!(process.resident_bytes.unwrap() > 1 << 16);
        assert!(process.fds.unwrap() >= 3);
        assert!(process.fds_max.unwrap() >= process.fds.unwrap());
    }

    #[test]
    fn odd_names_and_missing_lines_are_stood() {
        let stat = "7 (a) b 1 2) S 1 7 7 0 -1 4194304 1 0 0 0 150 50 0 0 20 0 3 0 99 1 1";
        assert_eq!(cpu_s(stat), Some(2.0));
        assert_eq!(cpu_s("7 (a) S 1"), None);
        assert_eq!(cpu_s(""), None);
        assert_eq!(resident_bytes("VmHWM:\t8 kB\nVmRSS:\t  12 kB\n"), Some(12 * 1024));
        assert_eq!(written_bytes("wchar: 9\nwrite_bytes: 4096\n"), Some(4096));
        assert_eq!(written_bytes("wchar: 9\n"), None);
        assert_eq!(resident_bytes("Name:\tx\n"), None);
        assert_eq!(
            fds_max("Max open files            1024         4096         files\n"),
            Some(1024)
        );
        assert_eq!(fds_max("Max open files            unlimited    unlimited    files\n"), None);
    }
}
