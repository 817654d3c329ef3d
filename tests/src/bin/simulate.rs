//! Simulates a node, or with `--cluster` a cluster, or with `--selling` besides one that sells, on
//! many seeds: `simulate [--cluster [--selling]] [--seeds N] [--from SEED]`. Prints what every
//! failing seed did wrong and the command that replays it, and keeps the seed.
//!
//! `--planted` plants one bug after another, counts the seeds until each is found, and writes the
//! table in docs/reliability.md.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use barrow_actors::runtime::Bug;
use barrow_tests::cluster_simulation as cluster;
use barrow_tests::cluster_simulation::planted::Planted;
use barrow_tests::simulation::planted::{Found, describe, hunt};
use barrow_tests::simulation::seeds::{Seeds, on_all_cores};
use barrow_tests::simulation::{self, Outcome, Plan};

/// A bug that is not found on so many seeds is not found.
const PLANTED_SEEDS_MAX: u64 = 2_000;
const CLUSTER_SEEDS_MAX: u64 = 500;

const USAGE: &str = "usage: simulate [--cluster [--selling]] [--seeds N] [--from SEED] [--planted]";

struct Options {
    seeds: u64,
    from: u64,
    is_cluster: bool,
    sells: bool,
    is_planted: bool,
}

fn options() -> Option<Options> {
    let (is_cluster, sells, is_planted) = (false, false, false);
    let mut options = Options { seeds: 1_000, from: 0, is_cluster, sells, is_planted };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|value| value.parse().ok());
        match argument.as_str() {
            "--cluster" => options.is_cluster = true,
            "--selling" => options.sells = true,
            "--planted" => options.is_planted = true,
            "--seeds" => options.seeds = number()?,
            "--from" => options.from = number()?,
            _ => return None,
        }
    }
    Some(options)
}

fn main() -> anyhow::Result<ExitCode> {
    let Some(Options { seeds, from, is_cluster, sells, is_planted }) = options() else {
        eprintln!("{USAGE}");
        return Ok(ExitCode::from(2));
    };
    let seeds: Vec<u64> = (from..from + seeds).collect();
    match (is_cluster, is_planted) {
        (false, false) => simulate(&seeds),
        (true, false) if sells => {
            simulate_clusters(&seeds, cluster::SELLING_SEEDS, cluster::Plan::selling())
        }
        (true, false) => simulate_clusters(&seeds, cluster::SEEDS, cluster::Plan::default()),
        (false, true) => hunt_all(),
        (true, true) => hunt_all_in_clusters(),
    }
}

fn simulate(seeds: &[u64]) -> anyhow::Result<ExitCode> {
    let (mut told, mut total) = (Told::new(simulation::SEEDS, seeds.len()), Outcome::default());
    simulation::run_all(seeds, Plan::default(), |seed, outcome| {
        told.hear(seed, outcome.trace, &outcome.violations);
        total.add(&outcome);
    });
    let Outcome { totals, broken, expired, .. } = &total;
    let (crashes, outages, jumps) = (broken.crashes, broken.outages, broken.clock_jumps);
    told.sum_up(format!(
        "{totals}; {crashes} crashes, {outages} outages of the store, {jumps} jumps of the clock; \
         {expired} carts expired"
    ))
}

fn simulate_clusters(seeds: &[u64], kept: Seeds, plan: cluster::Plan) -> anyhow::Result<ExitCode> {
    let mut told = Told::new(kept, seeds.len());
    let mut total = cluster::Outcome::default();
    cluster::run_all(seeds, plan, |seed, outcome| {
        told.hear(seed, outcome.trace, &outcome.violations);
        total.add(&outcome);
    });
    let cluster::Strikes { crashes, pauses, partitions, cuts, leaves, deploys, others } =
        total.strikes;
    told.sum_up(format!(
        "{}; {crashes} crashes, {pauses} pauses, {partitions} partitions, {cuts} nodes cut off \
         from table or store, {leaves} leaves, {deploys} deploys, {others} other faults; {} took \
         the later form, {} processes were too old for it{}",
        total.totals,
        total.raised,
        total.refused,
        if plan.sales.is_some() { format!("; {}", total.sold) } else { String::new() }
    ))
}

/// What is told of the seeds.
struct Told {
    started: Instant,
    seeds: Seeds,
    count: usize,
    failed: Vec<u64>,
}

impl Told {
    fn new(seeds: Seeds, count: usize) -> Told {
        Told { started: Instant::now(), seeds, count, failed: Vec::new() }
    }

    fn hear(&mut self, seed: u64, trace: u64, violations: &[String]) {
        if !violations.is_empty() {
            println!("{}", self.seeds.report(seed, violations));
            self.failed.push(seed);
        }
        if self.count == 1 {
            println!("seed {seed}: trace {trace:016x}");
        }
    }

