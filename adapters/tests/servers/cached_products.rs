//! A catalog that several processes share: memory of each, then Redis, then Postgres, each real
//! and each cut off in its turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use barrow_adapters::decorators::{CachedProducts, CatalogNews, GuardedCache, Measured, Meter};
use barrow_adapters::host::SystemClock;
use barrow_adapters::postgres::{Postgres, PostgresOptions, PostgresProductStore};
use barrow_adapters::redis::{RedisAnnouncements, RedisCache, RedisServers};
use barrow_engine::catalog::{Product, ProductStatus, Seo, Slug};
use barrow_engine::ids::ProductId;
use barrow_engine::ports::{Cache, Clock, ProductStore, contract};
use barrow_engine::time::Timestamp;
use barrow_servers::{Fault, FaultProxy, Redis, Sync, or_skip};
use tokio::sync::mpsc;

const WAIT: Duration = Duration::from_secs(10);

/// The wall clock, as far ahead as a test says.
#[derive(Default)]
struct Ahead(AtomicI64);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        Timestamp(SystemClock.now().as_millis() + self.0.load(Ordering::SeqCst))
    }

    fn uptime(&self) -> Duration {
        SystemClock.uptime()
    }
}

/// The servers, each behind a network that can be cut.
struct Servers {
    postgres: barrow_servers::Postgres,
    _redis: Redis,
    to_postgres: FaultProxy,
    to_redis: FaultProxy,
}

impl Servers {
    fn start() -> Option<Servers> {
        let postgres = or_skip("Postgres", barrow_servers::Postgres::start(Sync::Memory))?;
        let redis = or_skip("Redis", Redis::start())?;
        let to_postgres = FaultProxy::start(postgres.address());
        let to_redis = FaultProxy::start(([127, 0, 0, 1], redis.port()).into());
        Some(Servers { postgres, _redis: redis, to_postgres, to_redis })
    }
}

/// One process' view of the catalog.
struct Node {
    catalog: CachedProducts,
    cache: Arc<GuardedCache>,
    clock: Arc<Ahead>,
    /// Of the store behind the cache.
    meter: Arc<Meter>,
    news: mpsc::UnboundedReceiver<CatalogNews>,
}

impl Node {
    async fn start(servers: &Servers) -> Node {
        let direct = servers.postgres.address().to_string();
        let url =
            servers.postgres.url().replace(&direct, &servers.to_postgres.address().to_string());
        let options = PostgresOptions {
            acquire_max: Duration::from_millis(500),
            statement_max: Duration::from_millis(500),
            ..PostgresOptions::default()
        };
        let postgres = Postgres::connect(&url, options).await.unwrap();
        let store = Arc::new(PostgresProductStore::new(&postgres));
        let store = Measured::<dyn ProductStore>::new(store, Arc::new(SystemClock));
        let meter = store.meter();
        let redis = format!("redis://{}", servers.to_redis.address());
        let redis = RedisServers::from_url(&redis, None).unwrap();
        let cache = RedisCache::new(&redis, "test").unwrap();
        cache.connected(WAIT).await.unwrap();
        let announcements = RedisAnnouncements::new(&redis, "test").unwrap();
        announcements.connected(WAIT).await.unwrap();
        let cache = Arc::new(GuardedCache::new(Arc::new(cache), Arc::new(SystemClock)));
        let clock = Arc::new(Ahead::default());
        let catalog = CachedProducts::new(
            Arc::new(store),
            cache.clone(),
            Arc::new(announcements),
            clock.clone(),
        );
        let (sender, news) = mpsc::unbounded_channel();
        tokio::spawn(catalog.clone().listen(move |news| {
            // A test that is over hears nothing more.
            let _ = sender.send(news);
            std::future::ready(())
        }));
        let mut node = Node { catalog, cache, clock, meter, news };
        node.hears(&CatalogNews::Missed).await;
        node
    }

    async fn hears(&mut self, wanted: &CatalogNews) {
        let heard = async { while self.news.recv().await.expect("it listens") != *wanted {} };
        let heard = tokio::time::timeout(WAIT, heard).await;
        heard.unwrap_or_else(|_| panic!("it never heard {wanted:?}"));
    }

    async fn version(&self, id: ProductId) -> Option<u64> {
        self.catalog.get(id).await.expect("the catalog answers").map(|product| product.version)
    }

