//! The rows of entities: where a cart lies while nobody holds it in memory.
//!
//! Every write is conditional on the version *and* the id of the write that made it (rule R1),
//! so that a stale owner can never overwrite, not even after a delete or a failover brought a
//! version number back.

use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::entity::{EntityKey, Shard};
use crate::time::Timestamp;

/// Names one write. Unique to one blob; only the repeats of the same write share it (R2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WriteId(pub u128);

/// An entity as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Counts the writes to the row, from 1.
    pub version: u64,
    pub write_id: WriteId,
    /// When the entity wants to be woken; indexed. `None` for never.
    pub due: Option<Timestamp>,
    /// From this time on nobody needs the row: a store that removes rows by itself may do so.
    /// `None` for never. It is a hint for the store alone: no store has to follow it, and none
    /// gives it back; in a row that a store answers it is `None`.
    pub expires: Option<Timestamp>,
    pub blob: Bytes,
}

/// What a write demands of the row it replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    Absent,
    Present { version: u64, write_id: WriteId },
}

impl Expected {
    /// Whether this row, or none, is what the write demands (R1).
    pub fn holds(self, found: Option<&Row>) -> bool {
        match (self, found) {
            (Expected::Absent, None) => true,
            (Expected::Present { version, write_id }, Some(row)) => {
                row.version == version && row.write_id == write_id
            }
            _ => false,
        }
    }
}

/// The largest blob that every store takes, in bytes: the narrowest of them takes items of
/// 400 KB. A cart of 1,000 lines is a tenth of it.
pub const BLOB_BYTES_MAX: usize = 384 * 1024;

/// What became of a write whose outcome is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CasOutcome {
    /// The row is durable, at the level that [`EntityStore::durability`] names.
    Written,
    /// The condition did not hold; this is the row that was found, read with the refusal.
    Conflict(Option<Row>),
}

/// An entity that wants to be woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueEntity {
    pub key: EntityKey,
    pub due: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Nothing was written, for certain; it may be tried again.
    #[error("the entity store is not available: {0}")]
    Unavailable(String),
    /// The store refuses for load; nothing was written.
    #[error("the entity store is overloaded")]
    Throttled,
    /// The write may or may not have been, or may yet be, applied. Only repeating the same
    /// write, with the same id, tells (R2).
    #[error("the outcome of the write is unknown: {0}")]
    OutcomeUnknown(String),
    /// The row cannot be read: damaged, or of an unknown form.
    #[error("the row is damaged: {0}")]
    Damaged(String),
    /// The blob is larger than [`BLOB_BYTES_MAX`]; nothing was written.
    #[error("a row of {bytes} bytes is larger than the store's limit of {limit}")]
    TooLarge { bytes: usize, limit: usize },
}

impl StoreError {
    pub fn is_retryable(&self) -> bool {
        !matches!(self, StoreError::Damaged(_) | StoreError::TooLarge { .. })
    }
}

/// How a write ended, as far as the store tells.
pub type CasResult = Result<CasOutcome, StoreError>;

/// Where the outcome of a submitted write goes: told once, from whatever thread. Dropped
/// untold, it tells that the outcome is unknown.
pub struct CasReply(Option<Box<dyn FnOnce(CasResult) + Send>>);

impl CasReply {
    /// `tell` must not block: it may run on the one thread that commits for all.
    pub fn new(tell: impl FnOnce(CasResult) + Send + 'static) -> CasReply {
        CasReply(Some(Box::new(tell)))
    }

    pub fn send(mut self, result: CasResult) {
        if let Some(tell) = self.0.take() {
            tell(result);
        }
    }
}

impl Drop for CasReply {
    fn drop(&mut self) {
        if let Some(tell) = self.0.take() {
            tell(Err(StoreError::OutcomeUnknown("the store went away".to_owned())));
        }
    }
}

/// Work that its receiver has to run.
pub type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Durable rows with compare-and-set. Loads are strongly consistent: they see every write that
/// was acknowledged before they began.
#[async_trait]
pub trait EntityStore: Send + Sync + 'static {
    /// The row, or `None` if there never was one or it was removed: by hand, or because it had
    /// expired ([`Row::expires`]).
    async fn load(&self, key: EntityKey) -> Result<Option<Row>, StoreError>;

    /// Writes `row` if the stored one is as expected. `row.version` is the expected one plus
    /// one (1 where none is expected).
    ///
    /// Repeating a write that already took effect answers `Conflict` with a row that carries
    /// its write id (or `Written`): callers compare the id. A future that is dropped leaves
    /// the outcome open.
    async fn cas(
        &self,
        key: EntityKey,
        expected: Expected,
        row: Row,
    ) -> Result<CasOutcome, StoreError>;

    /// As [`EntityStore::cas`], for a caller that does not wait: `reply` is told. Work that
    /// is returned is for the caller to run, or nothing happens; a store that has a thread of
    /// its own for it returns none.
    fn submit(
        self: Arc<Self>,
        key: EntityKey,
        expected: Expected,
        row: Row,
        reply: CasReply,
    ) -> Option<Work> {
        Some(Box::pin(async move { reply.send(self.cas(key, expected, row).await) }))
    }

    /// The entities of these shards whose `due` is at or before `before`, at most `limit` of
    /// them, earliest first. Of each shard they are the earliest; that they are the earliest of
    /// all shards is not promised, since a store may ask for the shards apart. Fewer than
    /// `limit` are all there are, unless the store had to leave off among entities of other
    /// shards, or a part of it does not answer; when those that were answered are due no more,
    /// the next call gets at the rest.
    ///
    /// It is asked for all shards of a node at once, each second, and mostly nothing is due:
    /// that is to cost a store next to nothing. A store may show a write here some seconds
    /// late; who acts on an answer loads the row first.
    async fn due(
        &self,
        shards: &[Shard],
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueEntity>, StoreError>;

    /// What an acknowledged write survives, in a sentence for operators.
    fn durability(&self) -> &'static str;
}
