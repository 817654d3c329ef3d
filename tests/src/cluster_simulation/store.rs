//! The entity store as one machine reaches it.

use std::sync::Arc;

use async_trait::async_trait;
use barrow_engine::entity::{EntityKey, Shard};
use barrow_engine::ports::{CasOutcome, DueEntity, EntityStore, Expected, Row, StoreError};
use barrow_engine::time::Timestamp;

use super::ground::Ground;

/// How long a client of the store waits at most until it says that nobody answers.
const SILENCE_MS_MAX: u64 = 1_500;

pub struct StoreFromMachine {
    pub ground: Arc<Ground>,
    pub machine: usize,
}

impl StoreFromMachine {
    /// Makes a call; `None` where the request or the answer does not get through.
    async fn call<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Option<Result<T, StoreError>> {
        let (ground, machine) = (self.ground.clone(), self.machine);
        let way = async move {
            let mut answer = None;
            if !ground.cuts(machine).store {
                answer = Some(call.await);
            }
            if ground.cuts(machine).store {
                tokio::time::sleep(ground.up_to_ms(SILENCE_MS_MAX)).await;
                return None;
            }
            answer
        };
        self.ground.beyond(way).await
    }
}

fn silent() -> String {
    "the store does not answer".to_owned()
}

#[async_trait]
impl EntityStore for StoreFromMachine {
    async fn load(&self, key: EntityKey) -> Result<Option<Row>, StoreError> {
        let store = self.ground.store.clone();
        let answer = self.call(async move { store.load(key).await }).await;
        answer.unwrap_or_else(|| Err(StoreError::Unavailable(silent())))
    }

    async fn cas(
        &self,
        key: EntityKey,
        expected: Expected,
        row: Row,
    ) -> Result<CasOutcome, StoreError> {
        let ground = self.ground.clone();
        let write = async move {
            ground.check_form(key, &row).await;
            ground.store.cas(key, expected, row).await
        };
        let answer = self.call(write).await;
        answer.unwrap_or_else(|| Err(StoreError::OutcomeUnknown(silent())))
    }

    async fn due(
        &self,
        shards: &[Shard],
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueEntity>, StoreError> {
        let (store, shards) = (self.ground.store.clone(), shards.to_vec());
        let answer = self.call(async move { store.due(&shards, before, limit).await }).await;
        answer.unwrap_or_else(|| Err(StoreError::Unavailable(silent())))
    }

    fn durability(&self) -> &'static str {
        "memory"
    }
}
