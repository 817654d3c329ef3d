//! The cache, and the catalog behind it where the catalog is shared with other processes.

use std::sync::Arc;

use barrow_adapters::decorators::{CacheHealth, CachedProducts, GuardedCache, Measured};
use barrow_adapters::embedded::EmbeddedCache;
use barrow_adapters::host::SystemClock;
use barrow_engine::ports::{Announcements, Cache, ProductStore};

use super::servers::{ServerError, Servers};

/// What sessions looked at last, in memory: a few hundred bytes each.
const CACHE_BYTES: u64 = 64 << 20;

/// The cache as all ask it: measured, and left alone while it is away.
pub(super) struct CacheTier {
    pub cache: Arc<Measured<dyn Cache>>,
    pub health: Arc<CacheHealth>,
    /// Where other processes share the cache.
    pub announcements: Option<Arc<dyn Announcements>>,
}

/// The catalog, with what makes it one for all processes.
pub(super) struct Catalog {
    pub products: Arc<dyn ProductStore>,
    /// Hears what other processes write.
    pub shared: Option<CachedProducts>,
}

impl CacheTier {
    pub async fn open(servers: &Servers<'_>) -> Result<CacheTier, ServerError> {
        let (cache, announcements) = open(servers).await?;
        let guarded = GuardedCache::new(cache, Arc::new(SystemClock));
        let health = guarded.health();
        let cache = Measured::<dyn Cache>::new(Arc::new(guarded), Arc::new(SystemClock));
        Ok(CacheTier { cache: Arc::new(cache), health, announcements })
    }

    /// Puts the cache before a catalog that lies on a server.
    pub fn before(&self, products: Arc<dyn ProductStore>) -> Catalog {
        let Some(announcements) = &self.announcements else {
            return Catalog { products, shared: None };
        };
        let (cache, clock) = (Arc::clone(&self.cache), Arc::new(SystemClock));
        let shared = CachedProducts::new(products, cache, Arc::clone(announcements), clock);
        let products = Arc::new(shared.clone());
        Catalog { products, shared: Some(shared) }
    }
}

type Opened = (Arc<dyn Cache>, Option<Arc<dyn Announcements>>);

#[cfg(feature = "redis")]
async fn open(servers: &Servers<'_>) -> Result<Opened, ServerError> {
    use barrow_adapters::redis::{RedisAnnouncements, RedisCache};
    /// A start waits for so long, so that a command that writes and ends is heard by all; without
    /// the cache it goes on.
    const CONNECT_MAX: std::time::Duration = std::time::Duration::from_secs(2);

    let Some(redis) = servers.redis()? else { return Ok(embedded()) };
    let wrong = |error| ServerError::new("cache.url", error);
    let prefix = super::stores::REDIS_PREFIX;
    let cache = RedisCache::new(&redis, prefix).map_err(wrong)?;
    let announcements = RedisAnnouncements::new(&redis, prefix).map_err(wrong)?;
    let (one, other) =
        tokio::join!(cache.connected(CONNECT_MAX), announcements.connected(CONNECT_MAX));
    if let Err(error) = one.and(other) {
        tracing::warn!(%error, "the cache is away: the shop goes on without it");
    }
    Ok((Arc::new(cache), Some(Arc::new(announcements))))
}

#[cfg(not(feature = "redis"))]
async fn open(_: &Servers<'_>) -> Result<Opened, ServerError> {
    Ok(embedded())
}

fn embedded() -> Opened {
    (Arc::new(EmbeddedCache::new(CACHE_BYTES)), None)
}
