//! The rows of entities in the embedded database.
//!
//! Writes go through the group commit. Loads read the database directly, on the caller's thread:
//! a row that was written lately, or read lately, comes from memory in microseconds, less than
//! handing the read to another thread and back would cost; one that does not costs a read of one
//! block, a tenth of a millisecond on the disks this store is meant for, and only when a cart
//! wakes that nobody touched for long.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use async_trait::async_trait;
use barrow_engine::entity::{EntityKey, Shard};
use barrow_engine::ports::{
    BLOB_BYTES_MAX, CasOutcome, CasReply, DueEntity, EntityStore, Expected, Row, StoreError, Work,
};
use barrow_engine::time::Timestamp;

use super::due_index::{DueBounds, decode_due_key, due_key, due_start};
use super::group_commit::{Change, GroupCommit, Table};
use super::row_codec::{decode_row, encode_row};
use super::{Shared, Tables, is_damage};

/// Rows by entity, with the index of what is due. Made by
/// [`EmbeddedStore::open`](super::EmbeddedStore::open).
pub struct EmbeddedEntityStore {
    // Dropped first: it waits until what is queued is written.
    commit: GroupCommit,
    bounds: Arc<DueBounds>,
    shared: Arc<Shared>,
}

impl EmbeddedEntityStore {
    pub(super) fn start(shared: Arc<Shared>) -> std::io::Result<EmbeddedEntityStore> {
        let bounds = Arc::new(DueBounds::new());
        let rows = Rows { tables: shared.tables.clone(), bounds: Arc::clone(&bounds) };
        let commit = GroupCommit::start(rows, Arc::clone(&shared.health))?;
        Ok(EmbeddedEntityStore { commit, bounds, shared })
    }

    /// Counts the commits since the store was opened: each is one sync, for however many changes.
    pub fn commits(&self) -> Arc<AtomicU64> {
        self.commit.commits()
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
        read_row(&self.shared.tables, key)
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
        shard: Shard,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueEntity>, StoreError> {
        self.check()?;
        let Some(scan) = self.bounds.begin_scan(shard, before) else { return Ok(Vec::new()) };
        let start = due_start(shard, scan.from).to_vec();
        // No entity's key is this long and all ones, so nothing of the shard lies behind it.
        let mut end = due_start(shard, Timestamp::MAX).to_vec();
        end.extend_from_slice(&[u8::MAX; EntityKey::LEN + 1]);
        let mut found: Vec<DueEntity> = Vec::new();
        let mut next = Timestamp::MAX;
        for guard in self.shared.tables.due.range(start..end) {
            let entry = decode_due_key(&guard.key().map_err(|error| read_error(&error))?)?;
            if entry.due > before || found.len() == limit {
                next = entry.due;
                break;
            }
            found.push(entry);
        }
        // What was found stays due until its row is written again.
        let earliest = found.first().map_or(next, |entry| entry.due);
        self.bounds.end_scan(shard, scan, earliest);
        Ok(found)
    }

    fn durability(&self) -> &'static str {
        "an acknowledged change survives a crash of the process or the system and a loss of \
         power, but not the loss of this disk"
    }
}

/// What the commit thread writes to.
struct Rows {
    tables: Tables,
    bounds: Arc<DueBounds>,
}

impl Table for Rows {
    fn read(&self, key: EntityKey) -> Result<Option<Row>, StoreError> {
        read_row(&self.tables, key)
    }

    fn commit(&mut self, changes: &[Change]) -> Result<(), String> {
        let Tables { entities, due, .. } = &self.tables;
        let mut batch = self.tables.batch();
        for Change { key, due_before, row } in changes {
            batch.insert(entities, key.to_bytes(), encode_row(row));
            if *due_before == row.due {
                continue;
            }
            if let Some(before) = due_before {
                batch.remove(due, due_key(*key, *before));
            }
            if let Some(next) = row.due {
                batch.insert(due, due_key(*key, next), []);
            }
        }
        batch.commit().map_err(|error| error.to_string())?;
        for Change { key, row, .. } in changes {
            if let Some(next) = row.due {
                self.bounds.written(key.shard(), next);
            }
        }
        Ok(())
    }
}

fn read_row(tables: &Tables, key: EntityKey) -> Result<Option<Row>, StoreError> {
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
