//! Writing a row until its outcome is known (rule R2).

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use barrow_engine::entity::EntityKey;
use barrow_engine::ports::{CasOutcome, CasReply, CasResult, Row, StoreError};
use ractor::ActorRef;
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

use super::actor::{Lane, Message};
use super::directory::Shared;
use super::host::Host;
use super::machine::PendingWrite;
use super::planted::{Bug, is_planted};
use super::spawn::{or_broken, spawn};

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

/// A write on its way, with all that has to outlive the actor that decided it.
struct Writing<H: Host> {
    shared: Arc<Shared<H>>,
    key: EntityKey,
    write: PendingWrite,
    to: ActorRef<Message<H>>,
    /// Held until the outcome is known, so that the next activation waits for it.
    _lane: OwnedMutexGuard<()>,
}

/// Starts a write; its end comes to the actor as a message.
pub(super) fn start<H: Host>(
    shared: &Arc<Shared<H>>,
    key: EntityKey,
    lane: &Lane,
    write: PendingWrite,
    to: &ActorRef<Message<H>>,
) {
    let (shared, to) = (shared.clone(), to.clone());
    match lane.clone().try_lock_owned() {
        Ok(held) => Writing { shared, key, write, to, _lane: held }.attempt(),
        // The load that brought the entity up is about to let go of it.
        Err(_) => {
            let lane = lane.clone();
            spawn(async move {
                let held = lane.lock_owned().await;
                Writing { shared, key, write, to, _lane: held }.attempt();
            });
        }
    }
}

impl<H: Host> Writing<H> {
    /// The first attempt; nearly always it is the only one.
    fn attempt(self) {
        let PendingWrite { expected, row } = self.write.clone();
        let (store, key) = (self.shared.store.clone(), self.key);
        let tasks = self.shared.tasks.clone();
        let reply = CasReply::new(move |result| match judge(result, &self.write.row) {
            Ok(end) => drop(self.to.cast(Message::Written(end))),
            // Not left to the actor: it may end before the outcome is known.
            Err(error) => drop(tasks.spawn(self.resolve(error))),
        });
        if let Some(work) = store.submit(key, expected, row, reply) {
            spawn(work);
        }
    }

    /// Repeats the same write, under the same id, until the store tells what became of it or
    /// the deadline has passed. That is when the actor is told, also in the middle of a try.
    async fn resolve(self, first: StoreError) {
        let Shared { store, clock, settings, .. } = &*self.shared;
        let PendingWrite { expected, row } = &self.write;
        let give_up_at = clock.uptime() + settings.write_deadline;
        let mut backoff = settings.write_backoff;
        let mut error = first;
        let mut outcome_open = false;
        let end = loop {
            outcome_open |= matches!(error, StoreError::OutcomeUnknown(_));
            if !error.is_retryable() || clock.uptime() + backoff >= give_up_at {
                tracing::warn!(entity = %self.key, error = %error, "a write was given up");
                break if outcome_open { WriteEnd::Unknown } else { WriteEnd::NotWritten(error) };
            }
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(BACKOFF_MAX);
            let again = store.cas(self.key, *expected, row.clone());
            let broken = || Err(StoreError::OutcomeUnknown("the store broke".to_owned()));
            let mut again = pin!(or_broken(again, broken));
            let left = give_up_at.saturating_sub(clock.uptime());
            let Ok(result) = timeout(left, &mut again).await else {
                tracing::warn!(entity = %self.key, "a write was given up that has no answer yet");
                drop(self.to.cast(Message::Written(WriteEnd::Unknown)));
                // Who waits for the answer has it. The try itself is neither cut nor left alone:
                // the lane is held until it has ended, and the next activation waits for that.
                drop(again.await);
                return;
            };
            match judge(result, row) {
                Ok(end) => break end,
                Err(next) => error = next,
            }
        };
        drop(self.to.cast(Message::Written(end)));
    }
}

/// What an answer of the store says of the write, or the error that leaves it open.
fn judge(result: CasResult, row: &Row) -> Result<WriteEnd, StoreError> {
    match result {
        Ok(CasOutcome::Written) => Ok(WriteEnd::Written),
        Ok(CasOutcome::Conflict(Some(found))) if is_ours(&found, row) => Ok(WriteEnd::Written),
        Ok(CasOutcome::Conflict(_)) => Ok(WriteEnd::Overtaken),
        Err(StoreError::OutcomeUnknown(_)) if is_planted(Bug::UnknownTakenForSuccess) => {
            Ok(WriteEnd::Written)
        }
        Err(error @ StoreError::OutcomeUnknown(_)) if is_planted(Bug::UnknownTakenForFailure) => {
            Ok(WriteEnd::NotWritten(error))
        }
        Err(error) => Err(error),
    }
}

/// Whether the row that was found is the one that we wrote.
fn is_ours(found: &Row, row: &Row) -> bool {
    let same_version = found.version == row.version;
    found.write_id == row.write_id || is_planted(Bug::VersionWithoutWriteId) && same_version
}
