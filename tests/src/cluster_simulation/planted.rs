//! Bugs, planted to see whether the simulation of clusters finds them: each breaks one rule, in
//! the actors' runtime or in the membership, for one run.

use barrow_actors::runtime as actors;
use barrow_cluster::planted as membership;

use super::{Plan, run};
use crate::simulation::planted::Found;

/// A rule of either crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    Actors(actors::Bug),
    Membership(membership::Bug),
}

impl Planted {
    pub const ALL: [Planted; 11] = [
        Planted::Actors(actors::Bug::ReplyBeforeDurable),
        Planted::Actors(actors::Bug::NoVersionCheck),
        Planted::Actors(actors::Bug::NoDedupe),
        Planted::Actors(actors::Bug::DedupeForgotten),
        Planted::Actors(actors::Bug::UnknownTakenForSuccess),
        Planted::Actors(actors::Bug::UnknownTakenForFailure),
        Planted::Actors(actors::Bug::LeaseIgnored),
        Planted::Actors(actors::Bug::ForwardedAgain),
        Planted::Actors(actors::Bug::NewestFormWritten),
        Planted::Membership(membership::Bug::HandoffUndrained),
        Planted::Membership(membership::Bug::EarlyTakeOver),
    ];

    fn plant(self) {
        match self {
            Planted::Actors(bug) => actors::plant(Some(bug)),
            Planted::Membership(bug) => membership::plant(Some(bug)),
        }
    }
}

/// Runs seed after seed with the bug until something is wrong; `None` if nothing ever was.
pub fn hunt(bug: Planted, seeds_max: u64) -> Option<Found> {
    let plan = Plan::default();
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
