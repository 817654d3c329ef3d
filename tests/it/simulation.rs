//! Simulated nodes on a few hundred seeds; `./dev sim` runs as many as one likes.

use barrow_actors::runtime::Bug;
use barrow_tests::simulation::planted::{describe, hunt};
use barrow_tests::simulation::{Outcome, Plan, SEEDS, run, run_all};

/// About half a minute on two cores.
const COUNT: u64 = 300;

#[test]
fn every_history_is_linearizable_and_nothing_acknowledged_is_lost() {
    let mut total = Outcome::default();
    let seeds: Vec<u64> = SEEDS.kept().into_iter().chain(0..COUNT).collect();
    let mut failed = Vec::new();
    run_all(&seeds, Plan::default(), |seed, outcome| {
        if !outcome.violations.is_empty() {
            failed.push(SEEDS.report(seed, &outcome.violations));
        }
        total.add(&outcome);
    });
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    // The simulation did something: else it would prove nothing.
    let enough = |what: &str, found: usize| {
        assert!(found as u64 > COUNT / 2, "{what}: {found}");
    };
    enough("acknowledged", total.totals.acknowledged / 10);
    enough("repeats", total.totals.replays);
    enough("left open", total.totals.open);
    enough("refused", total.totals.counts.refusals);
    enough("turned away", total.totals.counts.turned_away);
    enough("in streams", total.totals.counts.streamed);
    enough("crashes", total.broken.crashes);
    enough("jumps of the clock", total.broken.clock_jumps);
    enough("expired", total.expired);
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in [1, 7, 42] {
        assert_eq!(run(seed, Plan::default()), run(seed, Plan::default()), "seed {seed}");
    }
}

/// Each is found far sooner, see the table in docs/reliability.md; but how soon changes with
/// every change of the schedule.
const PLANTED_SEEDS_MAX: u64 = 2_000;

#[test]
fn every_planted_bug_is_found() {
    let missed = Bug::ALL.into_iter().filter(|bug| hunt(*bug, PLANTED_SEEDS_MAX).is_none());
    let missed: Vec<_> = missed.map(describe).collect();
    assert!(missed.is_empty(), "not found on {PLANTED_SEEDS_MAX} seeds: {missed:?}");
}
