//! The rows of entities in Postgres: one statement for many writes, each with its own condition.

use std::sync::Arc;

use async_trait::async_trait;
use barrow_engine::entity::{EntityKey, Shard};
use barrow_engine::ports::{
    BLOB_BYTES_MAX, CasOutcome, CasReply, DueEntity, EntityStore, Expected, Row, StoreError, Work,
};
use barrow_engine::time::Timestamp;

use super::primary::Postgres;
use super::write_batch::{Write, WriteQueue, read_rows};
use crate::submitted::outcome_of;

/// Rows by entity.
pub struct PostgresEntityStore {
    postgres: Postgres,
    writes: WriteQueue,
}

impl PostgresEntityStore {
    pub fn start(postgres: &Postgres) -> PostgresEntityStore {
        PostgresEntityStore { postgres: postgres.clone(), writes: WriteQueue::start(postgres) }
    }

    fn push(&self, key: EntityKey, expected: Expected, row: Row, reply: CasReply) {
        if row.blob.len() > BLOB_BYTES_MAX {
            let (bytes, limit) = (row.blob.len(), BLOB_BYTES_MAX);
            return reply.send(Err(StoreError::TooLarge { bytes, limit }));
        }
        self.writes.push(Write { key, expected, row }, reply);
    }
}

/// The index goes by due: what is not due is not looked at, whosever it is.
const DUE: &str = "SELECT key, due FROM entity
    WHERE shard = ANY($1) AND due <= $2 ORDER BY due LIMIT $3";

#[async_trait]
impl EntityStore for PostgresEntityStore {
    async fn load(&self, key: EntityKey) -> Result<Option<Row>, StoreError> {
        let found = read_rows(&self.postgres, &[key]).await?;
        found.into_iter().next().map(|(_, row)| row).transpose()
    }

    async fn cas(
        &self,
        key: EntityKey,
        expected: Expected,
        row: Row,
    ) -> Result<CasOutcome, StoreError> {
        outcome_of(|reply| self.push(key, expected, row, reply)).await
    }

    fn submit(
        self: Arc<Self>,
        key: EntityKey,
        expected: Expected,
        row: Row,
        reply: CasReply,
    ) -> Option<Work> {
        self.push(key, expected, row, reply);
        None
    }

    async fn due(
        &self,
        shards: &[Shard],
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueEntity>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let shards: Vec<i16> = shards.iter().map(|shard| shard.index() as i16).collect();
        let found: Result<Vec<(Vec<u8>, i64)>, _> = self
            .postgres
            .call(async |connection| {
                let query = sqlx::query_as(DUE).bind(&shards);
                query.bind(before.as_millis()).bind(limit).fetch_all(connection).await
            })
            .await;
        let found = found.map_err(|error| error.of_read())?;
        found
            .into_iter()
            .map(|(key, due)| {
                let key = EntityKey::from_bytes(&key)
                    .ok_or_else(|| StoreError::Damaged("a key cannot be read".to_owned()))?;
                Ok(DueEntity { key, due: Timestamp::from_millis(due) })
            })
            .collect()
    }

    fn durability(&self) -> &'static str {
        self.postgres.durability()
    }
}
