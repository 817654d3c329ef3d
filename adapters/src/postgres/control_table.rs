//! The control table in Postgres: a few rows, each changed by compare-and-set.

use async_trait::async_trait;
use barrow_cluster::{ControlError, ControlOutcome, ControlRow, ControlTable, ROWS_MAX};
use barrow_engine::ports::StoreError;

use super::errors::CallError;
use super::primary::Postgres;

/// Rows that nodes agree in.
pub struct PostgresControlTable {
    postgres: Postgres,
}

impl PostgresControlTable {
    pub fn new(postgres: &Postgres) -> PostgresControlTable {
        PostgresControlTable { postgres: postgres.clone() }
    }
}

const READ: &str = "SELECT version, value FROM control WHERE key = $1";

/// From where the prefix would be, so that the index is read from there; no pattern: a prefix may
/// hold what stands for anything in one. One row more than there may be shows that there are more.
const LIST: &str = "SELECT key, version, value FROM control
    WHERE key >= $1 AND starts_with(key, $1) ORDER BY key LIMIT $2";

const MAKE: &str = "INSERT INTO control (key, version, value) VALUES ($1, $2::bigint + 1, $3)
    ON CONFLICT DO NOTHING";

const REPLACE: &str =
    "UPDATE control SET version = version + 1, value = $3 WHERE key = $1 AND version = $2";

const REMOVE: &str = "DELETE FROM control WHERE key = $1 AND version = $2";

fn write_error(error: &CallError) -> ControlError {
    match error.of_write() {
        StoreError::OutcomeUnknown(reason) => ControlError::OutcomeUnknown(reason),
        other => ControlError::Unavailable(other.to_string()),
    }
}

#[async_trait]
impl ControlTable for PostgresControlTable {
    async fn load(&self, key: &str) -> Result<Option<ControlRow>, ControlError> {
        let found: Result<Option<(i64, Vec<u8>)>, _> = self
            .postgres
            .call(async |connection| {
                sqlx::query_as(READ).bind(key).fetch_optional(connection).await
            })
            .await;
        let found = found.map_err(|error| ControlError::Unavailable(error.to_string()))?;
        let row = |(version, value): (i64, _)| ControlRow { version: version as u64, value };
        Ok(found.map(row))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<(String, ControlRow)>, ControlError> {
        let found: Result<Vec<(String, i64, Vec<u8>)>, _> = self
            .postgres
            .call(async |connection| {
                let query = sqlx::query_as(LIST).bind(prefix).bind(ROWS_MAX as i64 + 1);
                query.fetch_all(connection).await
            })
            .await;
        let found = found.map_err(|error| ControlError::Unavailable(error.to_string()))?;
        if found.len() > ROWS_MAX {
            return Err(ControlError::Unavailable("there are too many rows".to_owned()));
        }
        let row = |(key, version, value): (_, i64, _)| {
            (key, ControlRow { version: version as u64, value })
        };
        Ok(found.into_iter().map(row).collect())
    }

    async fn cas(
        &self,
        key: &str,
        expected: u64,
        value: Vec<u8>,
    ) -> Result<ControlOutcome, ControlError> {
        let written = self
            .postgres
            .call(async |connection| {
                let query = if expected == 0 { MAKE } else { REPLACE };
                let query = sqlx::query(query).bind(key).bind(expected as i64).bind(&value);
                query.execute(connection).await
            })
            .await;
        match written.map_err(|error| write_error(&error))?.rows_affected() {
            0 => Ok(ControlOutcome::Conflict(self.load(key).await?)),
            _ => Ok(ControlOutcome::Written),
        }
    }

    async fn delete(&self, key: &str, expected: u64) -> Result<ControlOutcome, ControlError> {
        let removed = self
            .postgres
            .call(async |connection| {
                let query = sqlx::query(REMOVE).bind(key).bind(expected as i64);
                query.execute(connection).await
            })
            .await;
        match removed.map_err(|error| write_error(&error))?.rows_affected() {
            0 => Ok(ControlOutcome::Conflict(self.load(key).await?)),
            _ => Ok(ControlOutcome::Written),
        }
    }
}
