//! A port that counts what is asked of it and how long the answers take.

mod commerce;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use barrow_engine::catalog::{Collection, Product, Review, Sku, Slug};
use barrow_engine::entity::{EntityKey, Shard};
use barrow_engine::ids::{ProductId, ReviewId};
use barrow_engine::ports::{
    Cache, CacheError, CasOutcome, CasReply, Clock, DueEntity, EntityStore, Expected, MediaError,
    MediaInfo, MediaStore, ProductStore, ProductStoreError, Row, SignedRequest, StoreError, Upload,
    Work,
};
use barrow_engine::time::Timestamp;
use bytes::Bytes;

use super::meter::{Meter, Outcome};

/// A port with a [`Meter`] on it.
pub struct Measured<P: ?Sized> {
    inner: Arc<P>,
    meter: Arc<Meter>,
}

impl<P: ?Sized> Measured<P> {
    /// The counts, also when the port itself was given away.
    pub fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }
}

/// For ports whose errors are all failures.
fn plain<T, E>(result: &Result<T, E>) -> Outcome {
    if result.is_ok() { Outcome::Ok } else { Outcome::Failed }
}

fn store_outcome<T>(result: &Result<T, StoreError>) -> Outcome {
    match result {
        Ok(_) => Outcome::Ok,
        Err(StoreError::OutcomeUnknown(_)) => Outcome::Unknown,
        Err(_) => Outcome::Failed,
    }
}

fn cas_outcome(result: &Result<CasOutcome, StoreError>) -> Outcome {
    match result {
        Ok(CasOutcome::Conflict(_)) => Outcome::Refused,
        other => store_outcome(other),
    }
}

impl Measured<dyn EntityStore> {
    pub fn new(inner: Arc<dyn EntityStore>, clock: Arc<dyn Clock>) -> Measured<dyn EntityStore> {
        let meter = Meter::new("entity_store", &["load", "cas", "due"], clock);
        Measured { inner, meter }
    }
}

#[async_trait]
impl EntityStore for Measured<dyn EntityStore> {
    async fn load(&self, key: EntityKey) -> Result<Option<Row>, StoreError> {
        self.meter.time(0, self.inner.load(key), store_outcome).await
    }

    async fn cas(
        &self,
        key: EntityKey,
        expected: Expected,
        row: Row,
    ) -> Result<CasOutcome, StoreError> {
        self.meter.time(1, self.inner.cas(key, expected, row), cas_outcome).await
    }

    fn submit(
        self: Arc<Self>,
        key: EntityKey,
        expected: Expected,
        row: Row,
        reply: CasReply,
    ) -> Option<Work> {
        let (inner, meter) = (self.inner.clone(), self.meter.clone());
        let began = meter.begin();
        let reply = CasReply::new(move |result| {
            meter.end(1, began, cas_outcome(&result));
            reply.send(result);
        });
        inner.submit(key, expected, row, reply)
    }

    async fn due(
        &self,
        shards: &[Shard],
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueEntity>, StoreError> {
        self.meter.time(2, self.inner.due(shards, before, limit), store_outcome).await
    }

    fn durability(&self) -> &'static str {
        self.inner.durability()
    }
}

const PRODUCT_OPERATIONS: [&str; 12] = [
    "get",
    "get_many",
    "by_slug",
    "by_sku",
    "by_external_id",
    "put",
    "scan",
    "collections",
    "put_collections",
    "reviews",
    "put_reviews",
    "count",
];

impl Measured<dyn ProductStore> {
    pub fn new(inner: Arc<dyn ProductStore>, clock: Arc<dyn Clock>) -> Measured<dyn ProductStore> {
        Measured { inner, meter: Meter::new("product_store", &PRODUCT_OPERATIONS, clock) }
    }
}

type Products<T> = Result<T, ProductStoreError>;

#[async_trait]
impl ProductStore for Measured<dyn ProductStore> {
    async fn get(&self, id: ProductId) -> Products<Option<Product>> {
        self.meter.time(0, self.inner.get(id), plain).await
    }

    async fn get_many(&self, ids: &[ProductId]) -> Products<Vec<Option<Product>>> {
        self.meter.time(1, self.inner.get_many(ids), plain).await
    }

