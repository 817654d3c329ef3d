//! Many seeds: those that once found something first, and on all cores.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::{Outcome, Plan, run};

/// Where the seeds that once found something are kept.
pub fn kept_seeds_file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("seeds.txt")
}

/// The seeds that once found something.
///
/// # Panics
/// If the file is not there, or holds something else.
pub fn kept_seeds() -> Vec<u64> {
    seeds_in(&kept_seeds_file())
}

pub fn seeds_in(file: &Path) -> Vec<u64> {
    let text = std::fs::read_to_string(file).expect("the kept seeds can be read");
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let seeds = lines.filter(|line| !line.is_empty());
    seeds.map(|seed| seed.parse().expect("a line is a seed, and a comment behind `#`")).collect()
}

/// What a seed did wrong, how it is replayed and how it is kept.
pub fn report(seed: u64, outcome: &Outcome) -> String {
    format!(
        "seed {seed}:\n  {}\n  replay: ./dev sim --from {seed} --seeds 1\n  \
         keep:   echo '{seed} # what it found' >> tests/seeds.txt",
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

/// Runs each seed: a simulation is one thread's affair.
pub fn on_all_cores<T: Send>(
    seeds: &[u64],
    run: impl Fn(u64) -> T + Sync,
    mut done: impl FnMut(u64, T),
) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let (to, outcomes) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (to, next, run) = (to.clone(), &next, &run);
            scope.spawn(move || {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    drop(to.send((*seed, run(*seed))));
                }
            });
        }
        drop(to);
        outcomes.iter().for_each(|(seed, outcome)| done(seed, outcome));
    });
}
