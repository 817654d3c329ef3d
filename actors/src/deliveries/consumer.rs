//! Who is told.

use async_trait::async_trait;
use barrow_engine::events::{Event, EventKind};

/// Why an event was not handled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConsumerError {
    /// It may be, later.
    #[error("{0}")]
    Later(String),
    /// It never will be: it becomes a dead letter at once.
    #[error("{0}")]
    Never(String),
}

/// Somebody who wants to know what happened, and acts on it.
///
/// An event may come again: after a crash, or where it was handled and nobody heard. It has the
/// same [`Event::id`] then. A consumer that acts elsewhere passes that on as its idempotency key;
/// one whose effect lies in the database of the outbox has it by the `handle_once` of the
/// database's adapter, in one transaction with the mark that it was had.
#[async_trait]
pub trait Consumer: Send + Sync + 'static {
    /// The same for ever: what waits for it is kept under this name.
    fn name(&self) -> &'static str;

    /// What it does not handle is not handed over.
    fn handles(&self, kind: EventKind) -> bool;

    /// Of one aggregate the next event comes when this one was handled. It is dropped when it
    /// takes longer than it may, and counts as failed then.
    async fn handle(&self, event: &Event) -> Result<(), ConsumerError>;
}
