//! An entity store whose every answer a test can decide: hold a write, lose its reply, refuse.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use barrow_engine::entity::{EntityKey, Shard};
use barrow_engine::ports::{CasOutcome, DueEntity, EntityStore, Expected, Row, StoreError};
use barrow_engine::time::Timestamp;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

/// What is to become of the next write.
#[derive(Debug, Clone)]
pub enum Fate {
    Applied,
    /// It is applied, and the reply is lost.
    ReplyLost,
    /// It is not applied, and the reply is lost.
    RequestLost,
    Unavailable,
    /// It is applied, and then the call panics.
    Panics,
    /// Waits for a permit before it is looked at.
    Held(Arc<Semaphore>),
}

#[derive(Debug, Default)]
pub struct ScriptedStore {
    pub rows: Mutex<BTreeMap<EntityKey, Row>>,
    fates: Mutex<VecDeque<Fate>>,
    /// From now on loads panic.
    pub loads_panic: AtomicBool,
    /// From now on loads are never answered.
    pub loads_hang: AtomicBool,
    /// Every write that was applied, in order.
    pub applied: Mutex<Vec<(EntityKey, Row)>>,
    /// For each question what is due, of how many shards.
    pub looks: Mutex<Vec<usize>>,
}

impl ScriptedStore {
    pub fn next_writes(&self, fates: impl IntoIterator<Item = Fate>) {
        self.fates.lock().extend(fates);
    }

    /// From now on every write is applied.
    pub fn heal(&self) {
        self.fates.lock().clear();
    }

    /// What a node finds that starts on this store as it is now, with nothing on the way.
    pub fn copy(&self) -> ScriptedStore {
        ScriptedStore { rows: Mutex::new(self.rows.lock().clone()), ..ScriptedStore::default() }
    }

    /// Holds the next write until the semaphore that is returned gets a permit.
    pub fn hold_next_write(&self) -> Arc<Semaphore> {
        let held = Arc::new(Semaphore::new(0));
        self.next_writes([Fate::Held(held.clone())]);
        held
    }

    pub fn row(&self, key: EntityKey) -> Option<Row> {
        self.rows.lock().get(&key).cloned()
    }

    fn apply(&self, key: EntityKey, expected: Expected, row: Row) -> CasOutcome {
        let mut rows = self.rows.lock();
        let found = rows.get(&key);
        let holds = match (expected, found) {
            (Expected::Absent, None) => true,
            (Expected::Present { version, write_id }, Some(found)) => {
                found.version == version && found.write_id == write_id
            }
            _ => false,
        };
        if !holds {
            return CasOutcome::Conflict(found.cloned());
        }
        self.applied.lock().push((key, row.clone()));
        rows.insert(key, row);
        CasOutcome::Written
    }
}

#[async_trait]
impl EntityStore for ScriptedStore {
    async fn load(&self, key: EntityKey) -> Result<Option<Row>, StoreError> {
        assert!(!self.loads_panic.load(Ordering::Relaxed), "a load panics on purpose");
        if self.loads_hang.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        Ok(self.row(key))
    }

    async fn cas(
        &self,
        key: EntityKey,
        expected: Expected,
        row: Row,
    ) -> Result<CasOutcome, StoreError> {
        let fate = self.fates.lock().pop_front();
        match fate {
            Some(Fate::ReplyLost) => {
                self.apply(key, expected, row);
                Err(StoreError::OutcomeUnknown("the reply is lost".into()))
            }
            Some(Fate::RequestLost) => {
                Err(StoreError::OutcomeUnknown("the request is lost".into()))
            }
            Some(Fate::Panics) => {
                self.apply(key, expected, row);
                panic!("a write panics on purpose");
            }
            Some(Fate::Unavailable) => Err(StoreError::Unavailable("refused".into())),
            Some(Fate::Held(held)) => {
                held.acquire().await.expect("a test does not close it").forget();
                Ok(self.apply(key, expected, row))
            }
            Some(Fate::Applied) | None => Ok(self.apply(key, expected, row)),
        }
    }

    async fn due(
        &self,
        shards: &[Shard],
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueEntity>, StoreError> {
        self.looks.lock().push(shards.len());
        let rows = self.rows.lock();
        let mut due: Vec<DueEntity> = rows
            .iter()
            .filter(|(key, _)| shards.contains(&key.shard()))
            .filter_map(|(key, row)| Some(DueEntity { key: *key, due: row.due? }))
            .filter(|entity| entity.due <= before)
            .collect();
        due.sort_by_key(|entity| entity.due);
        due.truncate(limit);
        Ok(due)
    }

    fn durability(&self) -> &'static str {
        "nothing: it is a test's"
    }
}
