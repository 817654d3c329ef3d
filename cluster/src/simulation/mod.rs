//! Whole memberships on one table, with faults by seed: no shard is served twice, and all come to
//! rest afterwards. Each rule is broken once, to show that it would be seen.

#![expect(clippy::disallowed_methods, reason = "it is what simulates time and tasks")]

mod link;
mod node;
mod world;

pub use self::node::{member, peer};

use std::time::Duration;

use self::link::Rates;
use self::world::{Fault, Schedule, run, takeover};
use crate::planted::{Bug, plant};

const NO_RATES: Rates =
    Rates { unknown: 0, late: 0, failed: 0, slow_removals: 0, twins_after: None };

const ALL: Schedule = Schedule {
    faults: &[
        Fault::Crash,
        Fault::Pause,
        Fault::Cut,
        Fault::Flap,
        Fault::Echo,
        Fault::Outage,
        Fault::LostRow,
        Fault::Leave,
        Fault::Join,
    ],
    nodes: 4,
    pauses: (500, 6_000),
    lengths: (200, 9_000),
    rates: Rates { unknown: 30, late: 30, failed: 30, slow_removals: 200, ..NO_RATES },
    seconds: 60,
    has_no_deaths: false,
};

/// What goes wrong where a rule matters most.
fn biased(bug: Bug) -> Schedule {
    let calm = Schedule { rates: NO_RATES, seconds: 40, nodes: 3, ..ALL };
    match bug {
        Bug::EarlyTakeOver => {
            Schedule { faults: &[Fault::Pause, Fault::Cut], lengths: (2_500, 5_000), ..calm }
        }
        Bug::UnconditionalKill => Schedule {
            faults: &[Fault::Pause, Fault::Cut],
            lengths: (5_500, 7_500),
            rates: Rates { slow_removals: 1_000, ..NO_RATES },
            ..calm
        },
        Bug::GoneGrantedAtOnce => {
            Schedule { faults: &[Fault::LostRow], pauses: (500, 4_000), ..calm }
        }
        Bug::FailedPollsCounted => Schedule {
            faults: &[Fault::Outage],
            pauses: (9_000, 20_000),
            lengths: (6_000, 9_000),
            has_no_deaths: true,
            ..calm
        },
        Bug::UnknownChangeServed => Schedule {
            faults: &[Fault::Join, Fault::Leave],
            rates: Rates { late: 200, ..NO_RATES },
            ..calm
        },
        Bug::HandoffUndrained => Schedule { faults: &[Fault::Join, Fault::Leave], ..calm },
        Bug::LeaseFromRepeat => Schedule {
            faults: &[Fault::Echo],
            lengths: (2_000, 5_000),
            pauses: (6_000, 9_000),
            ..calm
        },
        Bug::RowRevived => Schedule {
            faults: &[Fault::Pause],
            nodes: 4,
            pauses: (6_500, 25_000),
            lengths: (12_500, 17_000),
            rates: Rates { twins_after: Some(Duration::from_secs(12)), ..NO_RATES },
            ..calm
        },
    }
}

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
