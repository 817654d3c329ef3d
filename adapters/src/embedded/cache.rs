//! Values that may be forgotten, in this process's memory: each with its own time to live, all
//! together bounded by their bytes.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use barrow_engine::ports::{Cache, CacheError};
use bytes::Bytes;
use moka::Expiry;
use moka::ops::compute::Op;

/// What an entry costs beside its key and value: its places in the cache's own structures.
const ENTRY_OVERHEAD_BYTES: usize = 200;

/// A cache in memory. What was used least goes first when it is full.
pub struct EmbeddedCache {
    entries: moka::sync::Cache<String, Entry>,
}

#[derive(Clone)]
struct Entry {
    value: Bytes,
    ttl: Duration,
}

/// An entry lives as long as it says, from when it was put or touched.
struct OwnTtl;

impl Expiry<String, Entry> for OwnTtl {
    fn expire_after_create(&self, _: &String, entry: &Entry, _: Instant) -> Option<Duration> {
        Some(entry.ttl)
    }

    fn expire_after_update(
        &self,
        _: &String,
        entry: &Entry,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.ttl)
    }
}

impl EmbeddedCache {
    /// A cache that holds at most that many bytes, keys and bookkeeping included.
    pub fn new(bytes_max: u64) -> EmbeddedCache {
        let entries = moka::sync::Cache::builder()
            .max_capacity(bytes_max)
            .weigher(|key: &String, entry: &Entry| {
                let bytes = key.len() + entry.value.len() + ENTRY_OVERHEAD_BYTES;
                u32::try_from(bytes).unwrap_or(u32::MAX)
            })
            .expire_after(OwnTtl)
            .build();
        EmbeddedCache { entries }
    }

    /// The bytes held now, roughly.
    pub fn bytes(&self) -> u64 {
        self.entries.run_pending_tasks();
        self.entries.weighted_size()
    }
}

#[async_trait]
impl Cache for EmbeddedCache {
    async fn get(&self, key: &str, touch: Option<Duration>) -> Result<Option<Bytes>, CacheError> {
        let Some(ttl) = touch else {
            return Ok(self.entries.get(key).map(|entry| entry.value));
        };
        // One step for each key, so that a touch never puts an old value over a new one.
        let touched = self.entries.entry_by_ref(key).and_compute_with(|found| match found {
            Some(entry) => Op::Put(Entry { ttl, ..entry.into_value() }),
            None => Op::Nop,
        });
        Ok(touched.into_entry().map(|entry| entry.into_value().value))
    }

    async fn put(&self, key: &str, value: Bytes, ttl: Duration) -> Result<(), CacheError> {
        let entry = Entry { value, ttl };
        self.entries.entry_by_ref(key).and_compute_with(|_| Op::Put(entry));
        Ok(())
    }

    async fn remove(&self, key: &str) -> Result<(), CacheError> {
        self.entries.entry_by_ref(key).and_compute_with(|found| match found {
            Some(_) => Op::Remove,
            None => Op::Nop,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_stays_within_its_bytes() {
        let cache = EmbeddedCache::new(1_000_000);
        for index in 0..2_000 {
            let value = Bytes::from(vec![0; 1_000]);
            let put = cache.put(&format!("key{index}"), value, Duration::from_secs(60)).await;
            put.expect("it takes a value");
        }
        let bytes = cache.bytes();
        assert!((1..=1_000_000).contains(&bytes), "{bytes} bytes held");
    }
}
