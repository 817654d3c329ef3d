//! The catalog in the embedded database: products as versioned JSON documents by id, and their
//! names beside them, written in one batch with the product they lead to.
//!
//! A document is a format number and JSON; the tables compress it. Single products are read on
//! the caller's thread, as entities are; what reads or writes many goes to the runtime's threads
//! for blocking work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use barrow_engine::catalog::{BATCH_MAX, Collection, Product, Review, Sku, Slug};
use barrow_engine::ids::{ProductId, ReviewId};
use barrow_engine::ports::{ProductStore, ProductStoreError};
use barrow_engine::time::Timestamp;
use parking_lot::Mutex;

use super::{Shared, Tables, is_damage, reviews};
use crate::catalog::document;
use crate::catalog::names::Name;
use crate::catalog::plan::{Plan, Stored};

/// Where the number of products is kept.
const COUNT_KEY: &str = "products.count";

pub(super) type Result<T> = std::result::Result<T, ProductStoreError>;

/// Products, collections and reviews. Made by
/// [`EmbeddedStore::open`](super::EmbeddedStore::open).
#[derive(Clone)]
pub struct EmbeddedProductStore {
    shared: Arc<Shared>,
    /// How many products there are.
    count: Arc<AtomicU64>,
    /// Held while writing, so that a batch sees all before it.
    writer: Arc<Mutex<()>>,
}

impl EmbeddedProductStore {
    pub(super) fn open(shared: Arc<Shared>) -> Result<EmbeddedProductStore> {
        let count = shared.tables.meta.get(COUNT_KEY).map_err(|error| read_error(&error))?;
        let count = match count {
            None => 0,
            Some(bytes) => {
                let bytes: &[u8; 8] = bytes
                    .as_ref()
                    .try_into()
                    .map_err(|_| ProductStoreError::Damaged("the number of products".to_owned()))?;
                u64::from_le_bytes(*bytes)
            }
        };
        let (count, writer) = (Arc::new(AtomicU64::new(count)), Arc::new(Mutex::new(())));
        Ok(EmbeddedProductStore { shared, count, writer })
    }

    fn check(&self) -> Result<&Tables> {
        let health = self.shared.health.check();
        health.map_err(|reason| ProductStoreError::Unavailable(reason.to_owned()))?;
        Ok(&self.shared.tables)
    }

    /// Runs it on a thread that may block.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&EmbeddedProductStore, &Tables) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = self.clone();
        let task = tokio::task::spawn_blocking(move || work(&store, store.check()?));
        task.await.map_err(|error| ProductStoreError::Unavailable(error.to_string()))?
    }

    fn commit(&self, batch: fjall::OwnedWriteBatch) -> Result<()> {
        let committed = batch.commit();
        committed.map_err(|error| {
            let reason = self.shared.write_failed("writing to the catalog", &error);
            ProductStoreError::Unavailable(reason)
        })
    }

    fn put_batch(&self, products: Vec<Product>) -> Result<Vec<Result<()>>> {
        let tables = self.check()?;
        let _writer = self.writer.lock();
        let mut plan = Plan::new(tables);
        let outcomes: Vec<_> = products.into_iter().map(|product| plan.add(product)).collect();
        if plan.products.is_empty() {
            return Ok(outcomes);
        }
        let count = self.count.load(Ordering::Relaxed) + plan.new;
        self.commit(into_batch(plan, tables, count)?)?;
        self.count.store(count, Ordering::Relaxed);
        Ok(outcomes)
    }
}

#[async_trait]
impl ProductStore for EmbeddedProductStore {
    async fn get(&self, id: ProductId) -> Result<Option<Product>> {
        read_product(self.check()?, id)
    }

    async fn get_many(&self, ids: &[ProductId]) -> Result<Vec<Option<Product>>> {
        let ids = ids.to_vec();
        self.blocking(move |_, tables| ids.iter().map(|id| read_product(tables, *id)).collect())
            .await
    }

    async fn by_slug(&self, slug: &Slug) -> Result<Option<ProductId>> {
        read_name(self.check()?, &Name::slug(slug))
    }

    async fn by_sku(&self, sku: &Sku) -> Result<Option<ProductId>> {
        read_name(self.check()?, &Name::sku(sku))
    }

    async fn by_external_id(&self, id: &str) -> Result<Option<ProductId>> {
        read_name(self.check()?, &Name::external_id(id))
    }

