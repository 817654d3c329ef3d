//! A product store behind a cache that all nodes share: memory of a node, then the cache, then
//! the store.
//!
//! - Single products are kept, those that are not there among them; what reads many at once to
//!   build lists, and what staff reads to write, goes to the store.
//! - A value that is older than [`FRESH`] is answered and read anew behind the caller's back. One
//!   that is older than [`KEPT`] is gone.
//! - A write goes to the store, then to the cache, and is announced with its version. A node that
//!   heard of a version takes none that is older from the cache: a slow reader may put one there
//!   after the writer has put its own. A node that heard nothing may see such a one for
//!   [`FRESH`] and a read.
//! - A cache that does not answer is gone around. A store that does not is gone around as far as
//!   the cache has an answer.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use barrow_engine::catalog::{Collection, Product, Review, Sku, Slug};
use barrow_engine::ids::{ProductId, ReviewId};
use barrow_engine::ports::{
    Announcement, Announcements, Cache, Clock, Heard, ProductStore, ProductStoreError,
};
use barrow_engine::time::Timestamp;
use bytes::Bytes;

use super::announced_stock::{StockNews, stock_news};
use crate::catalog::document;

type Result<T> = std::result::Result<T, ProductStoreError>;

/// A value this young is answered as it is.
const FRESH: Duration = Duration::from_secs(30);

/// For how long a product stays in the cache without being read anew.
const KEPT: Duration = Duration::from_secs(600);

/// For how long it is remembered that there is no such product.
const ABSENT_KEPT: Duration = Duration::from_secs(30);

/// What announcements of products begin with.
const KEY: &str = "product:";

/// The announcement that collections were written.
const COLLECTIONS: &str = "collections";

/// Versions that were heard of; each outlives what the cache may hold of its product.
const VERSIONS_MAX: u64 = 100_000;

/// Products on their way to be read anew; more are left for later.
const REVALIDATIONS_MAX: usize = 32;

/// The store with its cache. Clones share both.
#[derive(Clone)]
pub struct CachedProducts {
    inner: Arc<dyn ProductStore>,
    cache: Arc<dyn Cache>,
    announcements: Arc<dyn Announcements>,
    clock: Arc<dyn Clock>,
    versions: moka::sync::Cache<ProductId, u64>,
    revalidations: Arc<tokio::sync::Semaphore>,
}

/// What other nodes, or this one, did to the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CatalogNews {
    Product(ProductId),
    Stock(Sku),
    Collections,
    /// Some news may have been missed.
    Missed,
}

/// A value of the cache.
struct Entry {
    product: Option<Product>,
    is_fresh: bool,
}

impl CachedProducts {
    pub fn new(
        inner: Arc<dyn ProductStore>,
        cache: Arc<dyn Cache>,
        announcements: Arc<dyn Announcements>,
        clock: Arc<dyn Clock>,
    ) -> CachedProducts {
        let versions =
            moka::sync::Cache::builder().max_capacity(VERSIONS_MAX).time_to_live(KEPT * 2).build();
        let revalidations = Arc::new(tokio::sync::Semaphore::new(REVALIDATIONS_MAX));
        CachedProducts { inner, cache, announcements, clock, versions, revalidations }
    }

    /// Listens for changes, for as long as the process runs; `hear` is told of each, after this
    /// store has taken note of it.
    pub async fn listen<F>(self, mut hear: impl FnMut(CatalogNews) -> F)
    where
        F: Future<Output = ()>,
    {
        let mut listener = self.announcements.listen();
        while let Some(heard) = listener.next().await {
            let news = match heard {
                Heard::Missed => Some(CatalogNews::Missed),
                Heard::Announced(news) => self.understand(&news),
            };
            if let Some(news) = news {
                hear(news).await;
            }
        }
    }

    /// `None` for what is not of the catalog.
    fn understand(&self, news: &Announcement) -> Option<CatalogNews> {
        if let Some(id) = news.key.strip_prefix(KEY) {
            let id = id.parse().ok()?;
            self.learn(id, news.version);
            return Some(CatalogNews::Product(id));
        }
        if news.key == COLLECTIONS {
            return Some(CatalogNews::Collections);
        }
        Some(match stock_news(news)? {
            StockNews::Sku(sku) => CatalogNews::Stock(sku),
            StockNews::Missed => CatalogNews::Missed,
        })
    }

    /// Takes note of a version; an older one is not believed any more.
    fn learn(&self, id: ProductId, version: u64) {
        let newest = self.versions.get(&id).unwrap_or(0).max(version);
        self.versions.insert(id, newest);
    }

