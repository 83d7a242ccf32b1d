//! The machine that this program runs on.

use serde::{Deserialize, Serialize};
use std::fs;

/// What a machine is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// What the processor calls itself.
    pub cpu: String,
    /// Cores that this program may use.
    pub cores: u32,
    /// Memory in octets.
    pub memory: u64,
    /// Name and version of the kernel.
    pub kernel: String,
}

impl Machine {
    /// This one. What it does not say is left empty.
    pub fn this() -> Machine {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let cores = std::thread::available_parallelism().map_or(0, |cores| cores.get());
        Machine {
            cpu: cpu(&text("/proc/cpuinfo")).unwrap_or_default(),
            cores: u32::try_from(cores).unwrap_or(u32::MAX),
            memory: octets(&text("/proc/meminfo"), "MemTotal:").unwrap_or_default(),
            kernel: format!("Linux {}", text("/proc/sys/kernel/osrelease").trim()),
        }
    }
}

/// Share of this machine's memory that is available, 0 to 1.
pub fn memory_free() -> Option<f64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let (all, free) = (octets(&text, "MemTotal:")?, octets(&text, "MemAvailable:")?);
    (all > 0).then(|| free as f64 / all as f64)
}

fn cpu(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn octets(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_says_what_it_is() {
        let machine = Machine::this();
        assert!(machine.cores > 0 && machine.memory > 0, "{machine:?}");
        assert!(machine.kernel.len() > "Linux ".len());
        assert!(memory_free().is_some_and(|free| free > 0.0 && free < 1.0));
    }

    #[test]
    fn lines_are_read_by_name() {
        assert_eq!(cpu("processor\t: 0\nmodel name\t: A CPU: fast\n"), Some("A CPU: fast".into()));
        assert_eq!(cpu("processor : 0\n"), None);
        assert_eq!(octets("MemTotal:  2 kB\n", "MemTotal:"), Some(2048));
        assert_eq!(octets("MemTotal:  2\n", "MemTotal:"), None);
    }
}