    async fn put(&self, products: Vec<Product>) -> Result<Vec<Result<()>>> {
        self.blocking(move |store, _| {
            let mut outcomes = Vec::with_capacity(products.len());
            let mut products = products.into_iter().peekable();
            while products.peek().is_some() {
                outcomes.extend(store.put_batch(products.by_ref().take(BATCH_MAX).collect())?);
            }
            Ok(outcomes)
        })
        .await
    }

    async fn scan(&self, after: Option<ProductId>, limit: usize) -> Result<Vec<Product>> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.blocking(move |_, tables| {
            let start = after.map_or(Unbounded, |id| Excluded(id.0.to_be_bytes()));
            let entries = tables.products.range((start, Unbounded)).take(limit);
            entries
                .map(|guard| {
                    let value = guard.value().map_err(|error| read_error(&error))?;
                    document::decode(&value, "product")
                })
                .collect()
        })
        .await
    }

    async fn collections(&self) -> Result<Vec<Collection>> {
        self.blocking(|_, tables| {
            let entries = tables.collections.iter();
            entries
                .map(|guard| {
                    let value = guard.value().map_err(|error| read_error(&error))?;
                    document::decode(&value, "collection")
                })
                .collect()
        })
        .await
    }

    async fn put_collections(&self, collections: Vec<Collection>) -> Result<()> {
        self.blocking(move |store, tables| {
            for some in collections.chunks(BATCH_MAX) {
                let mut batch = tables.batch();
                for collection in some {
                    let key = collection.id.0.to_be_bytes();
                    batch.insert(&tables.collections, key, document::encode(collection)?);
                }
                store.commit(batch)?;
            }
            Ok(())
        })
        .await
    }

    async fn reviews(
        &self,
        product: ProductId,
        after: Option<(Timestamp, ReviewId)>,
        limit: usize,
    ) -> Result<Vec<Review>> {
        self.blocking(move |_, tables| reviews::read(tables, product, after, limit)).await
    }

    async fn put_reviews(&self, reviews: Vec<Review>) -> Result<()> {
        self.blocking(move |store, tables| {
            for some in reviews.chunks(BATCH_MAX) {
                // A review is found again by its id: nobody may move it meanwhile.
                let _writer = store.writer.lock();
                store.commit(reviews::write(tables, some)?)?;
            }
            Ok(())
        })
        .await
    }

    async fn count(&self) -> Result<u64> {
        self.check()?;
        Ok(self.count.load(Ordering::Relaxed))
    }
}

impl Stored for &Tables {
    fn product(&self, id: ProductId) -> Result<Option<Product>> {
        read_product(self, id)
    }

    fn owner(&self, name: &Name) -> Result<Option<ProductId>> {
        read_name(self, name)
    }
}

/// The batch that makes it so. `count` is how many products there are then.
fn into_batch(plan: Plan<&Tables>, tables: &Tables, count: u64) -> Result<fjall::OwnedWriteBatch> {
    let mut batch = tables.batch();
    for (id, product) in plan.products {
        batch.insert(&tables.products, id.0.to_be_bytes(), document::encode(&product)?);
    }
    for (name, owner) in plan.names {
        match owner {
            Some(id) => batch.insert(&tables.product_names, name.key(), id.0.to_be_bytes()),
            None => batch.remove(&tables.product_names, name.key()),
        }
    }
    if plan.new > 0 {
        batch.insert(&tables.meta, COUNT_KEY, count.to_le_bytes());
    }
    Ok(batch)
}

fn read_name(tables: &Tables, name: &Name) -> Result<Option<ProductId>> {
    let found = tables.product_names.get(name.key()).map_err(|error| read_error(&error))?;
    let Some(bytes) = found else { return Ok(None) };
    let damaged = |_| ProductStoreError::Damaged("a name leads to no id".to_owned());
    let id: [u8; 16] = bytes.as_ref().try_into().map_err(damaged)?;
    Ok(Some(ProductId(u128::from_be_bytes(id))))
}

fn read_product(tables: &Tables, id: ProductId) -> Result<Option<Product>> {
    let found = tables.products.get(id.0.to_be_bytes()).map_err(|error| read_error(&error))?;
    found.map(|bytes| document::decode(&bytes, "product")).transpose()
}

pub(super) fn read_error(error: &fjall::Error) -> ProductStoreError {
    if is_damage(error) {
        ProductStoreError::Damaged(error.to_string())
    } else {
        ProductStoreError::Unavailable(error.to_string())
    }
}