    async fn cached(&self, id: ProductId) -> Option<Entry> {
        // An outage is the cache's own affair: its meter and its guard have seen it.
        let bytes = self.cache.get(&key(id), None).await.ok().flatten()?;
        let entry = decode(&bytes, self.clock.now())?;
        let version = entry.product.as_ref().map_or(0, |product| product.version);
        let heard = self.versions.get(&id).unwrap_or(0);
        (version >= heard).then_some(entry)
    }

    async fn keep(&self, id: ProductId, product: Option<&Product>) {
        let Some(bytes) = encode(product, self.clock.now()) else { return };
        let ttl = if product.is_some() { KEPT } else { ABSENT_KEPT };
        // Without it the next one reads the store, too.
        let _ = self.cache.put(&key(id), bytes, ttl).await;
    }

    async fn read(&self, id: ProductId) -> Result<Option<Product>> {
        let product = self.inner.get(id).await?;
        self.keep(id, product.as_ref()).await;
        Ok(product)
    }

    /// Reads it anew while the caller has gone on.
    fn revalidate(&self, id: ProductId) {
        let Ok(permit) = Arc::clone(&self.revalidations).try_acquire_owned() else { return };
        let store = self.clone();
        tokio::spawn(async move {
            // If the store is away, the value ages on until it is gone.
            let _ = store.read(id).await;
            drop(permit);
        });
    }

    async fn announce_product(&self, product: &Product) {
        self.learn(product.id, product.version);
        self.keep(product.id, Some(product)).await;
        self.announce(format!("{KEY}{}", product.id), product.version).await;
    }

    async fn announce(&self, key: String, version: u64) {
        let news = Announcement { key, version };
        if let Err(error) = self.announcements.announce(news.clone()).await {
            tracing::warn!(key = news.key, %error, "other nodes learn of it late");
        }
    }
}

fn key(id: ProductId) -> String {
    format!("{KEY}{id}")
}

/// When it was read, in milliseconds since 1970, and the document; nothing behind that where
/// there is none.
fn encode(product: Option<&Product>, now: Timestamp) -> Option<Bytes> {
    let mut bytes = now.as_millis().to_le_bytes().to_vec();
    if let Some(product) = product {
        bytes.extend(document::encode(product).ok()?);
    }
    Some(Bytes::from(bytes))
}

/// `None` for what another build wrote in another form.
fn decode(bytes: &[u8], now: Timestamp) -> Option<Entry> {
    let (read_at, document) = bytes.split_first_chunk()?;
    let age_ms = now.as_millis().saturating_sub(i64::from_le_bytes(*read_at));
    let is_fresh = (0..FRESH.as_millis() as i64).contains(&age_ms);
    let product = match document.is_empty() {
        true => None,
        false => Some(document::decode(document, "product").ok()?),
    };
    Some(Entry { product, is_fresh })
}

#[async_trait]
impl ProductStore for CachedProducts {
    async fn get(&self, id: ProductId) -> Result<Option<Product>> {
        match self.cached(id).await {
            Some(entry) => {
                if !entry.is_fresh {
                    self.revalidate(id);
                }
                Ok(entry.product)
            }
            None => self.read(id).await,
        }
    }

    async fn get_many(&self, ids: &[ProductId]) -> Result<Vec<Option<Product>>> {
        self.inner.get_many(ids).await
    }

    async fn by_slug(&self, slug: &Slug) -> Result<Option<ProductId>> {
        self.inner.by_slug(slug).await
    }

    async fn by_sku(&self, sku: &Sku) -> Result<Option<ProductId>> {
        self.inner.by_sku(sku).await
    }

    async fn by_external_id(&self, id: &str) -> Result<Option<ProductId>> {
        self.inner.by_external_id(id).await
    }

    async fn put(&self, products: Vec<Product>) -> Result<Vec<Result<()>>> {
        let written = self.inner.put(products.clone()).await?;
        for (product, outcome) in products.iter().zip(&written) {
            if outcome.is_ok() {
                self.announce_product(product).await;
            }
        }
        Ok(written)
    }

    async fn scan(&self, after: Option<ProductId>, limit: usize) -> Result<Vec<Product>> {
        self.inner.scan(after, limit).await
    }

    async fn collections(&self) -> Result<Vec<Collection>> {
        self.inner.collections().await
    }

    async fn put_collections(&self, collections: Vec<Collection>) -> Result<()> {
        self.inner.put_collections(collections).await?;
        self.announce(COLLECTIONS.to_owned(), 0).await;
        Ok(())
    }

    async fn reviews(
        &self,
        product: ProductId,
        after: Option<(Timestamp, ReviewId)>,
        limit: usize,
    ) -> Result<Vec<Review>> {
        self.inner.reviews(product, after, limit).await
    }

    async fn put_reviews(&self, reviews: Vec<Review>) -> Result<()> {
        self.inner.put_reviews(reviews).await
    }

    async fn count(&self) -> Result<u64> {
        self.inner.count().await
    }
}
