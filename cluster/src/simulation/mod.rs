//! Whole memberships on one table, with faults by seed: no shard is served twice, and all come to
//! rest afterwards. Each rule is broken once, to show that it would be seen.

#![expect(clippy::disallowed_methods, reason = "it is what simulates time and tasks")]

mod link;
mod node;
#[cfg(test)]
mod tests;
mod world;

pub use self::node::{member, peer};

use std::time::Duration;

use self::link::Rates;
use self::world::{Fault, Schedule, run};
use crate::planted::Bug;

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

/// Runs a cluster on a seed, with what goes wrong where that rule matters most.
///
/// # Errors
/// What was wrong, if anything was.
pub fn with_bias_to(bug: Bug, seed: u64) -> Result<(), String> {
    run(seed, biased(bug))
}
