//! Stores in memory that count what they are asked, can be made to wait, and can be away.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use async_trait::async_trait;
use barrow_engine::catalog::{Collection, Location, Product, Review, Sku, Slug};
use barrow_engine::ids::{MovementId, OrderId, ProductId, ReviewId};
use barrow_engine::inventory::{
    DEFAULT_LOCATION, Held, Kept, Level, Movement, MovementDraft, StockRefusal, Wish,
};
use barrow_engine::ports::{
    Clock, CommerceError, ProductStore, ProductStoreError, STOCK_BATCH_MAX, StockLedger,
};
use barrow_engine::time::Timestamp;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

type Answer<T> = Result<T, ProductStoreError>;

pub struct Stores {
    pub products: Mutex<BTreeMap<ProductId, Product>>,
    pub collections: Mutex<Vec<Collection>>,
    pub stock: Mutex<HashMap<Sku, u32>>,
    /// Reads of single products, and lookups by a name.
    pub reads: AtomicUsize,
    pub lookups: AtomicUsize,
    /// Reads that have found their answer and wait to give it.
    pub waiting: AtomicUsize,
    /// Reads of levels.
    pub level_reads: AtomicUsize,
    /// A read answers once it gets a permit.
    pub permits: Semaphore,
    pub ledger_is_away: AtomicBool,
    pub store_is_away: AtomicBool,
}

impl Stores {
    pub fn new(products: impl IntoIterator<Item = Product>) -> Arc<Stores> {
        Arc::new(Stores {
            products: Mutex::new(products.into_iter().map(|one| (one.id, one)).collect()),
            collections: Mutex::default(),
            stock: Mutex::default(),
            reads: AtomicUsize::new(0),
            lookups: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            level_reads: AtomicUsize::new(0),
            permits: Semaphore::new(Semaphore::MAX_PERMITS),
            ledger_is_away: AtomicBool::new(false),
            store_is_away: AtomicBool::new(false),
        })
    }

    /// Makes reads wait for [`Stores::release`].
    pub fn hold(&self) {
        self.permits.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub fn release(&self) {
        self.permits.add_permits(Semaphore::MAX_PERMITS);
    }

    pub fn write(&self, product: Product) {
        self.products.lock().insert(product.id, product);
    }

    fn check(&self) -> Answer<()> {
        match self.store_is_away.load(SeqCst) {
            true => Err(ProductStoreError::Unavailable("away".to_owned())),
            false => Ok(()),
        }
    }

    fn find(&self, is: impl Fn(&Product) -> bool) -> Answer<Option<ProductId>> {
        self.check()?;
        self.lookups.fetch_add(1, SeqCst);
        Ok(self.products.lock().values().find(|product| is(product)).map(|product| product.id))
    }
}

#[async_trait]
impl ProductStore for Stores {
    async fn get(&self, id: ProductId) -> Answer<Option<Product>> {
        self.check()?;
        self.reads.fetch_add(1, SeqCst);
        let found = self.products.lock().get(&id).cloned();
        self.waiting.fetch_add(1, SeqCst);
        self.permits.acquire().await.expect("never closed").forget();
        self.permits.add_permits(1);
        Ok(found)
    }

    async fn get_many(&self, ids: &[ProductId]) -> Answer<Vec<Option<Product>>> {
        self.check()?;
        let products = self.products.lock();
        Ok(ids.iter().map(|id| products.get(id).cloned()).collect())
    }

    async fn by_slug(&self, slug: &Slug) -> Answer<Option<ProductId>> {
        self.find(|product| {
            let mut translated = product.translations.values().filter_map(|t| t.slug.as_ref());
            product.slug == *slug
                || product.former_slugs.contains(slug)
                || translated.any(|one| one == slug)
        })
    }

    async fn by_sku(&self, sku: &Sku) -> Answer<Option<ProductId>> {
        self.find(|product| product.variants.iter().any(|variant| variant.sku == *sku))
    }

