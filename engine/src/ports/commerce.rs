//! How a store of stock and orders fails.

/// An expected refusal is part of the answer, never one of these.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommerceError {
    /// Nothing was done.
    #[error("the commerce store is not available: {0}")]
    Unavailable(String),
    /// It may have been done, or may be yet. To know, the same call is made again: all of them
    /// have one effect however often they are made.
    #[error("the outcome in the commerce store is unknown: {0}")]
    OutcomeUnknown(String),
    #[error("a row of the commerce store is damaged: {0}")]
    Damaged(String),
}

impl CommerceError {
    pub fn is_retryable(&self) -> bool {
        !matches!(self, CommerceError::Damaged(_))
    }
}
