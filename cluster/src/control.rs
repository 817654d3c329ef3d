//! The table that nodes agree in: a few rows, each changed by compare-and-set alone.

use async_trait::async_trait;

/// A row of the control table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlRow {
    /// Counts the writes to the row, from 1.
    pub version: u64,
    pub value: Vec<u8>,
}

/// The most rows of one kind: as many as a cluster has members.
pub const ROWS_MAX: usize = crate::view::MEMBERS_MAX;

/// How a write ended whose outcome is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlOutcome {
    Written,
    /// The condition did not hold; this is the row that is there.
    Conflict(Option<ControlRow>),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// Nothing was read or written.
    #[error("the control table is not available: {0}")]
    Unavailable(String),
    /// The write may or may not have been applied.
    #[error("the outcome of a write to the control table is unknown: {0}")]
    OutcomeUnknown(String),
}

/// Rows with strongly consistent reads and compare-and-set. A list shows, of each row, a state no
/// older than the moment it was asked for; not all of them at one moment.
#[async_trait]
pub trait ControlTable: Send + Sync + 'static {
    async fn load(&self, key: &str) -> Result<Option<ControlRow>, ControlError>;

    /// All rows whose key begins with `prefix`, in the order of their keys; more than
    /// [`ROWS_MAX`] are an error.
    async fn list(&self, prefix: &str) -> Result<Vec<(String, ControlRow)>, ControlError>;

    /// Writes `value` as version `expected` + 1 if the row is at version `expected`; 0 stands for
    /// no row.
    async fn cas(
        &self,
        key: &str,
        expected: u64,
        value: Vec<u8>,
    ) -> Result<ControlOutcome, ControlError>;

    /// Removes the row if it is at version `expected`. A row that is made again under that key
    /// begins at version 1: keys that are to be told apart have to differ.
    async fn delete(&self, key: &str, expected: u64) -> Result<ControlOutcome, ControlError>;
}
