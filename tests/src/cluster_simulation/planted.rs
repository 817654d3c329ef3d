//! Bugs, planted to see whether the simulation of clusters finds them: each breaks one rule, in
//! the actors' runtime or in the membership, for one run.

use std::time::Duration;

use barrow_actors::runtime as actors;
use barrow_adapters::decorators::{Faults, Rate};
use barrow_cluster::planted as membership;

use super::table::{NO_FAULTS, TableFaults};
use super::{Fault, Forecast, Plan, run};
use crate::simulation::planted::Found;

/// A rule of either crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    Actors(actors::Bug),
    Membership(membership::Bug),
}

impl Planted {
    pub const ALL: [Planted; 15] = [
        Planted::Actors(actors::Bug::NoVersionCheck),
        Planted::Actors(actors::Bug::UnknownTakenForFailure),
        Planted::Actors(actors::Bug::UnknownTakenForSuccess),
        Planted::Actors(actors::Bug::ReplyBeforeDurable),
        Planted::Actors(actors::Bug::RejectionBeforeDurable),
        Planted::Actors(actors::Bug::LeaseIgnored),
        Planted::Membership(membership::Bug::EarlyTakeOver),
        Planted::Membership(membership::Bug::HandoffUndrained),
        Planted::Actors(actors::Bug::NoDedupe),
        Planted::Actors(actors::Bug::DedupeForgotten),
        Planted::Actors(actors::Bug::ForwardedAgain),
        Planted::Membership(membership::Bug::UnconditionalKill),
        Planted::Membership(membership::Bug::GoneGrantedAtOnce),
        Planted::Membership(membership::Bug::FailedPollsCounted),
        Planted::Membership(membership::Bug::UnknownChangeServed),
    ];

    fn plant(self) {
        match self {
            Planted::Actors(bug) => actors::plant(Some(bug)),
            Planted::Membership(bug) => membership::plant(Some(bug)),
        }
    }

    /// What goes wrong where the rule matters most; the ordinary schedule where that does.
    pub fn schedule(self) -> Plan {
        match self {
            Planted::Actors(bug) => of_actors(bug),
            Planted::Membership(bug) => of_membership(bug),
        }
    }
}

/// Nothing but these faults, one after another, for so long.
fn only(faults: &'static [Fault], length: fn(&crate::host::SeededEntropy) -> Duration) -> Forecast {
    Forecast {
        faults,
        length,
        store: |_| Faults { latency_max: Duration::from_millis(10), ..Faults::default() },
        table: |_| NO_FAULTS,
        ..Forecast::default()
    }
}

fn of_actors(bug: actors::Bug) -> Plan {
    let ordinary = Plan::default();
    match bug {
        // The node that is cut off goes on while others have its shards.
        actors::Bug::LeaseIgnored => Plan {
            pause_ms_max: 100,
            weather: only(&[Fault::CutFromTable], |dice| {
                Duration::from_millis(8_000 + dice.below(6_000))
            }),
            ..ordinary
        },
        // An owner that did what it was asked leaves, and its answer is lost.
        actors::Bug::ForwardedAgain => Plan {
            pause_ms_max: 20,
            clients: 4,
            has_keys: false,
            weather: Forecast {
                pauses_ms: (0, 1_000),
                ..only(&[Fault::OneWayPartition, Fault::Leave], |dice| {
                    Duration::from_millis(2_000 + dice.below(4_000))
                })
            },
            ..ordinary
        },
        _ => ordinary,
    }
}

fn of_membership(bug: membership::Bug) -> Plan {
    let quiet = Plan { shoppers: 1, clients: 1, ..Plan::default() };
    match bug {
        membership::Bug::EarlyTakeOver => Plan {
            weather: only(&[Fault::CutFromTable], |dice| {
                Duration::from_millis(2_500 + dice.below(2_500))
            }),
            ..quiet
        },
        membership::Bug::UnconditionalKill => Plan {
            weather: Forecast {
                table: |_| TableFaults { slow_removals: 100, ..NO_FAULTS },
                ..only(&[Fault::CutFromTable], |dice| {
                    Duration::from_millis(5_500 + dice.below(2_000))
                })
            },
            ..quiet
        },
        membership::Bug::GoneGrantedAtOnce => {
            Plan { weather: only(&[Fault::LostRow], |_| Duration::ZERO), ..quiet }
        }
        membership::Bug::FailedPollsCounted => Plan {
            weather: Forecast {
                pauses_ms: (9_000, 15_000),
                is_survived_by_all: true,
                ..only(&[Fault::TableOutage], |dice| {
                    Duration::from_millis(6_000 + dice.below(3_000))
                })
            },
            ..quiet
        },
        membership::Bug::UnknownChangeServed => Plan {
            weather: Forecast {
                table: |_| TableFaults { late: 20, ..NO_FAULTS },
                ..only(&[Fault::Leave], |_| Duration::ZERO)
            },
            ..quiet
        },
        // Writes that are slow are still under way when the shard is somebody else's.
        membership::Bug::HandoffUndrained => Plan {
            weather: Forecast {
                store: |_| Faults {
                    latency_max: Duration::from_millis(1_500),
                    reply_lost: Rate::percent(20),
                    ..Faults::default()
                },
                ..only(&[Fault::Leave], |_| Duration::ZERO)
            },
            ..Plan::default()
        },
        membership::Bug::LeaseFromRepeat | membership::Bug::RowRevived => Plan::default(),
    }
}

/// Runs seed after seed with the bug until something is wrong; `None` if nothing ever was.
pub fn hunt(bug: Planted, seeds_max: u64) -> Option<Found> {
    let plan = bug.schedule();
    let found = (0..seeds_max).find_map(|seed| {
        bug.plant();
        let violation = run(seed, plan).violations.into_iter().next()?;
        Some(Found { seeds: seed + 1, violation })
    });
    actors::plant(None);
    membership::plant(None);
    found
}

/// What is broken, in the words of the rules.
pub fn describe(bug: Planted) -> &'static str {
    match bug {
        Planted::Actors(bug) => crate::simulation::planted::describe(bug),
        Planted::Membership(bug) => match bug {
            membership::Bug::EarlyTakeOver => "taken for dead after half a lease",
            membership::Bug::UnconditionalKill => "killed though it beat after all",
            membership::Bug::GoneGrantedAtOnce => "shards of a missing row granted at once",
            membership::Bug::FailedPollsCounted => "silence counted while the table is away",
            membership::Bug::UnknownChangeServed => "served after an unknown change of the view",
            membership::Bug::HandoffUndrained => "handed over before it was drained",
            membership::Bug::LeaseFromRepeat => "lease counted from a repeated beat",
            membership::Bug::RowRevived => "a member while copies of its writes travel",
        },
    }
}
