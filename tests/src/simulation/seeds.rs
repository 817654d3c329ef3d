//! Many seeds: those that once found something first, and on all cores.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

/// The seeds of one of the simulations: where those are kept that once found something, and
/// what runs one.
#[derive(Debug, Clone, Copy)]
pub struct Seeds {
    /// In the folder of the tests.
    pub file: &'static str,
    pub command: &'static str,
}

impl Seeds {
    pub fn path(&self) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(self.file)
    }

    /// The seeds that once found something.
    ///
    /// # Panics
    /// If the file is not there, or holds something else.
    pub fn kept(&self) -> Vec<u64> {
        let text = std::fs::read_to_string(self.path()).expect("the kept seeds can be read");
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        let seeds = lines.filter(|line| !line.is_empty());
        seeds
            .map(|seed| seed.parse().expect("a line is a seed, and a comment behind `#`"))
            .collect()
    }

    /// What a seed did wrong, how it is replayed and how it is kept.
    pub fn report(&self, seed: u64, violations: &[String]) -> String {
        let Seeds { file, command } = self;
        format!(
            "seed {seed}:\n  {}\n  replay: {command} --from {seed} --seeds 1\n  \
             keep:   echo '{seed} # what it found' >> tests/{file}",
            violations.join("\n  ")
        )
    }
}

/// Runs each seed, or whatever else is a simulation: that is one thread's affair, and there are as
/// many threads as cores. `done` hears of each outcome, in whatever order.
///
/// # Panics
/// If a simulation does.
pub fn on_all_cores<S: Copy + Sync + Send, T: Send>(
    seeds: &[S],
    run: impl Fn(S) -> T + Sync,
    mut done: impl FnMut(S, T),
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
