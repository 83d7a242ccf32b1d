//! Layers 0-7 are in the library; this is the door.

use std::process::ExitCode;

/// Fewer page faults and less memory than the system's under many small buffers.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    mynah::cli::run()
}
