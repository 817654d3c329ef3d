//! A shop that is asked for more than it can do: `overload [--quick|--isolation]` measures it and
//! prints each figure beside its target. The shop is a process of its own, of this same program.

use std::process::ExitCode;

use barrow_tests::overload::{self, Extent};

/// As in `barrow`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let ended = match args.first().map(String::as_str) {
        Some("serve") => overload::serve(&args[1..]),
        // The catalog is imported by `barrow` itself.
        Some("import") => return barrow_api::cli::run(),
        None => overload::measure(Extent::Whole),
        Some("--quick") => overload::measure(Extent::Quick),
        Some("--isolation") => overload::measure(Extent::Isolation),
        Some(_) => {
            eprintln!("usage: overload [--quick|--isolation]");
            return ExitCode::from(2);
        }
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
