//! The command `barrow` of a build to come, for tests of upgrades: it stores in a later form than
//! this one, and is the same in everything else.

use std::process::ExitCode;

/// As in `barrow`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    barrow_actors::runtime::know_next_form();
    barrow_api::cli::run()
}
