//! A control table in the memory of one process: for nodes that share it, in tests and
//! simulations.

use std::collections::BTreeMap;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::{ControlError, ControlOutcome, ControlRow, ControlTable, control::ROWS_MAX};

/// Rows in memory.
#[derive(Debug, Default)]
pub struct MemoryControlTable {
    rows: Mutex<BTreeMap<String, ControlRow>>,
}

#[async_trait]
impl ControlTable for MemoryControlTable {
    async fn load(&self, key: &str) -> Result<Option<ControlRow>, ControlError> {
        Ok(self.rows.lock().get(key).cloned())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<(String, ControlRow)>, ControlError> {
        let rows = self.rows.lock();
        let from = rows.range(prefix.to_owned()..);
        let found = from.take_while(|(key, _)| key.starts_with(prefix));
        let found: Vec<_> = found.map(|(key, row)| (key.clone(), row.clone())).collect();
        match found.len() > ROWS_MAX {
            true => Err(ControlError::Unavailable("there are too many rows".to_owned())),
            false => Ok(found),
        }
    }

    async fn cas(
        &self,
        key: &str,
        expected: u64,
        value: Vec<u8>,
    ) -> Result<ControlOutcome, ControlError> {
        let mut rows = self.rows.lock();
        let found = rows.get(key);
        if found.map_or(0, |row| row.version) != expected {
            return Ok(ControlOutcome::Conflict(found.cloned()));
        }
        rows.insert(key.to_owned(), ControlRow { version: expected + 1, value });
        Ok(ControlOutcome::Written)
    }

    async fn delete(&self, key: &str, expected: u64) -> Result<ControlOutcome, ControlError> {
        let mut rows = self.rows.lock();
        let found = rows.get(key);
        if found.map(|row| row.version) != Some(expected) {
            return Ok(ControlOutcome::Conflict(found.cloned()));
        }
        rows.remove(key);
        Ok(ControlOutcome::Written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_keeps_the_promises_of_a_control_table() {
        crate::contract::control_table(&MemoryControlTable::default(), "memory").await;
    }
}
