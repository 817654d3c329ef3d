//! Simulates a node, or with `--cluster` a cluster, on many seeds: `simulate [--cluster]
//! [--seeds N] [--from SEED]`. Prints what every failing seed did wrong and the command that
//! replays it, and keeps the seed.
//!
//! `--planted` plants one bug after another, counts the seeds until each is found, and writes the
//! table in docs/reliability.md.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use barrow_actors::runtime::Bug;
use barrow_tests::cluster_simulation as cluster;
use barrow_tests::simulation::planted::{Found, describe, hunt};
use barrow_tests::simulation::{Outcome, Plan, kept_seeds, kept_seeds_file, report, run_all};

/// A bug that is not found on so many seeds is not found.
const PLANTED_SEEDS_MAX: u64 = 2_000;
const CLUSTER_SEEDS_MAX: u64 = 500;

const USAGE: &str = "usage: simulate [--cluster] [--seeds N] [--from SEED] [--planted]";

struct Options {
    seeds: u64,
    from: u64,
    is_cluster: bool,
    is_planted: bool,
}

fn options() -> Option<Options> {
    let mut options = Options { seeds: 1_000, from: 0, is_cluster: false, is_planted: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|value| value.parse().ok());
        match argument.as_str() {
            "--cluster" => options.is_cluster = true,
            "--planted" => options.is_planted = true,
            "--seeds" => options.seeds = number()?,
            "--from" => options.from = number()?,
            _ => return None,
        }
    }
    Some(options)
}

fn main() -> anyhow::Result<ExitCode> {
    let Some(Options { seeds, from, is_cluster, is_planted }) = options() else {
        eprintln!("{USAGE}");
        return Ok(ExitCode::from(2));
    };
    let seeds: Vec<u64> = (from..from + seeds).collect();
    match (is_cluster, is_planted) {
        (false, false) => simulate(&seeds),
        (true, false) => simulate_clusters(&seeds),
        (false, true) => hunt_all(),
        (true, true) => hunt_all_in_clusters(),
    }
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
    keep(&failed, &kept_seeds(), kept_seeds_file())
}

fn simulate_clusters(seeds: &[u64]) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let (mut failed, mut total) = (Vec::new(), cluster::Outcome::default());
    cluster::run_all(seeds, cluster::Plan::default(), |seed, outcome| {
        if !outcome.violations.is_empty() {
            println!("{}", cluster::report(seed, &outcome));
            failed.push(seed);
        }
        if seeds.len() == 1 {
            println!("seed {seed}: trace {:016x}", outcome.trace);
        }
        total.add(&outcome);
    });
    let seconds = started.elapsed().as_secs_f64();
    println!("{}", summary_of_clusters(&total, seeds.len(), failed.len(), seconds));
    keep(&failed, &cluster::kept_seeds(), cluster::kept_seeds_file())
}

fn summary_of_clusters(
    total: &cluster::Outcome,
    seeds: usize,
    failed: usize,
    seconds: f64,
) -> String {
    let cluster::Outcome { acknowledged, replays, open, reads, counts, strikes, .. } = total;
    let (raised, refused) = (total.raised, total.refused);
    format!(
        "{seeds} seeds in {seconds:.0} s, {failed} with violations: {} requests; {acknowledged} \
         changes acknowledged ({replays} of them repeats), {open} left open, {reads} reads ({} \
         from streams), {} refused, {} turned away, {} without an answer; {} crashes, {} pauses, \
         {} partitions, {} nodes cut off from table or store, {} leaves, {} deploys, {} other \
         faults; {raised} took the later form, {refused} processes were too old for it",
        counts.requests,
        counts.streamed,
        counts.refusals,
        counts.turned_away,
        counts.unanswered,
        strikes.crashes,
        strikes.pauses,
        strikes.partitions,
        strikes.cuts,
        strikes.leaves,
        strikes.deploys,
        strikes.others,
    )
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
fn keep(failed: &[u64], known: &[u64], file: PathBuf) -> anyhow::Result<ExitCode> {
    let cannot = "the failing seeds could not be kept";
    let mut file = std::fs::OpenOptions::new().append(true).open(file).context(cannot)?;
    for seed in failed.iter().filter(|seed| !known.contains(seed)) {
        writeln!(file, "{seed}").context(cannot)?;
    }
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn hunt_all() -> anyhow::Result<ExitCode> {
    let bugs = Bug::ALL.map(|bug| (describe(bug), bug));
    let hunted = table_of(&bugs, PLANTED_SEEDS_MAX, |bug| hunt(*bug, PLANTED_SEEDS_MAX));
    write_table("table of planted bugs", hunted)
}

fn hunt_all_in_clusters() -> anyhow::Result<ExitCode> {
    use cluster::planted::{Planted, describe, hunt};
    let bugs = Planted::ALL.map(|bug| (describe(bug), bug));
    let hunted = table_of(&bugs, CLUSTER_SEEDS_MAX, |bug| hunt(*bug, CLUSTER_SEEDS_MAX));
    write_table("table of bugs planted in clusters", hunted)
}

/// The table, and how many bugs were not found.
fn table_of<B>(
    bugs: &[(&str, B)],
    seeds_max: u64,
    hunt: impl Fn(&B) -> Option<Found>,
) -> (String, usize) {
    let mut table = "| bug | seeds until found | first seen as |\n|---|---|---|\n".to_owned();
    let mut missed = 0;
    for (description, bug) in bugs {
        let row = match hunt(bug) {
            Some(found) => format!("{} | {}", found.seeds, shortened(&found.violation)),
            None => {
                missed += 1;
                format!("not in {seeds_max} | -")
            }
        };
        let row = format!("| {description} | {row} |\n");
        print!("{row}");
        table.push_str(&row);
    }
    (table, missed)
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
fn write_table(name: &str, (table, missed): (String, usize)) -> anyhow::Result<ExitCode> {
    let begin = format!("<!-- {name} -->\n");
    let end = "<!-- end of the table -->";
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reliability.md");
    let text = std::fs::read_to_string(&page).context("docs/reliability.md cannot be read")?;
    let (before, rest) = text.split_once(&begin).context("the page has no such table")?;
    let (_, after) = rest.split_once(end).context("the table has no end")?;
    let text = format!("{before}{begin}{table}{end}{after}");
    std::fs::write(&page, text).context("docs/reliability.md cannot be written")?;
    Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
