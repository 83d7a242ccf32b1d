//! What the system must allow before an executor is made. Each fault is one line that says what
//! to set; without them glommio would end the process with a joke.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors wanted; fewer is a warning.
const DESCRIPTORS_WANTED: u64 = 65_536;
/// Glommio makes no executor below this.
const MEMLOCK_MIN: u64 = 512 * 1024;
/// Pinned by the rings of one executor and the little memory registered with them.
const MEMLOCK_PER_CORE: u64 = 256 * 1024;
/// First kernel with all operations that glommio asks for.
const KERNEL_MIN: (u32, u32) = (5, 8);

/// The system does not allow what the server needs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// Too old a kernel.
    #[error("the kernel is {0}; Linux 5.8 or later is needed for io_uring")]
    Kernel(String),
    /// Switched off for everybody.
    #[error("io_uring is switched off: set `sysctl -w kernel.io_uring_disabled=0`")]
    Disabled,
    /// Switched off for this user.
    #[error(
        "io_uring is allowed to a group this process is not in: set `sysctl -w \
         kernel.io_uring_disabled=0` or add the user to the group in kernel.io_uring_group"
    )]
    DisabledForUser,
    /// A seccomp filter forbids it, as container runtimes do.
    #[error(
        "io_uring is forbidden by a seccomp filter: allow io_uring_setup, io_uring_enter and \
         io_uring_register (docker: --security-opt seccomp=unconfined or a profile with them)"
    )]
    Seccomp,
    /// The probe failed in another way.
    #[error("io_uring cannot be used: {0}")]
    Ring(String),
    /// Too little memory may be locked.
    #[error(
        "RLIMIT_MEMLOCK is {have} KiB, {need} KiB are needed for {cores} cores: set \
         LimitMEMLOCK=infinity in the service or `ulimit -l {need}`"
    )]
    Memlock {
        /// The limit, in KiB.
        have: u64,
        /// What is needed, in KiB.
        need: u64,
        /// Executors wanted.
        cores: usize,
    },
    /// No CPU may be used.
    #[error("the CPUs this process may use cannot be found: {0}")]
    Cpus(String),
}

/// Checks everything for `cores` executors and raises the soft limits that may be raised.
pub fn check(cores: usize) -> Result<(), CheckError> {
    check_kernel(&rustix::system::uname().release().to_string_lossy())?;
    check_ring()?;
    raise_memlock(cores)?;
    raise_descriptors();
    Ok(())
}

/// The CPUs this process may use, in order: its affinity, as cgroups and `taskset` set it.
pub fn cpus() -> Result<Vec<usize>, CheckError> {
    let set = rustix::thread::sched_getaffinity(None)
        .map_err(|error| CheckError::Cpus(error.to_string()))?;
    let cpus: Vec<usize> =
        (0..rustix::thread::CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect();
    if cpus.is_empty() { Err(CheckError::Cpus("the set is empty".to_owned())) } else { Ok(cpus) }
}

fn check_kernel(release: &str) -> Result<(), CheckError> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) < KERNEL_MIN => {
            Err(CheckError::Kernel(release.to_owned()))
        }
        // A release that cannot be read is left to the probe.
        _ => Ok(()),
    }
}

/// Makes a ring and drops it: the only answer that counts sysctl, seccomp and kernel together.
#[allow(unsafe_code)]
fn check_ring() -> Result<(), CheckError> {
    let mut params = rustix::io_uring::io_uring_params::default();
    // SAFETY: `params` asks for nothing that points anywhere, and outlives the call.
    let probe = unsafe { rustix::io_uring::io_uring_setup(8, &mut params) };
    match probe {
        Ok(_) => Ok(()),
        Err(errno) => {
            let disabled = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled");
            Err(ring_error(errno, disabled.as_deref().unwrap_or("0").trim()))
        }
    }
}

fn ring_error(errno: rustix::io::Errno, disabled: &str) -> CheckError {
    use rustix::io::Errno;
    match (errno, disabled) {
        (Errno::PERM, "2") => CheckError::Disabled,
        (Errno::PERM, "1") => CheckError::DisabledForUser,
        (Errno::PERM | Errno::ACCESS, _) => CheckError::Seccomp,
        (Errno::NOSYS, _) => CheckError::Ring(
            "the kernel was built without it, or a seccomp filter hides it".to_owned(),
        ),
        (Errno::NOMEM, _) => CheckError::Ring(
            "not enough memory may be locked: set LimitMEMLOCK=infinity".to_owned(),
        ),
        (errno, _) => CheckError::Ring(errno.to_string()),
    }
}

fn raise_memlock(cores: usize) -> Result<(), CheckError> {
    let need = MEMLOCK_MIN.max(MEMLOCK_PER_CORE * cores as u64);
    let limit = getrlimit(Resource::Memlock);
    let have = raise(Resource::Memlock, limit);
    match have {
        Some(have) if have < need => {
            Err(CheckError::Memlock { have: have / 1024, need: need / 1024, cores })
        }
        _ => Ok(()),
    }
}

fn raise_descriptors() {
    let have = raise(Resource::Nofile, getrlimit(Resource::Nofile));
    if let Some(have) = have
        && have < DESCRIPTORS_WANTED
    {
        tracing::warn!(
            descriptors = have,
            "few connections are possible: set LimitNOFILE=1048576 in the service or `ulimit -n`"
        );
    }
}

/// Sets the soft limit to the hard one; what is in force then, `None` for infinity.
fn raise(resource: Resource, limit: Rlimit) -> Option<u64> {
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    match setrlimit(resource, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn old_kernels_are_refused_by_name() {
        assert_eq!(
            check_kernel("5.4.0-150-generic"),
            Err(CheckError::Kernel("5.4.0-150-generic".into()))
        );
        for fine in ["5.8.0", "6.1.0-37-amd64", "10.0", "6.18.44-fc"] {
            assert_eq!(check_kernel(fine), Ok(()));
        }
    }

    #[test]
    fn each_way_to_forbid_io_uring_is_told_apart() {
        assert_eq!(ring_error(Errno::PERM, "2"), CheckError::Disabled);
        assert_eq!(ring_error(Errno::PERM, "1"), CheckError::DisabledForUser);
        assert_eq!(ring_error(Errno::PERM, "0"), CheckError::Seccomp);
        assert!(matches!(ring_error(Errno::NOSYS, "0"), CheckError::Ring(_)));
    }

    #[test]
    fn every_fault_is_one_line_that_says_what_to_set() {
        let memlock = CheckError::Memlock { have: 64, need: 512, cores: 2 }.to_string();
        assert!(memlock.contains("LimitMEMLOCK=infinity"), "{memlock}");
        assert!(CheckError::Disabled.to_string().contains("kernel.io_uring_disabled=0"));
        assert!(!CheckError::Seccomp.to_string().contains('\n'));
    }

    #[test]
    fn this_machine_has_a_cpu() {
        assert!(!cpus().unwrap().is_empty());
    }
}
