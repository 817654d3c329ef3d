//! Simulates a node on many seeds: `simulate [--seeds N] [--from SEED]`. Prints what every
//! failing seed did wrong and the command that replays it, and keeps the seed.
//!
//! `simulate --planted` plants one bug after another, counts the seeds until each is found, and
//! writes the table in docs/reliability.md.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use barrow_actors::runtime::Bug;
use barrow_tests::simulation::planted::{describe, hunt};
use barrow_tests::simulation::{Outcome, Plan, kept_seeds, kept_seeds_file, report, run_all};

/// A bug that is not found on so many seeds is not found.
const PLANTED_SEEDS_MAX: u64 = 2_000;

const USAGE: &str = "usage: simulate [--seeds N] [--from SEED] | simulate --planted";

fn main() -> anyhow::Result<ExitCode> {
    let (mut seeds, mut from) = (1_000, 0);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--planted" {
            return hunt_all();
        }
        let value = arguments.next().and_then(|value| value.parse().ok());
        match (argument.as_str(), value) {
            ("--seeds", Some(value)) => seeds = value,
            ("--from", Some(value)) => from = value,
            _ => {
                eprintln!("{USAGE}");
                return Ok(ExitCode::from(2));
            }
        }
    }
    simulate(&(from..from + seeds).collect::<Vec<u64>>())
}

fn simulate(seeds: &[u64]) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let (mut failed, mut total) = (Vec::new(), Outcome::default());
    run_all(seeds, Plan::default(), |seed, outcome| {
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
    keep(&failed).context("the failing seeds could not be kept")?;
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

fn hunt_all() -> anyhow::Result<ExitCode> {
    let mut table = "| bug | seeds until found | first seen as |\n|---|---|---|\n".to_owned();
    let mut missed = 0;
    for bug in Bug::ALL {
        let row = match hunt(bug, PLANTED_SEEDS_MAX) {
            Some(found) => format!("{} | {}", found.seeds, shortened(&found.violation)),
            None => {
                missed += 1;
                format!("not in {PLANTED_SEEDS_MAX} | -")
            }
        };
        let row = format!("| {} | {row} |\n", describe(bug));
        print!("{row}");
        table.push_str(&row);
    }
    write_table(&table)?;
    Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The beginning of it, without the names of carts.
fn shortened(violation: &str) -> String {
    const CHARS_MAX: usize = 90;
    let words = violation.split(' ').filter(|word| !word.starts_with("cart_"));
    let text: String = words.collect::<Vec<_>>().join(" ");
    let start: String = text.chars().filter(|c| *c != '|').take(CHARS_MAX).collect();
    start.split(" {").next().unwrap_or_default().to_owned()
}

/// Replaces what stands between the two marks.
fn write_table(table: &str) -> anyhow::Result<()> {
    const MARKS: [&str; 2] = ["<!-- table of planted bugs -->\n", "<!-- end of the table -->"];
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reliability.md");
    let text = std::fs::read_to_string(&page).context("docs/reliability.md cannot be read")?;
    let (before, rest) = text.split_once(MARKS[0]).context("the page has no table")?;
    let (_, after) = rest.split_once(MARKS[1]).context("the table has no end")?;
    let text = format!("{before}{}{table}{}{after}", MARKS[0], MARKS[1]);
    std::fs::write(&page, text).context("docs/reliability.md cannot be written")
}
