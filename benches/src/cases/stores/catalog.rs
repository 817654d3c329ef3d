//! A product read, at each of the three places where it may lie, beside the bare client of the
//! server that holds it:
//!
//! - in this node's memory: `Catalog::product`, as a request asks it, beside a bare `GET`;
//! - in the shared cache: `CachedProducts::get`, which the catalog asks then, beside a bare `GET`
//!   of the same bytes. Ours makes a product of them;
//! - in the store: the `get` of its port, which `CachedProducts` asks then, beside a bare read of
//!   the same row or item. A product that is read there is put into the cache as well, which is
//!   not measured here.
//!
//! The bare clients stop at the bytes.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::ensure;
use aws_sdk_dynamodb::Client as DynamoClient;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use barrow_actors::catalog::{Catalog, CatalogLimits, CatalogPorts};
use barrow_adapters::decorators::{CachedProducts, Measured};
use barrow_adapters::embedded::{EmbeddedOptions, EmbeddedStore};
use barrow_adapters::host::SystemClock;
use barrow_adapters::redis::{RedisAnnouncements, RedisCache, RedisServers};
use barrow_adapters::sqlite::{Sqlite, SqliteOptions, SqliteStockLedger};
use barrow_engine::catalog::{Product, ProductStatus, Seo, Sku, Slug, StockPolicy, Variant};
use barrow_engine::ids::{ProductId, VariantId};
use barrow_engine::ports::ProductStore;
use barrow_engine::pricing::Shop;
use barrow_engine::time::Timestamp;
use fred::prelude::*;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::bare::{BareDynamo, BarePostgres, BareRedis};
use super::crowd::Round;
use super::measured::{READS, pairs, report, time};
use crate::options::Options;

const PRODUCTS: usize = 1_000;

/// Reads under way at once.
const READERS: usize = 64;

/// What the names of our keys in Redis begin with.
const PREFIX: &str = "bench";

/// Something that reads the product of that number.
pub trait Reads: Send + Sync + 'static {
    fn read(&self, n: usize) -> impl Future<Output = anyhow::Result<()>> + Send;
}

struct InMemory(Catalog);

impl Reads for InMemory {
    async fn read(&self, n: usize) -> anyhow::Result<()> {
        ensure!(self.0.product(id(n)).await?.is_some(), "there is no product {n}");
        Ok(())
    }
}

/// The shared cache or a store.
struct Port(Arc<dyn ProductStore>);

impl Reads for Port {
    async fn read(&self, n: usize) -> anyhow::Result<()> {
        ensure!(self.0.get(id(n)).await?.is_some(), "there is no product {n}");
        Ok(())
    }
}

/// fred: a `GET` on one connection, which all share.
struct BareGet {
    redis: BareRedis,
    keys: Vec<String>,
}

impl Reads for BareGet {
    async fn read(&self, n: usize) -> anyhow::Result<()> {
        let key = self.keys[n].as_str();
        let found: Option<bytes::Bytes> = self.redis.client.get(key).await?;
        ensure!(found.is_some_and(|bytes| bytes.len() > 500), "there is no product {n}");
        Ok(())
    }
}

impl Reads for BarePostgres {
    async fn read(&self, n: usize) -> anyhow::Result<()> {
        const READ: &str = "SELECT format, document::text FROM product WHERE id = $1";
        let query = sqlx::query_as(READ).bind(id(n).0.to_be_bytes());
        let (_, document): (i16, String) = query.fetch_one(&self.0).await?;
        ensure!(document.len() > 500, "product {n} is not whole");
        Ok(())
    }
}

/// The SDK: a consistent `GetItem`, as ours.
struct BareItem {
    client: DynamoClient,
    table: String,
}

impl Reads for BareItem {
    async fn read(&self, n: usize) -> anyhow::Result<()> {
        let partition = (id(n).0 >> 122).to_string();
        let key = HashMap::from([
            ("part".to_owned(), AttributeValue::N(partition)),
            ("id".to_owned(), AttributeValue::B(Blob::new(id(n).0.to_be_bytes()))),
        ]);
        let get = self.client.get_item().table_name(&self.table).set_key(Some(key));
        let answer = get.consistent_read(true).send().await?;
        ensure!(answer.item.is_some(), "there is no product {n}");
        Ok(())
    }
}

