//! A store whose short failures the caller does not see: what certainly changed nothing is tried
//! again, a few times, after a wait that grows and is never the same for two callers.
//!
//! A write whose outcome is unknown is handed up at once: only the actor knows that it must
//! repeat the same write until it has an answer (R2).

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use barrow_engine::entity::{EntityKey, Shard};
use barrow_engine::ports::{
    CasOutcome, DueEntity, EntityStore, Entropy, Expected, Row, StoreError,
};
use barrow_engine::time::Timestamp;

use crate::host::Sleeper;

/// How often and how patiently it is tried again.
#[derive(Debug, Clone, Copy)]
pub struct Retries {
    /// Calls in all, the first included.
    pub attempts_max: u32,
    /// The longest wait before the second attempt; it doubles with each one.
    pub delay_first: Duration,
    /// The longest wait at all.
    pub delay_max: Duration,
}

impl Default for Retries {
    /// At most 350 ms of waiting in all: a shopper's click still feels like one.
    fn default() -> Retries {
        Retries {
            attempts_max: 4,
            delay_first: Duration::from_millis(50),
            delay_max: Duration::from_millis(200),
        }
    }
}

/// A store whose definite failures are tried again.
pub struct Retrying {
    inner: Arc<dyn EntityStore>,
    retries: Retries,
    entropy: Arc<dyn Entropy>,
    sleeper: Arc<dyn Sleeper>,
}

impl Retrying {
    pub fn new(
        inner: Arc<dyn EntityStore>,
        retries: Retries,
        entropy: Arc<dyn Entropy>,
        sleeper: Arc<dyn Sleeper>,
    ) -> Retrying {
        Retrying { inner, retries, entropy, sleeper }
    }

    async fn attempts<T, F>(&self, mut call: impl FnMut() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut attempt = 1;
        loop {
            let result = call().await;
            let error = match result {
                Err(error) if changed_nothing(&error) => error,
                other => return other,
            };
            if attempt >= self.retries.attempts_max {
                return Err(error);
            }
            self.sleeper.sleep(self.delay(attempt)).await;
            attempt += 1;
        }
    }

    /// Anything between nothing and the longest wait of this attempt, so that callers that
    /// failed together do not come back together.
    fn delay(&self, attempt: u32) -> Duration {
        let doubled = 2u32.saturating_pow(attempt - 1);
        let longest = self.retries.delay_first.saturating_mul(doubled).min(self.retries.delay_max);
        let longest_us = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.entropy.next_u64() % longest_us.saturating_add(1).max(1))
    }
}

fn changed_nothing(error: &StoreError) -> bool {
    match error {
        StoreError::Unavailable(_) | StoreError::Throttled => true,
        StoreError::OutcomeUnknown(_) | StoreError::Damaged(_) | StoreError::TooLarge { .. } => {
            false
        }
    }
}

#[async_trait]
impl EntityStore for Retrying {
    async fn load(&self, key: EntityKey) -> Result<Option<Row>, StoreError> {
        self.attempts(|| self.inner.load(key)).await
    }

    async fn cas(
        &self,
        key: EntityKey,
        expected: Expected,
        row: Row,
    ) -> Result<CasOutcome, StoreError> {
        self.attempts(|| self.inner.cas(key, expected, row.clone())).await
    }

    async fn due(
        &self,
        shards: &[Shard],
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueEntity>, StoreError> {
        self.attempts(|| self.inner.due(shards, before, limit)).await
    }

    fn durability(&self) -> &'static str {
        self.inner.durability()
    }
}
