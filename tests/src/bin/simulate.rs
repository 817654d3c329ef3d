//! Simulates a node on many seeds: `simulate [--seeds N] [--from SEED]`. Prints what every
//! failing seed did wrong and the command that replays it, and keeps the seed.

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use barrow_tests::simulation::{Outcome, Plan, kept_seeds, kept_seeds_file, report, run_all};

fn main() -> anyhow::Result<ExitCode> {
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
                return Ok(ExitCode::from(2));
            }
        }
    }
    let started = Instant::now();
    let (mut failed, mut total) = (Vec::new(), Outcome::default());
    let seeds: Vec<u64> = (from..from + seeds).collect();
    run_all(&seeds, Plan::default(), |seed, outcome| {
        if !outcome.violations.is_empty() {
            println!("{}", report(seed, &outcome));
            failed.push(seed);
        }
        if seeds.len() == 1 {
            println!("seed {seed}: trace {:016x}", outcome.trace);
        }
        total.add(&outcome);
    });
    let seconds = started.elapsed().as_secs_f64();
    println!("{}", summary(&total, seeds.len(), failed.len(), seconds));
    keep(&failed)?;
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn summary(total: &Outcome, seeds: usize, failed: usize, seconds: f64) -> String {
    let Outcome { acknowledged, replays, open, reads, expired, counts, broken, .. } = total;
    format!(
        "{seeds} seeds in {seconds:.0} s, {failed} with violations: {} requests; {acknowledged} \
         changes acknowledged ({replays} of them repeats), {open} left open, {reads} reads ({} \
         from streams), {} refused, {} turned away, {} without an answer; {} crashes, {} outages \
         of the store, {} jumps of the clock; {expired} carts expired",
        counts.requests,
        counts.streamed,
        counts.refusals,
        counts.turned_away,
        counts.unanswered,
        broken.crashes,
        broken.outages,
        broken.clock_jumps,
    )
}

/// A seed that found something is run first from now on.
fn keep(failed: &[u64]) -> std::io::Result<()> {
    let known = kept_seeds();
    let mut file = std::fs::OpenOptions::new().append(true).open(kept_seeds_file())?;
    for seed in failed.iter().filter(|seed| !known.contains(seed)) {
        writeln!(file, "{seed}")?;
    }
    Ok(())
}