/// Spread over all partitions.
fn id(n: usize) -> ProductId {
    ProductId((n as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
}

fn product(n: usize) -> Product {
    let variants = ["S", "M", "L"].map(|size| {
        let sku = format!("SKU-{n}-{size}");
        Variant {
            id: VariantId::derived(&sku),
            sku: Sku::new(&sku).expect("a SKU"),
            options: vec![],
            prices: vec![],
            stock: StockPolicy::default(),
            tax_category: "standard".to_owned(),
            weight_g: Some(500),
            media: vec![],
            attributes: Default::default(),
        }
    });
    Product {
        id: id(n),
        version: 1,
        slug: Slug::new(&format!("product-{n}")).expect("a slug"),
        former_slugs: vec![],
        external_id: Some(format!("p{n}")),
        title: format!("A believable product name {n}"),
        description: "Made to be used every day and to look good while it is. ".repeat(10),
        brand: Some("Harbour & Sons".to_owned()),
        status: ProductStatus::Active,
        publish_at: None,
        channels: vec![],
        collections: vec![],
        facets: Default::default(),
        attributes: Default::default(),
        options: vec![],
        media: vec![],
        variants: variants.to_vec(),
        translations: Default::default(),
        seo: Seo::default(),
        featured: None,
        rating: None,
        created_at: Timestamp(1),
        updated_at: Timestamp(2),
    }
}

async fn fill(store: &dyn ProductStore) -> anyhow::Result<()> {
    let products: Vec<Product> = (0..PRODUCTS).map(product).collect();
    for some in products.chunks(100) {
        for written in store.put(some.to_vec()).await? {
            written?;
        }
    }
    Ok(())
}

async fn round<R: Reads>(reads: &Arc<R>, time: Duration) -> anyhow::Result<Round> {
    let over = Arc::new(AtomicBool::new(false));
    let running = Round::begin()?;
    let mut readers = JoinSet::new();
    for reader in 0..READERS {
        let (reads, over) = (Arc::clone(reads), Arc::clone(&over));
        readers.spawn(async move {
            let mut done = 0;
            while !over.load(Ordering::Relaxed) {
                reads.read((reader * 61 + done) % PRODUCTS).await?;
                done += 1;
                // What lies in memory is never waited for; the timer has to have its turn.
                if done % 64 == 0 {
                    tokio::task::yield_now().await;
                }
            }
            anyhow::Ok(done as u64)
        });
    }
    tokio::time::sleep(time).await;
    over.store(true, Ordering::Relaxed);
    let mut done = 0;
    while let Some(reader) = readers.join_next().await {
        done += reader??;
    }
    running.end(done)
}

fn beside<O: Reads, B: Reads>(
    options: &Options,
    runtime: &Runtime,
    case: &str,
    ours: &Arc<O>,
    bare: &Arc<B>,
) -> anyhow::Result<()> {
    let time = time(options);
    let ours = || runtime.block_on(round(ours, time));
    let bare = || runtime.block_on(round(bare, time));
    let case = format!("{case}, {READERS} readers");
    report(options, case, None, READS, &pairs(options, ours, bare)?);
    Ok(())
}

/// Memory, and the shared cache. The store behind both is asked once for each product.
pub fn cached(options: &Options, runtime: &Runtime, url: &str) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(options.dir())?;
    let on_fatal = Box::new(|reason: &str| panic!("the store failed: {reason}"));
    let store = EmbeddedStore::open(&folder.path().join("store"), EmbeddedOptions::new(on_fatal))?;
    let products = Measured::<dyn ProductStore>::new(store.products(), Arc::new(SystemClock));
    let servers = RedisServers::from_url(url, None)?;
    let (memory, cache, bare) = runtime.block_on(async {
        let cache = RedisCache::new(&servers, PREFIX)?.patient(Duration::from_secs(10));
        let announcements = RedisAnnouncements::new(&servers, PREFIX)?;
        cache.connected(Duration::from_secs(10)).await?;
        announcements.connected(Duration::from_secs(10)).await?;
        let sqlite = folder.path().join("commerce.sqlite");
        let sqlite = Sqlite::open(&sqlite, SqliteOptions::default()).await?;
        let clock = Arc::new(SystemClock);
        let (cache, news) = (Arc::new(cache), Arc::new(announcements));
        let shared = CachedProducts::new(Arc::new(products), cache, news, clock.clone());
        fill(&shared).await?;
        let shared: Arc<dyn ProductStore> = Arc::new(shared);
        let memory = Catalog::new(
            CatalogPorts {
                products: Arc::clone(&shared),
                stock: Arc::new(SqliteStockLedger::new(&sqlite)),
                clock,
                shop: Arc::new(Shop::sample()),
            },
            CatalogLimits::default(),
        );
        let redis = BareRedis::connect(url).await?;
        let keys = (0..PRODUCTS).map(|n| format!("{PREFIX}:product:{}", id(n))).collect();
        anyhow::Ok((memory, shared, BareGet { redis, keys }))
    })?;
    let bare = Arc::new(bare);
    let case = "product in memory / fred, a GET";
    beside(options, runtime, case, &Arc::new(InMemory(memory)), &bare)?;
    let case = "product in the shared cache / fred, a GET of its bytes";
    beside(options, runtime, case, &Arc::new(Port(cache)), &bare)
}

pub fn stored<B: Reads>(
    options: &Options,
    runtime: &Runtime,
    case: &str,
    store: Arc<dyn ProductStore>,
    bare: B,
) -> anyhow::Result<()> {
    runtime.block_on(fill(&*store))?;
    beside(options, runtime, case, &Arc::new(Port(store)), &Arc::new(bare))
}

/// A bare client of the table that ours reads.
pub fn bare_item(dynamo: &BareDynamo, table: &str) -> impl Reads {
    BareItem { client: dynamo.client.clone(), table: table.to_owned() }
}
