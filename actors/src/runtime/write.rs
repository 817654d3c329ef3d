//! Writing a row until its outcome is known (rule R2).

use std::time::Duration;

use barrow_engine::entity::EntityKey;
use barrow_engine::ports::{CasOutcome, Clock, EntityStore, Expected, Row, StoreError};

use super::directory::Shared;
use super::host::Host;
use super::machine::PendingWrite;
use super::planted::{Bug, is_planted};

/// The longest wait between two tries.
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// How a write ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WriteEnd {
    /// The row carries our write id: durable.
    Written,
    /// The row is another's. Ours may have been there before it.
    Overtaken,
    /// It was refused for certain, each time.
    NotWritten(StoreError),
    /// It may have been applied, or may yet be.
    Unknown,
}

/// Repeats the same write, under the same id, until the store tells what became of it or the
/// deadline has passed.
async fn resolve(
    store: &dyn EntityStore,
    clock: &dyn Clock,
    key: EntityKey,
    expected: Expected,
    row: Row,
    (mut backoff, deadline): (Duration, Duration),
) -> WriteEnd {
    let give_up_at = clock.uptime() + deadline;
    let mut outcome_open = false;
    loop {
        let error = match store.cas(key, expected, row.clone()).await {
            Ok(CasOutcome::Written) => return WriteEnd::Written,
            Ok(CasOutcome::Conflict(Some(found))) if is_ours(&found, &row) => {
                return WriteEnd::Written;
            }
            Ok(CasOutcome::Conflict(_)) => return WriteEnd::Overtaken,
            Err(error) => error,
        };
        if matches!(error, StoreError::OutcomeUnknown(_)) {
            if is_planted(Bug::UnknownTakenForSuccess) {
                return WriteEnd::Written;
            }
            if is_planted(Bug::UnknownTakenForFailure) {
                return WriteEnd::NotWritten(error);
            }
            outcome_open = true;
        }
        if !error.is_retryable() || clock.uptime() + backoff >= give_up_at {
            tracing::warn!(entity = %key, error = %error, "a write was given up");
            return if outcome_open { WriteEnd::Unknown } else { WriteEnd::NotWritten(error) };
        }
        tokio::time::sleep(backoff).await;
        backoff = (backoff * 2).min(BACKOFF_MAX);
    }
}

/// Whether the row that was found is the one that we wrote.
fn is_ours(found: &Row, row: &Row) -> bool {
    let same_version = found.version == row.version;
    found.write_id == row.write_id || is_planted(Bug::VersionWithoutWriteId) && same_version
}

/// The same, with everything that belongs to the entity's runtime.
pub(super) async fn resolve_for<H: Host>(
    shared: &Shared<H>,
    key: EntityKey,
    write: PendingWrite,
) -> WriteEnd {
    let PendingWrite { expected, row } = write;
    let pace = (shared.settings.write_backoff, shared.settings.write_deadline);
    resolve(&*shared.store, &*shared.clock, key, expected, row, pace).await
}
