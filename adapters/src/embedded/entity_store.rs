//! The rows of entities in the embedded database.
//!
//! Writes go through the group commit to the log, and from there to the tables later. Loads look
//! at what is not in the tables yet, then read the database directly, on the caller's thread:
//! a row that was written lately, or read lately, comes from memory in microseconds, less than
//! handing the read to another thread and back would cost; one that does not costs a read of one
//! block, a tenth of a millisecond on the disks this store is meant for, and only when a cart
//! wakes that nobody touched for long.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use barrow_engine::entity::{EntityKey, Shard};
use barrow_engine::ports::{
    BLOB_BYTES_MAX, CasOutcome, CasReply, DueEntity, EntityStore, Expected, Row, StoreError, Work,
};
use barrow_engine::time::Timestamp;

use super::due_index::{DueBounds, DueKey, decode_due_key, due_range, unreadable_due};
use super::group_commit::{Change, GroupCommit, Table};
use super::log::{Appended, Log};
use super::row_codec::decode_row;
use super::unflushed::Unflushed;
use super::write_behind::WriteBehind;
use super::{Shared, Tables, is_damage};
use crate::due::earliest;

/// Rows by entity, with the index of what is due. Made by
/// [`EmbeddedStore::open`](super::EmbeddedStore::open).
pub struct EmbeddedEntityStore {
    // Dropped first: it waits until what is queued is written.
    commit: GroupCommit,
    // Dropped next: it waits until the tables have all of it.
    _write_behind: WriteBehind,
    unflushed: Arc<Unflushed>,
    bounds: Arc<DueBounds>,
    /// How often what is due in a shard was looked up in the index.
    index_reads: Arc<AtomicU64>,
    shared: Arc<Shared>,
}

/// So many shards are read before other tasks of the thread have their turn.
const SHARDS_AT_A_STRETCH: usize = 64;

impl EmbeddedEntityStore {
    pub(super) fn start(shared: Arc<Shared>, log: Log) -> std::io::Result<EmbeddedEntityStore> {
        let bounds = Arc::new(DueBounds::new());
        let unflushed = Arc::new(Unflushed::default());
        let behind = WriteBehind::start(&shared, Arc::clone(&unflushed), log.room())?;
        let rows = Rows {
            log,
            unflushed: Arc::clone(&unflushed),
            tables: shared.tables.clone(),
            bounds: Arc::clone(&bounds),
        };
        let commit = GroupCommit::start(rows, Arc::clone(&shared.health))?;
        let index_reads = Arc::default();
        Ok(EmbeddedEntityStore {
            commit,
            _write_behind: behind,
            unflushed,
            bounds,
            index_reads,
            shared,
        })
    }

    /// Waits until the tables have every row that was acknowledged before. Blocking.
    pub(super) fn move_all(&self) -> Result<(), String> {
        self.unflushed.move_all(&self.shared.health)
    }

    /// Counts the commits since the store was opened: each is one sync, for however many changes.
    pub fn commits(&self) -> Arc<AtomicU64> {
        self.commit.commits()
    }

    /// Counts the looks into the due index since the store was opened, one for each shard.
    pub fn due_index_reads(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.index_reads)
    }

    fn check(&self) -> Result<(), StoreError> {
        self.shared.health.check().map_err(|reason| StoreError::Unavailable(reason.to_owned()))
    }

    fn check_write(&self, row: &Row) -> Result<(), StoreError> {
        self.check()?;
        let (bytes, limit) = (row.blob.len(), BLOB_BYTES_MAX);
        if bytes > limit { Err(StoreError::TooLarge { bytes, limit }) } else { Ok(()) }
    }
}

#[async_trait]
impl EntityStore for EmbeddedEntityStore {
    async fn load(&self, key: EntityKey) -> Result<Option<Row>, StoreError> {
        self.check()?;
        newest_row(&self.unflushed, &self.shared.tables, key)
    }

    async fn cas(
        &self,
        key: EntityKey,
        expected: Expected,
        row: Row,
    ) -> Result<CasOutcome, StoreError> {
        self.check_write(&row)?;
        self.commit.cas(key, expected, row).await
    }

    fn submit(
        self: Arc<Self>,
        key: EntityKey,
        expected: Expected,
        row: Row,
        reply: CasReply,
    ) -> Option<Work> {
        match self.check_write(&row) {
            Ok(()) => self.commit.submit(key, expected, row, reply),
            Err(error) => reply.send(Err(error)),
        }
        None
    }

