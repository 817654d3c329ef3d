//! The control table in Postgres: a few rows, each changed by compare-and-set.

use async_trait::async_trait;
use barrow_cluster::{ControlError, ControlOutcome, ControlRow, ControlTable};
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

const MAKE: &str = "INSERT INTO control (key, version, value) VALUES ($1, $2::bigint + 1, $3)
    ON CONFLICT DO NOTHING";

const REPLACE: &str =
    "UPDATE control SET version = version + 1, value = $3 WHERE key = $1 AND version = $2";

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
}
