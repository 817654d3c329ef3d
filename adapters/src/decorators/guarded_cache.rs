//! A cache that is not asked while it is known to be away: nobody waits for it again and again,
//! and whoever answers without it can say so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use barrow_engine::ports::{Cache, CacheError, Clock};
use bytes::Bytes;

/// For how long after a failure it is left alone. One caller in that time finds out whether it is
/// back, instead of all of them.
const REST: Duration = Duration::from_millis(500);

/// For how long after a failure answers are called degraded, unless it answers again.
const DOWN: Duration = Duration::from_secs(5);

/// A cache, and whether it answers.
pub struct GuardedCache {
    inner: Arc<dyn Cache>,
    health: Arc<CacheHealth>,
}

/// Whether the cache answers, as its last calls told.
pub struct CacheHealth {
    clock: Arc<dyn Clock>,
    /// When it failed last, in milliseconds of uptime; 0 if it has answered since.
    failed_at_ms: AtomicU64,
}

impl CacheHealth {
    pub fn is_down(&self) -> bool {
        self.failed_within(DOWN)
    }

    fn failed_within(&self, time: Duration) -> bool {
        let failed_at = self.failed_at_ms.load(Ordering::Relaxed);
        failed_at != 0 && self.now_ms().saturating_sub(failed_at) < time.as_millis() as u64
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.clock.uptime().as_millis()).unwrap_or(u64::MAX).max(1)
    }
}

impl GuardedCache {
    pub fn new(inner: Arc<dyn Cache>, clock: Arc<dyn Clock>) -> GuardedCache {
        let health = CacheHealth { clock, failed_at_ms: AtomicU64::new(0) };
        GuardedCache { inner, health: Arc::new(health) }
    }

    pub fn health(&self) -> Arc<CacheHealth> {
        Arc::clone(&self.health)
    }

    async fn ask<T>(
        &self,
        call: impl Future<Output = Result<T, CacheError>> + Send,
    ) -> Result<T, CacheError> {
        let health = &self.health;
        if health.failed_within(REST) {
            return Err(CacheError("it failed a moment ago".to_owned()));
        }
        let answer = call.await;
        let failed_at = if answer.is_err() { health.now_ms() } else { 0 };
        if failed_at != 0 || health.failed_at_ms.load(Ordering::Relaxed) != 0 {
            health.failed_at_ms.store(failed_at, Ordering::Relaxed);
        }
        answer
    }
}

#[async_trait]
impl Cache for GuardedCache {
    async fn get(&self, key: &str, touch: Option<Duration>) -> Result<Option<Bytes>, CacheError> {
        self.ask(self.inner.get(key, touch)).await
    }

    async fn put(&self, key: &str, value: Bytes, ttl: Duration) -> Result<(), CacheError> {
        self.ask(self.inner.put(key, value, ttl)).await
    }

    async fn remove(&self, key: &str) -> Result<(), CacheError> {
        self.ask(self.inner.remove(key)).await
    }
}
