//! Bugs, planted to see whether the simulations of clusters find them: each breaks one rule, in
//! the actors' runtime or in the membership, for one run. The table's rules are also looked for in
//! the membership's own simulation, where nodes have nothing else to do.

use std::time::Duration;

use barrow_actors::runtime as actors;
use barrow_adapters::decorators::{Faults, Rate};
use barrow_cluster::{planted as membership, simulation as memberships};

use super::table::{NO_FAULTS, TableFaults};
use super::{Fault, Forecast, Plan, run};
use crate::host::SeededEntropy;
use crate::simulation::planted::{Found, first_wrong};

/// A rule of either crate, broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    Actors(actors::Bug),
    Membership(membership::Bug),
}

/// In the order of the rules.
pub const ALL: [Planted; 22] = [
    Planted::Actors(actors::Bug::NoVersionCheck),
    Planted::Actors(actors::Bug::UnknownTakenForFailure),
    Planted::Actors(actors::Bug::UnknownTakenForSuccess),
    Planted::Actors(actors::Bug::ReplyBeforeDurable),
    Planted::Actors(actors::Bug::RejectionBeforeDurable),
    Planted::Actors(actors::Bug::LeaseIgnored),
    Planted::Membership(membership::Bug::HandoffUndrained),
    Planted::Membership(membership::Bug::EarlyTakeOver),
    Planted::Membership(membership::Bug::LeaseFromRepeat),
    Planted::Actors(actors::Bug::NoDedupe),
    Planted::Actors(actors::Bug::DedupeForgotten),
    Planted::Actors(actors::Bug::ForwardedAgain),
    Planted::Membership(membership::Bug::UnconditionalKill),
    Planted::Membership(membership::Bug::GoneGrantedAtOnce),
    Planted::Membership(membership::Bug::FailedPollsCounted),
    Planted::Membership(membership::Bug::UnknownChangeServed),
    Planted::Membership(membership::Bug::RowRevived),
    Planted::Actors(actors::Bug::NewestFormWritten),
    Planted::Actors(actors::Bug::OrderOverwritten),
    Planted::Actors(actors::Bug::UnfrozenWhileDraft),
    Planted::Actors(actors::Bug::ReservationNotKept),
    Planted::Actors(actors::Bug::AskedUnderNewKey),
];

impl Planted {
    /// The rule's number, and what is broken of it.
    pub fn describe(self) -> (&'static str, &'static str) {
        match self {
            Planted::Actors(bug) => {
                let rule = match bug {
                    actors::Bug::NoVersionCheck => "R1",
                    actors::Bug::UnknownTakenForFailure | actors::Bug::UnknownTakenForSuccess => {
                        "R2"
                    }
                    actors::Bug::LeaseIgnored => "R3, R4",
                    actors::Bug::ReplyBeforeDurable | actors::Bug::RejectionBeforeDurable => "R3",
                    actors::Bug::NewestFormWritten => "forms",
                    actors::Bug::ReservationNotKept => "I7",
                    bug if actors::Bug::OF_SALES.contains(&bug) => "I9",
                    _ => "R6",
                };
                (rule, crate::simulation::planted::describe(bug))
            }
            Planted::Membership(bug) => match bug {
                membership::Bug::HandoffUndrained => ("R5", "handed over before it was drained"),
                membership::Bug::EarlyTakeOver => ("R5", "taken for dead after half a lease"),
                membership::Bug::LeaseFromRepeat => ("R5", "lease counted from a repeated beat"),
                membership::Bug::UnconditionalKill => ("R7", "killed though it beat after all"),
                membership::Bug::GoneGrantedAtOnce => ("R7", "granted at once when a row is gone"),
                membership::Bug::FailedPollsCounted => ("R7", "silence counted over failed polls"),
                membership::Bug::UnknownChangeServed => {
                    ("R8", "served after a change of the view with unknown outcome")
                }
                membership::Bug::RowRevived => {
                    ("R8", "a member while copies of its writes may still come")
                }
            },
        }
    }

    /// What goes wrong where the rule matters most, or the ordinary schedule where that does;
    /// `None` where only the membership's own simulation shows it.
    pub fn schedule(self) -> Option<Plan> {
        match self {
            Planted::Actors(bug) => Some(of_actors(bug).unwrap_or_default()),
            Planted::Membership(bug) => of_membership(bug),
        }
    }

    /// Whether that is not the ordinary one.
    pub fn has_own_schedule(self) -> bool {
        match self {
            Planted::Actors(bug) => of_actors(bug).is_some(),
            Planted::Membership(bug) => of_membership(bug).is_some(),
        }
    }
}

