//! Values that may be forgotten at any time: conveniences, never truths.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

/// The cache did not answer. The caller goes on without it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the cache is not available: {0}")]
pub struct CacheError(pub String);

/// Volatile bytes by key.
#[async_trait]
pub trait Cache: Send + Sync + 'static {
    /// The value if it is still there. `touch` starts its time to live anew (sliding expiry).
    async fn get(&self, key: &str, touch: Option<Duration>) -> Result<Option<Bytes>, CacheError>;

    /// Keeps the value for at most `ttl`; an older one under the key is gone.
    async fn put(&self, key: &str, value: Bytes, ttl: Duration) -> Result<(), CacheError>;

    async fn remove(&self, key: &str) -> Result<(), CacheError>;
}
