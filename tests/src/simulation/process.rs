//! The store as one process reaches it: for as long as that lives.

use std::sync::Arc;

use async_trait::async_trait;
use barrow_engine::entity::{EntityKey, Shard};
use barrow_engine::ports::{CasOutcome, DueEntity, EntityStore, Expected, Row, StoreError};
use barrow_engine::time::Timestamp;
use tokio::sync::Semaphore;

/// Whether a process still runs. `kill -9` ends it in the middle of whatever it does.
#[derive(Clone)]
pub struct Process {
    /// Closed by its end. It wakes those who wait in their order, so that the same seed goes on
    /// in the same way.
    running: Arc<Semaphore>,
}

impl Process {
    pub fn start() -> Process {
        Process { running: Arc::new(Semaphore::new(0)) }
    }

    pub fn end(&self) {
        self.running.close();
    }

    pub fn has_ended(&self) -> bool {
        self.running.is_closed()
    }

    /// What comes of a call, or `None` if the process ends before that.
    pub async fn live<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            _ = self.running.acquire() => None,
            outcome = call => Some(outcome),
        }
    }

    /// Not a failure that anybody hears of: what is left of a process that has ended is only to
    /// wind up quickly, and none of its replies reaches a client.
    fn check(&self) -> Result<(), StoreError> {
        match self.has_ended() {
            false => Ok(()),
            true => Err(StoreError::Damaged("the process has ended".to_owned())),
        }
    }
}

/// What a process has sent to the store still arrives after its end; nothing new is sent, and
/// nothing comes back.
pub struct FromAProcess {
    pub store: Arc<dyn EntityStore>,
    pub process: Process,
}

#[async_trait]
impl EntityStore for FromAProcess {
    async fn load(&self, key: EntityKey) -> Result<Option<Row>, StoreError> {
        self.process.check()?;
        let found = self.store.load(key).await;
        self.process.check()?;
        found
    }

    async fn cas(
        &self,
        key: EntityKey,
        expected: Expected,
        row: Row,
    ) -> Result<CasOutcome, StoreError> {
        self.process.check()?;
        let outcome = self.store.cas(key, expected, row).await;
        self.process.check()?;
        outcome
    }

    async fn due(
        &self,
        shards: &[Shard],
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueEntity>, StoreError> {
        self.process.check()?;
        self.store.due(shards, before, limit).await
    }

    fn durability(&self) -> &'static str {
        self.store.durability()
    }
}
