//! Bugs, planted to see whether the simulation finds them: each breaks one rule for one run.

use std::sync::Arc;

use async_trait::async_trait;
use barrow_actors::runtime::{Bug, is_planted, plant};
use barrow_adapters::simulated::SimulatedEntityStore;
use barrow_engine::entity::{EntityKey, Shard};
use barrow_engine::ports::{CasOutcome, DueEntity, EntityStore, Expected, Row, StoreError};
use barrow_engine::time::Timestamp;

use super::{Plan, run};

/// How a planted bug was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// How many seeds it took, from the first.
    pub seeds: u64,
    /// The first thing that was wrong.
    pub violation: String,
}

/// Runs seed after seed with the bug until something is wrong; `None` if nothing ever was.
/// The schedule is the ordinary one, but where a bug has one of its own.
pub fn hunt(bug: Bug, seeds_max: u64) -> Option<Found> {
    // What was written is mistaken for another write only while several are on their way, and
    // seen only if the process ends before the next one: on plain seeds that is rare.
    let late_writes = bug == Bug::VersionWithoutWriteId;
    let plan = Plan { late_writes, ..Plan::default() };
    plant(Some(bug));
    let found = first_wrong(seeds_max, |seed| run(seed, plan).violations);
    plant(None);
    found
}

/// Runs seed after seed until something is wrong; `None` if nothing ever was.
pub fn first_wrong(seeds_max: u64, run: impl Fn(u64) -> Vec<String>) -> Option<Found> {
    (0..seeds_max).find_map(|seed| {
        let violation = run(seed).into_iter().next()?;
        Some(Found { seeds: seed + 1, violation })
    })
}

/// What is broken, in the words of the issue.
pub fn describe(bug: Bug) -> &'static str {
    match bug {
        Bug::ReplyBeforeDurable => "reply before durable",
        Bug::RejectionBeforeDurable => "a rejection or replay before durable",
        Bug::ReadBeforeDurable => "a read before durable",
        Bug::NoVersionCheck => "no version check",
        Bug::VersionWithoutWriteId => "version without write id",
        Bug::NextActivationEarly => "next activation before the former's write ended",
        Bug::NoDedupe => "no dedupe",
        Bug::DedupeForgotten => "dedupe forgotten across passivation",
        Bug::EffectsBeforeCommit => "effects before commit",
        Bug::MailboxDropped => "mailbox dropped at passivation",
        Bug::WarmTierKept => "warm tier not invalidated",
        Bug::UnknownTakenForFailure => "ambiguous write taken for a failure",
        Bug::UnknownTakenForSuccess => "ambiguous write taken for a success",
        Bug::LeaseIgnored => "entities answer without a lease",
        Bug::ForwardedAgain => "a command without a key forwarded twice",
        Bug::NewestFormWritten => "rows in the newest form, whatever others read",
        Bug::OrderOverwritten => "an order written whatever its version",
        Bug::ReservationNotKept => "units not kept while their payment is unknown",
        Bug::AskedUnderNewKey => "a silent gateway asked again under another key",
        Bug::UnfrozenWhileDraft => "a cart opened before its draft is given up",
    }
}

/// The store's conditions, as far as no planted bug takes them away.
pub struct Conditions(pub Arc<SimulatedEntityStore>);

impl Conditions {
    /// What is compared with the row instead of what was demanded.
    async fn weakened(&self, key: EntityKey, expected: Expected) -> Result<Expected, StoreError> {
        let found = self.0.load(key).await?;
        let as_found = found.as_ref().map_or(Expected::Absent, |row| Expected::Present {
            version: row.version,
            write_id: row.write_id,
        });
        let version = |expected| match expected {
            Expected::Absent => 0,
            Expected::Present { version, .. } => version,
        };
        let same_version = version(expected) == version(as_found);
        let is_weak = is_planted(Bug::NoVersionCheck)
            || is_planted(Bug::VersionWithoutWriteId) && same_version;
        Ok(if is_weak { as_found } else { expected })
    }
}

#[async_trait]
impl EntityStore for Conditions {
    async fn load(&self, key: EntityKey) -> Result<Option<Row>, StoreError> {
        self.0.load(key).await
    }

    async fn cas(
        &self,
        key: EntityKey,
        expected: Expected,
        row: Row,
    ) -> Result<CasOutcome, StoreError> {
        let expected = self.weakened(key, expected).await?;
        self.0.cas(key, expected, row).await
    }

    async fn due(
        &self,
        shards: &[Shard],
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueEntity>, StoreError> {
        self.0.due(shards, before, limit).await
    }

    fn durability(&self) -> &'static str {
        self.0.durability()
    }
}