    /// A seed that found something is run first from now on.
    fn sum_up(self, total: String) -> anyhow::Result<ExitCode> {
        let Told { started, seeds, count, failed } = self;
        let (seconds, wrong) = (started.elapsed().as_secs_f64(), failed.len());
        println!("{count} seeds in {seconds:.0} s, {wrong} with violations: {total}");
        let (cannot, known) = ("the failing seeds could not be kept", seeds.kept());
        let mut file =
            std::fs::OpenOptions::new().append(true).open(seeds.path()).context(cannot)?;
        for seed in failed.iter().filter(|seed| !known.contains(seed)) {
            writeln!(file, "{seed}").context(cannot)?;
        }
        Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn hunt_all() -> anyhow::Result<ExitCode> {
    let mut table = "| bug | seeds until found | first seen as |\n|---|---|---|\n".to_owned();
    let mut missed = 0;
    for bug in Bug::ALL {
        let found = hunt(bug, PLANTED_SEEDS_MAX);
        missed += usize::from(found.is_none());
        let (seeds, seen) = told(found.as_ref(), PLANTED_SEEDS_MAX);
        add_row(&mut table, &[describe(bug), &seeds, &seen]);
    }
    write_table("table of planted bugs", &table)?;
    Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn hunt_all_in_clusters() -> anyhow::Result<ExitCode> {
    use cluster::planted::{ALL, hunt};
    let mut table = "| rule | bug | seeds until found by whole nodes | by memberships alone | \
                     first seen as |\n|---|---|---|---|---|\n"
        .to_owned();
    let started = Instant::now();
    let mut hunts = Vec::new();
    on_all_cores(
        &ALL,
        |bug| hunt(bug, CLUSTER_SEEDS_MAX),
        |bug, hunted| {
            println!("{}: {hunted:?}", bug.describe().1);
            hunts.push((bug, hunted));
        },
    );
    println!("{:.0} s", started.elapsed().as_secs_f64());
    for bug in ALL {
        let Some((_, hunted)) = hunts.iter().find(|(of, _)| *of == bug) else { continue };
        let by_nodes = told(hunted.by_nodes.as_ref(), CLUSTER_SEEDS_MAX);
        let by_memberships = told(hunted.by_memberships.as_ref(), CLUSTER_SEEDS_MAX);
        let not_tried = || "-".to_owned();
        let seen = if hunted.by_nodes.is_some() { by_nodes.1 } else { by_memberships.1 };
        let nodes = if bug.schedule().is_some() { by_nodes.0 } else { not_tried() };
        let is_of_membership = matches!(bug, Planted::Membership(_));
        let memberships = if is_of_membership { by_memberships.0 } else { not_tried() };
        let (rule, what) = bug.describe();
        add_row(&mut table, &[rule, what, &nodes, &memberships, &seen]);
    }
    write_table("table of bugs planted in clusters", &table)?;
    let all = hunts.iter().all(|(_, hunted)| hunted.is_found());
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// On how many seeds it was found, and as what it was seen.
fn told(found: Option<&Found>, seeds_max: u64) -> (String, String) {
    match found {
        Some(found) => (found.seeds.to_string(), shortened(&found.violation)),
        None => (format!("not in {seeds_max}"), "-".to_owned()),
    }
}

fn add_row(table: &mut String, cells: &[&str]) {
    let row = format!("| {} |\n", cells.join(" | "));
    print!("{row}");
    table.push_str(&row);
}

/// The beginning of it, without the names of carts and nodes.
fn shortened(violation: &str) -> String {
    const CHARS_MAX: usize = 90;
    let is_node = |word: &str| word.len() == 32 && word.chars().all(|c| c.is_ascii_hexdigit());
    let words = violation.split(' ').filter(|word| !word.starts_with("cart_"));
    let words = words.map(|word| if is_node(word) { "a node" } else { word });
    let text = words.collect::<Vec<_>>().join(" ");
    let start: String = text.chars().filter(|c| *c != '|').take(CHARS_MAX).collect();
    start.split(" {").next().unwrap_or_default().to_owned()
}

/// Replaces what stands between the two marks.
fn write_table(name: &str, table: &str) -> anyhow::Result<()> {
    let begin = format!("<!-- {name} -->\n");
    let end = "<!-- end of the table -->";
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reliability.md");
    let text = std::fs::read_to_string(&page).context("docs/reliability.md cannot be read")?;
    let (before, rest) = text.split_once(&begin).context("the page has no such table")?;
    let (_, after) = rest.split_once(end).context("the table has no end")?;
    let text = format!("{before}{begin}{table}{end}{after}");
    std::fs::write(&page, text).context("docs/reliability.md cannot be written")
}
