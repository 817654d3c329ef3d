//! The seeds of clusters that once found something, and how a seed is replayed.

use std::path::PathBuf;

use super::{Outcome, Plan, run};
use crate::simulation::seeds::{on_all_cores, seeds_in};

/// Where the seeds that once found something are kept.
pub fn kept_seeds_file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("cluster-seeds.txt")
}

/// The seeds that once found something.
///
/// # Panics
/// If the file is not there, or holds something else.
pub fn kept_seeds() -> Vec<u64> {
    seeds_in(&kept_seeds_file())
}

/// What a seed did wrong, how it is replayed and how it is kept.
pub fn report(seed: u64, outcome: &Outcome) -> String {
    format!(
        "seed {seed}:\n  {}\n  replay: ./dev sim --cluster --from {seed} --seeds 1\n  \
         keep:   echo '{seed} # what it found' >> tests/cluster-seeds.txt",
        outcome.violations.join("\n  ")
    )
}

/// Runs each seed, on as many threads as there are cores. `done` hears of each outcome, in
/// whatever order.
///
/// # Panics
/// If a simulation does.
pub fn run_all(seeds: &[u64], plan: Plan, done: impl FnMut(u64, Outcome)) {
    on_all_cores(seeds, |seed| run(seed, plan), done);
}
