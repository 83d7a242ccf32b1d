//! Layers 0-7 are in the library; this is the door.

use std::ffi::{c_int, c_long};
use std::process::ExitCode;

/// Fewer page faults and less memory than the system's under many small buffers.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The allocator's option `generic_collect`, which its bindings have no name for.
const GENERIC_COLLECT: c_int = 34;

/// Allocations from a fresh page between two walks over all pages of a core: the most there can
/// be, instead of 10,000. A walk takes milliseconds, in the midst of an allocation, when a core
/// holds gigabytes; what it looks for is found elsewhere too (README, Figures).
const COLLECT_EVERY: c_long = 1_000_000;

fn main() -> ExitCode {
    collect_seldom();
    mynah::cli::run()
}

/// `MIMALLOC_GENERIC_COLLECT` in the environment has precedence.
#[allow(unsafe_code)]
fn collect_seldom() {
    // SAFETY: sets a number in the allocator's table of options; nothing else runs yet.
    unsafe { libmimalloc_sys::mi_option_set_default(GENERIC_COLLECT, COLLECT_EVERY) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(unsafe_code)]
    fn the_option_is_the_one_that_was_meant() {
        // SAFETY: reads a number from the allocator's table of options.
        let option = || unsafe { libmimalloc_sys::mi_option_get(GENERIC_COLLECT) };
        assert_eq!(option(), 10_000);
        collect_seldom();
        assert_eq!(option(), COLLECT_EVERY);
    }
}
