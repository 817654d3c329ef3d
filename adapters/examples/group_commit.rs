//! How many durable writes a second the embedded store makes, beside what the disk alone does:
//! `cargo run --release -p barrow-adapters --example group_commit [DIRECTORY]`.
//!
//! 256 writers each write a row of 600 bytes again and again, each write conditional on the one
//! before; then 50,000 products are imported in batches; then all is backed up and restored.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use barrow_adapters::decorators::Measured;
use barrow_adapters::embedded::{EmbeddedOptions, EmbeddedStore, restore};
use barrow_adapters::host::SystemClock;
use barrow_engine::catalog::Product;
use barrow_engine::entity::{EntityKey, EntityKind};
use barrow_engine::ports::{
    CasOutcome, EntityStore, Expected, ProductStore, ProductStoreError, Row, WriteId,
};
use barrow_engine::time::Timestamp;
use bytes::Bytes;

const WRITERS: u64 = 256;
const RUN: Duration = Duration::from_secs(5);
const ROW_BYTES: usize = 600;
const PRODUCTS: u64 = 50_000;

#[tokio::main]
async fn main() {
    let dir = match std::env::args_os().nth(1) {
        Some(dir) => tempfile::tempdir_in(dir),
        None => tempfile::tempdir(),
    };
    let dir = dir.expect("a folder to work in");
    println!("the disk alone: {:.0} syncs/s", raw_syncs(dir.path()).expect("a file is written"));
    let data = dir.path().join("data");
    let store = open(&data);
    write_rows(store.entities()).await;
    import(&*store.products()).await.expect("products are written");
    println!("on disk: {} MiB, memory: {}", store.disk_bytes() >> 20, resident());
    let began = Instant::now();
    let backup = dir.path().join("backup");
    let report = store.backup(&backup, &mut |_| {}).expect("a backup");
    println!("backup: {} MiB in {:?}", report.bytes >> 20, began.elapsed());
    drop(store);
    let began = Instant::now();
    restore(&backup, &dir.path().join("restored"), &mut |_| {}).expect("a restore");
    println!("restore: {:?}", began.elapsed());
    let began = Instant::now();
    drop(open(&data));
    println!("start: {:?}, memory: {}", began.elapsed(), resident());
}

fn open(data: &Path) -> EmbeddedStore {
    let options = EmbeddedOptions::new(Box::new(|reason| panic!("{reason}")));
    EmbeddedStore::open(data, options).expect("the store opens")
}

/// How often a small write can be synced, which bounds what one writer alone can do.
fn raw_syncs(dir: &Path) -> std::io::Result<f64> {
    let mut file = File::create(dir.join("raw"))?;
    let began = Instant::now();
    let mut syncs = 0;
    while began.elapsed() < Duration::from_secs(1) {
        file.write_all(&[7; ROW_BYTES])?;
        file.sync_data()?;
        syncs += 1;
    }
    Ok(f64::from(syncs) / began.elapsed().as_secs_f64())
}

async fn write_rows(store: Arc<dyn EntityStore>) {
    let store = Arc::new(Measured::<dyn EntityStore>::new(store, Arc::new(SystemClock)));
    let began = Instant::now();
    let writers = (0..WRITERS).map(|writer| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { keep_writing(&*store, writer, began).await })
    });
    let mut rows = 0;
    for writer in writers.collect::<Vec<_>>() {
        rows += writer.await.expect("a writer ends");
    }
    let rate = rows as f64 / began.elapsed().as_secs_f64();
    let latency = store.meter().snapshot()[1].latency;
    println!(
        "{WRITERS} writers: {rate:.0} durable rows/s, p50 <= {:?}, p99 <= {:?}",
        latency.percentile(50).expect("writes"),
        latency.percentile(99).expect("writes"),
    );
}

async fn keep_writing(store: &dyn EntityStore, writer: u64, began: Instant) -> u64 {
    let key = EntityKey::new(EntityKind::Probe, u128::from(writer));
    let mut expected = Expected::Absent;
    let mut version = 0;
    while began.elapsed() < RUN {
        version += 1;
        let write_id = WriteId(u128::from(writer) << 64 | u128::from(version));
        let due = Some(Timestamp(4_102_444_800_000));
        let row =
            Row { version, write_id, due, expires: None, blob: Bytes::from(vec![7; ROW_BYTES]) };
        let outcome = store.cas(key, expected, row).await.expect("a write has an outcome");
        assert_eq!(outcome, CasOutcome::Written);
        expected = Expected::Present { version, write_id };
    }
    version
}

async fn import(products: &dyn ProductStore) -> Result<(), ProductStoreError> {
    let began = Instant::now();
    let mut id = 0;
    while id < PRODUCTS {
        let batch = (id..id + 500).map(product).collect();
        products.put(batch).await?.into_iter().collect::<Result<Vec<()>, _>>()?;
        id += 500;
    }
    let rate = PRODUCTS as f64 / began.elapsed().as_secs_f64();
    println!("import: {rate:.0} products/s, {} in all", products.count().await?);
    let began = Instant::now();
    let (mut after, mut seen) = (None, 0u64);
    loop {
        let page = products.scan(after, 500).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen += page.len() as u64;
    }
    println!("scan: {:.0} products/s", seen as f64 / began.elapsed().as_secs_f64());
    Ok(())
}

/// A product of the usual size, some two kilobytes, with an id far from its neighbour's.
fn product(number: u64) -> Product {
    let id = u128::from(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 64 | u128::from(number);
    let id = barrow_engine::ids::ProductId(id);
    let variant = barrow_engine::ids::VariantId(id.0);
    let description = format!("Chair number {number}, made of oak and oiled by hand. ").repeat(25);
    let document = serde_json::json!({
        "id": id, "version": 1, "slug": format!("chair-{number}"), "title": "Chair",
        "external_id": number.to_string(), "description": description,
        "facets": {"color": ["red"], "material": ["oak"]},
        "variants": [{"id": variant, "sku": format!("CHAIR-{number}"), "prices": []}],
        "created_at": Timestamp(0), "updated_at": Timestamp(0),
    });
    serde_json::from_value(document).expect("it has the form of a product")
}

/// What the process holds in memory, where the system tells it.
fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.unwrap_or("unknown").trim().to_owned()
}
