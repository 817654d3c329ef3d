//! Simulates a node on many seeds: `simulate [--seeds N] [--from SEED]`. Prints what every
//! failing seed did wrong, and the command that replays it.

use std::process::ExitCode;
use std::time::Instant;

use barrow_tests::simulation::{Outcome, Plan, run};

fn main() -> ExitCode {
    let mut seeds = 1_000;
    let mut from = 0;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().and_then(|value| value.parse().ok());
        match (argument.as_str(), value) {
            ("--seeds", Some(value)) => seeds = value,
            ("--from", Some(value)) => from = value,
            _ => {
                eprintln!("usage: simulate [--seeds N] [--from SEED]");
                return ExitCode::from(2);
            }
        }
    }
    let started = Instant::now();
    let (mut failed, mut total) = (0, Outcome::default());
    for seed in from..from + seeds {
        let outcome = run(seed, Plan::default());
        for violation in &outcome.violations {
            println!("seed {seed}: {violation}");
        }
        if !outcome.violations.is_empty() {
            failed += 1;
            println!("  replay: ./dev sim --from {seed} --seeds 1");
        }
        if seeds == 1 {
            println!("seed {seed}: trace {:016x}", outcome.trace);
        }
        total.acknowledged += outcome.acknowledged;
        total.replays += outcome.replays;
        total.unknown += outcome.unknown;
        total.reads += outcome.reads;
        total.crashes += outcome.crashes;
    }
    println!(
        "{seeds} seeds, {failed} with violations: {} changes acknowledged ({} of them repeats), \
         {} left open, {} reads, {} crashes, {:.1} s",
        total.acknowledged,
        total.replays,
        total.unknown,
        total.reads,
        total.crashes,
        started.elapsed().as_secs_f64(),
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