    async fn write(&self, product: Product) {
        assert_eq!(self.catalog.put(vec![product]).await, Ok(vec![Ok(())]));
    }

    /// How often the store was asked for a product.
    fn reads(&self) -> u64 {
        let get = &self.meter.snapshot()[0];
        get.ok + get.failed + get.unknown + get.refused
    }
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(WAIT, async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("never: {what}"));
}

fn product(id: u128, version: u64) -> Product {
    Product {
        id: ProductId(id),
        version,
        slug: Slug::new(&format!("product-{id}")).unwrap(),
        former_slugs: vec![],
        external_id: None,
        title: format!("Version {version}"),
        description: String::new(),
        brand: None,
        status: ProductStatus::Active,
        publish_at: None,
        channels: vec![],
        collections: vec![],
        facets: Default::default(),
        attributes: Default::default(),
        options: vec![],
        media: vec![],
        variants: vec![],
        translations: Default::default(),
        seo: Seo::default(),
        featured: None,
        rating: None,
        created_at: Timestamp(1),
        updated_at: Timestamp(2),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cached_catalog_keeps_the_promises_of_a_product_store() {
    let Some(servers) = Servers::start() else { return };
    let node = Node::start(&servers).await;
    contract::product_store(&node.catalog, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_writes_all_see_and_an_old_value_in_the_cache_is_not_believed() {
    let Some(servers) = Servers::start() else { return };
    let (writer, mut reader) = (Node::start(&servers).await, Node::start(&servers).await);
    let id = ProductId(7);
    assert_eq!(reader.version(id).await, None);
    assert_eq!(reader.version(id).await, None);
    assert_eq!(reader.reads(), 1, "that there is none is remembered, too");

    writer.write(product(7, 1)).await;
    reader.hears(&CatalogNews::Product(id)).await;
    assert_eq!(reader.version(id).await, Some(1));
    assert_eq!(reader.reads(), 1, "the writer left it in the cache");
    let key = format!("product:{id}");
    let old = reader.cache.get(&key, None).await.unwrap().expect("it is cached");

    writer.write(product(7, 2)).await;
    reader.hears(&CatalogNews::Product(id)).await;
    // A process that read before the write puts what it read after it.
    reader.cache.put(&key, old, WAIT).await.unwrap();
    assert_eq!(reader.version(id).await, Some(2), "the store was asked instead");
    assert_eq!(reader.reads(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_is_no_longer_fresh_is_answered_and_read_anew() {
    let Some(servers) = Servers::start() else { return };
    let node = Node::start(&servers).await;
    node.write(product(1, 1)).await;
    let id = ProductId(1);
    // Past everybody: as by a process whose announcement was lost.
    let postgres = Postgres::connect(&servers.postgres.url(), PostgresOptions::default()).await;
    let outside = PostgresProductStore::new(&postgres.unwrap());
    assert_eq!(outside.put(vec![product(1, 2)]).await, Ok(vec![Ok(())]));
    assert_eq!(node.version(id).await, Some(1), "fresh enough");
    assert_eq!(node.reads(), 0);
    node.clock.0.store(31_000, Ordering::SeqCst);
    assert_eq!(node.version(id).await, Some(1), "nobody waits for the store");
    until("it is read anew", async || node.version(id).await == Some(2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_cache_the_store_answers_and_without_the_store_the_cache() {
    let Some(servers) = Servers::start() else { return };
    let mut node = Node::start(&servers).await;
    node.write(product(1, 1)).await;
    node.hears(&CatalogNews::Product(ProductId(1))).await;
    let health = node.cache.health();

    servers.to_redis.set(Fault::Cut);
    until("the outage is noticed", async || {
        assert_eq!(node.version(ProductId(1)).await, Some(1), "the store answers");
        health.is_down()
    })
    .await;
    servers.to_redis.set(Fault::None);
    node.hears(&CatalogNews::Missed).await;
    until("the cache is used again", async || {
        let reads = node.reads();
        node.version(ProductId(1)).await == Some(1) && node.reads() == reads
    })
    .await;
    assert!(!health.is_down());

    servers.to_postgres.set(Fault::Cut);
    assert_eq!(node.version(ProductId(1)).await, Some(1), "the cache answers");
    assert!(node.catalog.get(ProductId(2)).await.is_err(), "what nobody read is not known");
    servers.to_postgres.set(Fault::None);
    until("the store is back", async || node.catalog.get(ProductId(2)).await.is_ok()).await;
}