    async fn due(
        &self,
        shards: &[Shard],
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueEntity>, StoreError> {
        self.check()?;
        let mut all = Vec::new();
        for (index, shard) in shards.iter().enumerate() {
            all.extend(self.due_of(*shard, before, limit)?);
            if all.len() > limit.saturating_mul(2) {
                all = earliest(all, limit);
            }
            // The first look after a start reads the disk for each shard.
            if index % SHARDS_AT_A_STRETCH == SHARDS_AT_A_STRETCH - 1 {
                tokio::task::yield_now().await;
            }
        }
        Ok(earliest(all, limit))
    }

    fn durability(&self) -> &'static str {
        "an acknowledged change survives a crash of the process or the system and a loss of \
         power, but not the loss of this disk"
    }
}

impl EmbeddedEntityStore {
    /// What is due in a shard. Where nothing is, only memory is looked at.
    fn due_of(
        &self,
        shard: Shard,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueEntity>, StoreError> {
        let Some(scan) = self.bounds.begin_scan(shard, before) else { return Ok(Vec::new()) };
        self.index_reads.fetch_add(1, Ordering::Relaxed);
        let (index, next) = self.read_index(shard, scan.from, before, limit)?;
        let found = index.iter().map(|key| decode_due_key(key));
        let found = found.collect::<Result<Vec<DueEntity>, StoreError>>()?;
        // What was found stays due until its row is written again.
        let earliest = found.first().map_or(next, |entry| entry.due);
        self.bounds.end_scan(shard, scan, earliest);
        Ok(found)
    }

    /// The first entries of a shard that are due, and when the one behind them is.
    fn read_index(
        &self,
        shard: Shard,
        from: Timestamp,
        before: Timestamp,
        limit: usize,
    ) -> Result<(Vec<DueKey>, Timestamp), StoreError> {
        let range = due_range(shard, from);
        let recent = self.unflushed.dues(range.clone());
        let mut index: Vec<DueKey> =
            recent.iter().filter(|(_, is_there)| **is_there).map(|(key, _)| *key).collect();
        let mut stored = 0;
        for guard in self.shared.tables.due.range(range) {
            let key = guard.key().map_err(|error| read_error(&error))?;
            let key = DueKey::try_from(key.as_ref()).map_err(|_| unreadable_due())?;
            if !recent.contains_key(&key) {
                index.push(key);
                stored += 1;
                // What comes after cannot be among the first, nor next.
                if stored > limit || decode_due_key(&key)?.due > before {
                    break;
                }
            }
        }
        index.sort_unstable();
        let due = |key: &DueKey| decode_due_key(key).map(|entity| entity.due);
        let mut are_due = 0;
        while are_due < index.len().min(limit) && due(&index[are_due])? <= before {
            are_due += 1;
        }
        let next = index.get(are_due).map_or(Ok(Timestamp::MAX), due)?;
        index.truncate(are_due);
        Ok((index, next))
    }
}

/// What the commit thread writes to.
struct Rows {
    log: Log,
    unflushed: Arc<Unflushed>,
    tables: Tables,
    bounds: Arc<DueBounds>,
}

impl Table for Rows {
    fn read(&self, key: EntityKey) -> Result<Option<Row>, StoreError> {
        newest_row(&self.unflushed, &self.tables, key)
    }

    fn commit(&mut self, changes: Vec<Change>) -> Result<(), String> {
        let Appended { sequence, is_short_of_room } = self.log.append(&changes)?;
        let dues: Vec<_> =
            changes.iter().filter_map(|it| Some((it.key.shard(), it.row.due?))).collect();
        self.unflushed.add(changes, sequence, is_short_of_room);
        dues.into_iter().for_each(|(shard, due)| self.bounds.written(shard, due));
        Ok(())
    }
}

/// The row as it was acknowledged last.
fn newest_row(
    unflushed: &Unflushed,
    tables: &Tables,
    key: EntityKey,
) -> Result<Option<Row>, StoreError> {
    match unflushed.row(key) {
        Some(row) => Ok(Some(row)),
        None => read_row(tables, key),
    }
}

/// The row as the tables have it.
pub(super) fn read_row(tables: &Tables, key: EntityKey) -> Result<Option<Row>, StoreError> {
    let bytes = tables.entities.get(key.to_bytes()).map_err(|error| read_error(&error))?;
    bytes.map(|bytes| decode_row(&bytes)).transpose()
}

fn read_error(error: &fjall::Error) -> StoreError {
    if is_damage(error) {
        StoreError::Damaged(error.to_string())
    } else {
        StoreError::Unavailable(error.to_string())
    }
}