/// Nothing but these faults, one after another, each for so many milliseconds.
fn only(faults: &'static [Fault], length: fn(&SeededEntropy) -> Duration) -> Forecast {
    Forecast {
        faults,
        length,
        store: |_| Faults { latency_max: Duration::from_millis(10), ..Faults::default() },
        table: |_| NO_FAULTS,
        ..Forecast::default()
    }
}

fn between_ms(dice: &SeededEntropy, shortest: u64, longest: u64) -> Duration {
    Duration::from_millis(shortest + dice.below(longest - shortest))
}

fn of_actors(bug: actors::Bug) -> Option<Plan> {
    let ordinary = Plan::default();
    Some(match bug {
        // A node that is cut off goes on while others have its shards.
        actors::Bug::LeaseIgnored => Plan {
            pause_ms_max: 100,
            weather: only(&[Fault::CutFromTable], |dice| between_ms(dice, 8_000, 14_000)),
            ..ordinary
        },
        // An owner leaves as soon as it did what it was asked, and its answer is lost.
        actors::Bug::ForwardedAgain => Plan {
            clients: 4,
            carts: 4,
            has_keys: false,
            pause_ms_max: 20,
            weather: Forecast {
                pauses_ms: (0, 500),
                store: |_| Faults { latency_max: Duration::from_millis(200), ..Faults::default() },
                ..only(&[Fault::OneWayPartition, Fault::Leave], |dice| {
                    between_ms(dice, 2_000, 6_000)
                })
            },
            ..ordinary
        },
        bug if actors::Bug::OF_SALES.contains(&bug) => Plan::selling(),
        _ => return None,
    })
}

fn of_membership(bug: membership::Bug) -> Option<Plan> {
    let weather = match bug {
        membership::Bug::EarlyTakeOver => {
            only(&[Fault::CutFromTable], |dice| between_ms(dice, 2_500, 5_000))
        }
        // It beats just before its row is removed.
        membership::Bug::UnconditionalKill => Forecast {
            table: |_| TableFaults { slow_removals: 100, ..NO_FAULTS },
            ..only(&[Fault::CutFromTable], |dice| between_ms(dice, 5_500, 7_500))
        },
        membership::Bug::GoneGrantedAtOnce => only(&[Fault::LostRow], |_| Duration::ZERO),
        membership::Bug::FailedPollsCounted => Forecast {
            pauses_ms: (9_000, 15_000),
            is_survived_by_all: true,
            ..only(&[Fault::TableOutage], |dice| between_ms(dice, 6_000, 9_000))
        },
        // A shard is given away after its owner has taken it up again.
        membership::Bug::UnknownChangeServed => Forecast {
            table: |_| TableFaults { late: 20, ..NO_FAULTS },
            ..only(&[Fault::Leave], |_| Duration::ZERO)
        },
        // Writes are still under way when the shard is somebody else's.
        membership::Bug::HandoffUndrained => Forecast {
            store: |_| Faults {
                latency_max: Duration::from_millis(1_500),
                reply_lost: Rate::percent(20),
                ..Faults::default()
            },
            ..only(&[Fault::Leave], |_| Duration::ZERO)
        },
        membership::Bug::LeaseFromRepeat | membership::Bug::RowRevived => return None,
    };
    let has_work = bug == membership::Bug::HandoffUndrained;
    let (shoppers, clients) = if has_work { (2, 2) } else { (1, 1) };
    Some(Plan { shoppers, clients, weather, ..Plan::default() })
}

/// How the simulations found a bug; where there are two, one of them is enough.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hunted {
    pub by_nodes: Option<Found>,
    pub by_memberships: Option<Found>,
}

impl Hunted {
    pub fn is_found(&self) -> bool {
        self.by_nodes.is_some() || self.by_memberships.is_some()
    }
}

/// Runs seed after seed with the bug, in each simulation that may show it, until something is
/// wrong.
pub fn hunt(bug: Planted, seeds_max: u64) -> Hunted {
    match bug {
        Planted::Actors(bug) => actors::plant(Some(bug)),
        Planted::Membership(bug) => membership::plant(Some(bug)),
    }
    let by_nodes =
        bug.schedule().and_then(|plan| first_wrong(seeds_max, |seed| run(seed, plan).violations));
    let by_memberships = match bug {
        Planted::Actors(_) => None,
        Planted::Membership(bug) => first_wrong(seeds_max, |seed| {
            memberships::with_bias_to(bug, seed).err().into_iter().collect()
        }),
    };
    actors::plant(None);
    membership::plant(None);
    Hunted { by_nodes, by_memberships }
}
