//! Where events wait until everybody has been told.

use std::time::Duration;

use async_trait::async_trait;

use super::CommerceError;
use crate::events::{Aggregate, Event, Position};
use crate::ids::DeadLetterId;
use crate::time::Timestamp;

/// The most aggregates of one claim, events of one lane in it, and dead letters of one page.
pub const LANES_MAX: usize = 100;

/// The most consumers that one process registers.
pub const CONSUMERS_MAX: usize = 32;

/// The longest name of a consumer, and as much of an error is kept.
pub const CONSUMER_NAME_CHARS_MAX: usize = 64;
pub const DELIVERY_ERROR_CHARS_MAX: usize = 500;

/// Names one claim, so that whoever lost its lease settles nothing. Nobody else draws the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClaimToken(pub u128);

/// What a consumer wants to handle now.
#[derive(Debug, Clone, Copy)]
pub struct ClaimAsk<'a> {
    pub consumer: &'a str,
    pub token: ClaimToken,
    /// For so long nobody else is given the same.
    pub lease: Duration,
    /// At most [`LANES_MAX`].
    pub lanes: usize,
    /// Of each lane at most so many events, and at most [`LANES_MAX`]; of one that was tried in
    /// vain a single one, so that it is known which one it was.
    pub events: usize,
}

/// The next events of an aggregate, in their order. Nobody else has them while the lease lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    pub aggregate: Aggregate,
    /// How often the first of them was claimed since the one before it was settled, this time
    /// among them.
    pub attempts: u32,
    /// Empty where all was handled already and only settling is left.
    pub events: Vec<Event>,
}

/// What came of a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    pub aggregate: Aggregate,
    /// The last event that the consumer has handled, if any.
    pub handled: Option<Position>,
    pub then: Then,
}

/// What is to become of the event behind the handled ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    /// It is for whoever claims next.
    Next,
    /// It failed, and is tried again after a while.
    Retry { after: Duration, error: String },
    /// It failed for good: it waits for somebody to look at it, and the later ones of its
    /// aggregate wait behind it.
    Bury { id: DeadLetterId, error: String },
}

/// An event that a consumer could not be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    pub id: DeadLetterId,
    pub consumer: String,
    pub event: Event,
    pub attempts: u32,
    pub error: String,
    /// Since when.
    pub at: Timestamp,
    /// Later events of its aggregate that wait for it.
    pub waiting: u64,
}

/// Which dead letters are listed, the newest first.
#[derive(Debug, Clone, Default)]
pub struct DeadLetterQuery {
    pub consumer: Option<String>,
    /// Where the last page ended.
    pub after: Option<(Timestamp, DeadLetterId)>,
    /// At most [`LANES_MAX`].
    pub limit: usize,
}

/// How a consumer stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerFigures {
    pub consumer: String,
    /// Aggregates with events that it has not handled.
    pub lanes: u64,
    pub dead_letters: u64,
}

/// Events, written by the transactions of [`super::OrderStore`] and [`super::StockLedger`] that
/// made them, for each consumer that was registered at that moment. Each consumer has a lane for
/// each aggregate; in a lane one event is handled after the other, by one process at a time. An
/// event is gone when every consumer has settled it.
///
/// Waits and leases are measured on the clock of the store: those of nodes are never compared.
#[async_trait]
pub trait Outbox: Send + Sync + 'static {
    /// Makes consumers known: they are told what is written from now on. Those that are known
    /// keep what waits for them.
    async fn register(&self, consumers: &[&str]) -> Result<(), CommerceError>;

    /// Takes lanes whose turn it is, those that wait longest first. A claim of unknown outcome is
    /// left to run out.
    async fn claim(&self, ask: &ClaimAsk<'_>) -> Result<Vec<Lane>, CommerceError>;

    /// Settles lanes that were claimed under this token, and gives them back; the aggregates of
    /// those that it could, since the token still held them. Settled again it settles nothing.
    async fn settle(
        &self,
        consumer: &str,
        token: ClaimToken,
        settled: &[Settled],
    ) -> Result<Vec<Aggregate>, CommerceError>;

    async fn dead_letters(&self, query: &DeadLetterQuery)
    -> Result<Vec<DeadLetter>, CommerceError>;

    /// Has a dead letter told again, and then what waits behind it; whether there was one.
    async fn replay(&self, id: DeadLetterId) -> Result<bool, CommerceError>;

    /// Gives a dead letter up: what waits behind it goes on; whether there was one.
    async fn discard(&self, id: DeadLetterId) -> Result<bool, CommerceError>;

    /// Of all consumers, by their names.
    async fn figures(&self) -> Result<Vec<ConsumerFigures>, CommerceError>;

    /// Removes what nobody will ask for any more: consumers that no process has registered or
    /// claimed for in so long, their lanes, and events that crashes left behind. Bounded: what is
    /// too much for one call is left to the next.
    async fn sweep(&self, unseen: Duration) -> Result<(), CommerceError>;

    /// Counts what may have come for consumers through this process: events that it has written,
    /// and dead letters that it has replayed.
    fn written(&self) -> u64;

    /// Waits until that has passed `seen`, and answers it. Another process' events come unheard.
    async fn written_since(&self, seen: u64) -> u64;
}
