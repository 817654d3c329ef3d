//! Simulated nodes on a few hundred seeds; `./dev sim` runs as many as one likes.

use barrow_tests::simulation::{Plan, run};

/// Seeds that found something once: they stay.
const FOUND_SOMETHING: &[u64] = &[];

#[test]
fn every_history_is_linearizable_and_nothing_acknowledged_is_lost() {
    let mut acknowledged = 0;
    let mut replays = 0;
    let mut crashes = 0;
    for seed in (0..300).chain(FOUND_SOMETHING.iter().copied()) {
        let outcome = run(seed, Plan::default());
        assert!(
            outcome.violations.is_empty(),
            "seed {seed} (replay: ./dev sim --from {seed} --seeds 1):\n  {}",
            outcome.violations.join("\n  ")
        );
        acknowledged += outcome.acknowledged;
        replays += outcome.replays;
        crashes += outcome.crashes;
    }
    // The simulation did something: else it would prove nothing.
    assert!(acknowledged > 10_000, "{acknowledged} acknowledged");
    assert!(replays > 100, "{replays} repeats");
    assert!(crashes > 100, "{crashes} crashes");
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in [1, 7, 42] {
        assert_eq!(run(seed, Plan::default()), run(seed, Plan::default()), "seed {seed}");
    }
}
