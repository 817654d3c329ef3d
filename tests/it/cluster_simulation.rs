//! Simulated clusters on some seeds; `./dev sim --cluster` runs as many as one likes.

use barrow_actors::runtime::Bug;
use barrow_tests::cluster_simulation::planted::{Planted, hunt};
use barrow_tests::cluster_simulation::{Outcome, Plan, kept_seeds, report, run, run_all};

const SEEDS: u64 = 100;

#[test]
fn every_history_is_linearizable_and_every_cluster_comes_to_rest() {
    let mut total = Outcome::default();
    let seeds: Vec<u64> = kept_seeds().into_iter().chain(0..SEEDS).collect();
    let mut failed = Vec::new();
    run_all(&seeds, Plan::default(), |seed, outcome| {
        if !outcome.violations.is_empty() {
            failed.push(report(seed, &outcome));
        }
        total.add(&outcome);
    });
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    // The simulation did something: else it would prove nothing.
    let enough = |what: &str, found: usize| {
        assert!(found as u64 > SEEDS / 2, "{what}: {found}");
    };
    enough("acknowledged", total.acknowledged / 10);
    enough("repeats", total.replays);
    enough("left open", total.open);
    enough("turned away", total.counts.turned_away);
    enough("in streams", total.counts.streamed);
    enough("crashes", total.strikes.crashes);
    enough("pauses", total.strikes.pauses);
    enough("partitions", total.strikes.partitions);
    enough("cuts", total.strikes.cuts);
    enough("leaves", total.strikes.leaves);
    enough("deploys", total.strikes.deploys);
    enough("in the later form", total.raised * 3);
    enough("too old for it", total.refused * 3);
}

/// The other bugs are hunted by the command alone: this one is seen at the first write.
#[test]
fn a_build_that_does_not_ask_what_the_others_read_is_found() {
    assert!(hunt(Planted::Actors(Bug::NewestFormWritten), 20).is_some());
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in [1, 7] {
        assert_eq!(run(seed, Plan::default()), run(seed, Plan::default()), "seed {seed}");
    }
}
