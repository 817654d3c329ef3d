//! The command `barrow`.

use std::process::ExitCode;

/// Many threads allocate replies and rows of the same few sizes, and free them on others.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    barrow_api::cli::run()
}
