//! What these tests share.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use barrow_adapters::decorators::{Faults, Faulty, Measured, Retries, Retrying};
use barrow_adapters::host::{SystemClock, SystemEntropy, TokioSleeper};
use barrow_adapters::redis::{RedisEntityOptions, RedisEntityStore, RedisServers};
use barrow_engine::entity::{EntityKey, EntityKind};
use barrow_engine::ports::{CasOutcome, EntityStore, Expected, Row, WriteId};
use bytes::Bytes;

/// A healthy network: some latency, no fault.
pub fn slow() -> Faults {
    Faults { latency_max: Duration::from_millis(1), ..Faults::default() }
}

pub fn wait(duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(tokio::time::sleep(duration))
}

/// The store itself, and inside each decorator.
pub fn dressings(store: Arc<dyn EntityStore>) -> Vec<(&'static str, Arc<dyn EntityStore>)> {
    let clock = || Arc::new(SystemClock);
    let sleeper = || Arc::new(TokioSleeper);
    let measured = Measured::<dyn EntityStore>::new(Arc::clone(&store), clock());
    let retries = Retries::default();
    let entropy = Arc::new(SystemEntropy);
    let retrying = Retrying::new(Arc::clone(&store), retries, entropy, sleeper());
    let faulty = Faulty::new(Arc::clone(&store), clock(), sleeper(), 1, slow());
    vec![
        ("bare", store),
        ("measured", Arc::new(measured)),
        ("retrying", Arc::new(retrying)),
        ("faulty", Arc::new(faulty)),
    ]
}

pub fn servers(url: &str) -> RedisServers {
    RedisServers::from_url(url, None).unwrap()
}

pub fn servers_with_tls(url: &str, ca_file: &Path) -> RedisServers {
    RedisServers::from_url(url, Some(ca_file)).unwrap()
}

/// Rows that count once so many replicas have them.
pub async fn store(url: &str, replicas: u32) -> Arc<RedisEntityStore> {
    let options = RedisEntityOptions { replicas, ..RedisEntityOptions::new("shop") };
    Arc::new(RedisEntityStore::connect(&servers(url), options).await.unwrap())
}

pub fn key(id: u128) -> EntityKey {
    EntityKey::new(EntityKind::Probe, id)
}

pub fn row(version: u64, write_id: u128) -> Row {
    let blob = Bytes::from(format!("row {version} of write {write_id}").into_bytes());
    Row { version, write_id: WriteId(write_id), due: None, blob }
}

pub fn present(row: &Row) -> Expected {
    Expected::Present { version: row.version, write_id: row.write_id }
}

/// Writes a new row, which must be acknowledged.
pub async fn write_new(store: &dyn EntityStore, id: u128) -> Row {
    let row = row(1, id);
    let outcome = store.cas(key(id), Expected::Absent, row.clone()).await;
    assert_eq!(outcome, Ok(CasOutcome::Written));
    row
}

/// Asks until the answer is yes, for at most so long; how long it took.
pub async fn eventually<F: Future<Output = bool>>(
    within: Duration,
    what: &str,
    mut look: impl FnMut() -> F,
) -> Duration {
    let began = Instant::now();
    while !look().await {
        assert!(began.elapsed() < within, "not within {within:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    began.elapsed()
}