    async fn by_external_id(&self, id: &str) -> Answer<Option<ProductId>> {
        self.find(|product| product.external_id.as_deref() == Some(id))
    }

    async fn put(&self, products: Vec<Product>) -> Answer<Vec<Answer<()>>> {
        let written = products.into_iter().map(|product| {
            self.write(product);
            Ok(())
        });
        Ok(written.collect())
    }

    async fn scan(&self, after: Option<ProductId>, limit: usize) -> Answer<Vec<Product>> {
        self.check()?;
        let products = self.products.lock();
        let behind = products.values().filter(|product| after.is_none_or(|id| product.id > id));
        Ok(behind.take(limit).cloned().collect())
    }

    async fn collections(&self) -> Answer<Vec<Collection>> {
        Ok(self.collections.lock().clone())
    }

    async fn put_collections(&self, collections: Vec<Collection>) -> Answer<()> {
        *self.collections.lock() = collections;
        Ok(())
    }

    async fn reviews(
        &self,
        _: ProductId,
        _: Option<(Timestamp, ReviewId)>,
        _: usize,
    ) -> Answer<Vec<Review>> {
        Ok(Vec::new())
    }

    async fn put_reviews(&self, _: Vec<Review>) -> Answer<()> {
        Ok(())
    }

    async fn count(&self) -> Answer<u64> {
        Ok(self.products.lock().len() as u64)
    }
}

fn no_orders() -> CommerceError {
    CommerceError::Unavailable("these stores know no orders".to_owned())
}

/// Levels at the default location, as the tests set them.
#[async_trait]
impl StockLedger for Stores {
    async fn levels(&self, skus: &[Sku]) -> Result<Vec<Level>, CommerceError> {
        assert!(skus.len() <= STOCK_BATCH_MAX, "no more are asked for at once");
        self.level_reads.fetch_add(1, SeqCst);
        if self.ledger_is_away.load(SeqCst) {
            return Err(CommerceError::Unavailable("away".to_owned()));
        }
        let stock = self.stock.lock();
        let level = |sku: &Sku| {
            let on_hand = u64::from(*stock.get(sku)?);
            let location = Location::new(DEFAULT_LOCATION).expect("it is a location");
            Some(Level { on_hand, ..Level::empty(sku.clone(), location) })
        };
        Ok(skus.iter().filter_map(level).collect())
    }

    async fn scan(
        &self,
        _: Option<(Sku, Location)>,
        _: usize,
    ) -> Result<Vec<Level>, CommerceError> {
        Err(no_orders())
    }

    async fn book(
        &self,
        _: Vec<MovementDraft>,
    ) -> Result<Vec<Result<Movement, StockRefusal>>, CommerceError> {
        Err(no_orders())
    }

    async fn movements(
        &self,
        _: &Sku,
        _: Option<(Timestamp, MovementId)>,
        _: usize,
    ) -> Result<Vec<Movement>, CommerceError> {
        Err(no_orders())
    }

    async fn reserve(
        &self,
        _: &Sku,
        _: Option<u64>,
        _: &[Wish],
    ) -> Result<Vec<Held>, CommerceError> {
        Err(no_orders())
    }

    async fn release(&self, _: OrderId) -> Result<Vec<Sku>, CommerceError> {
        Err(no_orders())
    }

    async fn keep(
        &self,
        _: OrderId,
        _: &BTreeMap<Sku, u64>,
        _: Timestamp,
    ) -> Result<Kept, CommerceError> {
        Err(no_orders())
    }

    async fn expire(&self, _: Timestamp, _: usize) -> Result<Vec<Sku>, CommerceError> {
        Err(no_orders())
    }
}

/// A clock that is set by hand.
pub struct HandClock(pub AtomicI64);

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(SeqCst))
    }

    fn uptime(&self) -> Duration {
        Duration::from_millis(self.0.load(SeqCst) as u64)
    }
}