    async fn by_slug(&self, slug: &Slug) -> Products<Option<ProductId>> {
        self.meter.time(2, self.inner.by_slug(slug), plain).await
    }

    async fn by_sku(&self, sku: &Sku) -> Products<Option<ProductId>> {
        self.meter.time(3, self.inner.by_sku(sku), plain).await
    }

    async fn by_external_id(&self, id: &str) -> Products<Option<ProductId>> {
        self.meter.time(4, self.inner.by_external_id(id), plain).await
    }

    async fn put(&self, products: Vec<Product>) -> Products<Vec<Products<()>>> {
        self.meter.time(5, self.inner.put(products), plain).await
    }

    async fn scan(&self, after: Option<ProductId>, limit: usize) -> Products<Vec<Product>> {
        self.meter.time(6, self.inner.scan(after, limit), plain).await
    }

    async fn collections(&self) -> Products<Vec<Collection>> {
        self.meter.time(7, self.inner.collections(), plain).await
    }

    async fn put_collections(&self, collections: Vec<Collection>) -> Products<()> {
        self.meter.time(8, self.inner.put_collections(collections), plain).await
    }

    async fn reviews(
        &self,
        product: ProductId,
        after: Option<(Timestamp, ReviewId)>,
        limit: usize,
    ) -> Products<Vec<Review>> {
        self.meter.time(9, self.inner.reviews(product, after, limit), plain).await
    }

    async fn put_reviews(&self, reviews: Vec<Review>) -> Products<()> {
        self.meter.time(10, self.inner.put_reviews(reviews), plain).await
    }

    async fn count(&self) -> Products<u64> {
        self.meter.time(11, self.inner.count(), plain).await
    }
}

impl Measured<dyn Cache> {
    pub fn new(inner: Arc<dyn Cache>, clock: Arc<dyn Clock>) -> Measured<dyn Cache> {
        Measured { inner, meter: Meter::new("cache", &["get", "put", "remove"], clock) }
    }
}

#[async_trait]
impl Cache for Measured<dyn Cache> {
    async fn get(&self, key: &str, touch: Option<Duration>) -> Result<Option<Bytes>, CacheError> {
        self.meter.time(0, self.inner.get(key, touch), plain).await
    }

    async fn put(&self, key: &str, value: Bytes, ttl: Duration) -> Result<(), CacheError> {
        self.meter.time(1, self.inner.put(key, value, ttl), plain).await
    }

    async fn remove(&self, key: &str) -> Result<(), CacheError> {
        self.meter.time(2, self.inner.remove(key), plain).await
    }
}

const MEDIA_OPERATIONS: [&str; 6] =
    ["put", "info", "get", "remove", "sign_upload", "sign_download"];

impl Measured<dyn MediaStore> {
    pub fn new(inner: Arc<dyn MediaStore>, clock: Arc<dyn Clock>) -> Measured<dyn MediaStore> {
        Measured { inner, meter: Meter::new("media_store", &MEDIA_OPERATIONS, clock) }
    }
}

fn media_outcome<T>(result: &Result<T, MediaError>) -> Outcome {
    match result {
        Err(MediaError::Unavailable(_)) | Ok(_) => plain(result),
        Err(_) => Outcome::Refused,
    }
}

#[async_trait]
impl MediaStore for Measured<dyn MediaStore> {
    async fn put(&self, key: &str, content: Bytes) -> Result<(), MediaError> {
        self.meter.time(0, self.inner.put(key, content), media_outcome).await
    }

    async fn info(&self, key: &str) -> Result<Option<MediaInfo>, MediaError> {
        self.meter.time(1, self.inner.info(key), media_outcome).await
    }

    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<Option<Bytes>, MediaError> {
        self.meter.time(2, self.inner.get(key, range), media_outcome).await
    }

    async fn remove(&self, key: &str) -> Result<(), MediaError> {
        self.meter.time(3, self.inner.remove(key), media_outcome).await
    }

    async fn sign_upload(
        &self,
        upload: &Upload,
        ttl: Duration,
    ) -> Result<SignedRequest, MediaError> {
        self.meter.time(4, self.inner.sign_upload(upload, ttl), media_outcome).await
    }

    async fn sign_download(&self, key: &str, ttl: Duration) -> Result<String, MediaError> {
        self.meter.time(5, self.inner.sign_download(key, ttl), media_outcome).await
    }
}
