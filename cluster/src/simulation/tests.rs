//! Seeds with all faults, with a bias, and with a rule broken; and how long a take-over takes.

use std::time::Duration;

use super::world::{Schedule, run, takeover};
use super::{ALL, biased};
use crate::planted::{Bug, plant};

/// The seeds from `first` on, up to the first that shows something wrong.
fn first_wrong(seeds: std::ops::Range<u64>, schedule: Schedule) -> Option<String> {
    seeds.into_iter().find_map(|seed| run(seed, schedule).err())
}

fn seeds(otherwise: u64) -> u64 {
    std::env::var("BARROW_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn no_shard_is_served_twice_and_every_one_in_the_end() {
    assert_eq!(first_wrong(0..seeds(8), ALL), None);
}

#[test]
fn no_bias_finds_anything_while_all_rules_are_kept() {
    for bug in Bug::ALL {
        assert_eq!(first_wrong(0..seeds(2), biased(bug)), None, "{bug:?}");
    }
}

#[test]
fn each_rule_that_is_broken_is_found() {
    for bug in Bug::ALL {
        plant(Some(bug));
        let found = first_wrong(0..seeds(60), biased(bug));
        plant(None);
        println!("{bug:?}: {found:?}");
        assert!(found.is_some(), "{bug:?} is not found");
    }
}

/// What a crash costs: how long some shard is served by nobody, with no request to hurry anybody.
#[test]
fn the_shards_of_a_crashed_node_are_served_again_within_eight_seconds() {
    let mut all: Vec<_> = (0..seeds(6)).map(takeover).collect();
    all.sort();
    println!("take-overs: median {:?}, longest {:?}", all[all.len() / 2], all[all.len() - 1]);
    assert!(all[all.len() - 1] < Duration::from_secs(8), "{all:?}");
}
