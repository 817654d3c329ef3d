//! What it costs, beside limits measured in the same run: `./dev bench [--quick] [--json]`.
//!
//! The servers and the load are processes of their own, started from this same program under
//! another role. All share the machine's cores, so only the ratios mean anything.

mod cases;
mod catalog;
mod client;
mod limit;
mod load;
mod metrics;
mod options;
mod peers;
mod process;
mod report;
mod server;
mod shop;
mod stock;

use std::process::{Command, ExitCode};

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Says what this process is to be, if not the one that measures.
const ROLE: &str = "BENCH_ROLE";

fn main() -> ExitCode {
    let ended = match std::env::var(ROLE).as_deref() {
        Ok("shop") => return barrow_api::cli::run(),
        Ok("limit") => limit::run(),
        Ok("peer") => peers::run(),
        Ok("load") => load::generator::run(),
        _ => cases::run(&options::Options::parse()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// This program under another role.
fn role(role: &str) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.env(ROLE, role);
    Ok(command)
}
