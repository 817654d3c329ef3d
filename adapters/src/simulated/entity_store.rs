//! Entity rows in memory. A write is in force when its call returns; nothing survives the
//! store's own end, but everything survives that of a node that uses it.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use barrow_engine::entity::{EntityKey, EntityKind, Shard};
use barrow_engine::ports::{
    BLOB_BYTES_MAX, CasOutcome, DueEntity, EntityStore, Expected, Row, StoreError,
};
use barrow_engine::time::Timestamp;
use parking_lot::Mutex;

use crate::due::earliest;

/// Rows and their due index, in the order of their keys.
#[derive(Default)]
pub struct SimulatedEntityStore {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    rows: BTreeMap<EntityKey, Row>,
    due: BTreeSet<(Shard, Timestamp, EntityKey)>,
}

impl SimulatedEntityStore {
    pub fn new() -> SimulatedEntityStore {
        SimulatedEntityStore::default()
    }

    /// All rows, for comparing with what was acknowledged.
    pub fn rows(&self) -> BTreeMap<EntityKey, Row> {
        self.state.lock().rows.clone()
    }

    /// Puts a row there, or takes it away, past all conditions: damage, or another hand.
    pub fn overwrite(&self, key: EntityKey, row: Option<Row>) {
        let mut state = self.state.lock();
        state.replace(key, row);
    }
}

impl State {
    fn replace(&mut self, key: EntityKey, row: Option<Row>) {
        let due = row.as_ref().and_then(|row| row.due);
        let before = match row {
            Some(row) => self.rows.insert(key, row),
            None => self.rows.remove(&key),
        };
        if let Some(due) = before.and_then(|row| row.due) {
            self.due.remove(&(key.shard(), due, key));
        }
        if let Some(due) = due {
            self.due.insert((key.shard(), due, key));
        }
    }
}

#[async_trait]
impl EntityStore for SimulatedEntityStore {
    async fn load(&self, key: EntityKey) -> Result<Option<Row>, StoreError> {
        Ok(self.state.lock().rows.get(&key).cloned())
    }

    async fn cas(
        &self,
        key: EntityKey,
        expected: Expected,
        row: Row,
    ) -> Result<CasOutcome, StoreError> {
        if row.blob.len() > BLOB_BYTES_MAX {
            let (bytes, limit) = (row.blob.len(), BLOB_BYTES_MAX);
            return Err(StoreError::TooLarge { bytes, limit });
        }
        let mut state = self.state.lock();
        let found = state.rows.get(&key);
        if !expected.holds(found) {
            return Ok(CasOutcome::Conflict(found.cloned()));
        }
        // Nothing is removed here, and the hint is not given back.
        state.replace(key, Some(Row { expires: None, ..row }));
        Ok(CasOutcome::Written)
    }

    async fn due(
        &self,
        shards: &[Shard],
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueEntity>, StoreError> {
        let state = self.state.lock();
        let found = shards.iter().flat_map(|shard| {
            let first = (*shard, Timestamp::MIN, EntityKey::new(EntityKind::Cart, 0));
            let last = (*shard, before, EntityKey::new(EntityKind::Probe, u128::MAX));
            let entries = state.due.range(first..=last).take(limit);
            entries.map(|(_, due, key)| DueEntity { key: *key, due: *due })
        });
        Ok(earliest(found.collect(), limit))
    }

    fn durability(&self) -> &'static str {
        "an acknowledged change survives as long as the simulation runs"
    }
}
