//! The contract suites, over every adapter and through each decorator.

use std::sync::Arc;
use std::time::Duration;

use barrow_adapters::decorators::{Faults, Faulty, Measured, Retries, Retrying};
use barrow_adapters::embedded::{EmbeddedCache, EmbeddedMediaStore, MediaSigning};
use barrow_adapters::host::{SystemClock, SystemEntropy, TokioSleeper};
use barrow_adapters::simulated::SimulatedEntityStore;
use barrow_engine::ports::{Cache, EntityStore, Inventory, MediaStore, ProductStore, contract};

use crate::support::{open, wait};

/// A healthy network: some latency, no fault.
const SLOW: Faults = Faults {
    latency_max: Duration::from_millis(1),
    unavailable: barrow_adapters::decorators::Rate::NEVER,
    throttled: barrow_adapters::decorators::Rate::NEVER,
    request_lost: barrow_adapters::decorators::Rate::NEVER,
    reply_lost: barrow_adapters::decorators::Rate::NEVER,
    late: barrow_adapters::decorators::Rate::NEVER,
    late_max: Duration::ZERO,
};

/// The store itself, and inside each decorator.
fn dressings(store: Arc<dyn EntityStore>) -> Vec<(&'static str, Arc<dyn EntityStore>)> {
    let clock = || Arc::new(SystemClock);
    let sleeper = || Arc::new(TokioSleeper);
    let measured = Measured::<dyn EntityStore>::new(Arc::clone(&store), clock());
    let retries = Retries::default();
    let entropy = Arc::new(SystemEntropy);
    let retrying = Retrying::new(Arc::clone(&store), retries, entropy, sleeper());
    let faulty = Faulty::new(Arc::clone(&store), clock(), sleeper(), 1, SLOW);
    vec![
        ("bare", store),
        ("measured", Arc::new(measured)),
        ("retrying", Arc::new(retrying)),
        ("faulty", Arc::new(faulty)),
    ]
}

async fn check_entity_store(store: Arc<dyn EntityStore>) {
    for (seed, (name, store)) in (1..).zip(dressings(store)) {
        println!("{name}");
        contract::entity_store(&*store, seed, &wait).await;
        contract::entity_store_race(store, seed).await;
    }
}

#[tokio::test]
async fn embedded_entity_store() {
    let dir = tempfile::tempdir().unwrap();
    check_entity_store(open(dir.path()).entities()).await;
}

#[tokio::test]
async fn simulated_entity_store() {
    check_entity_store(Arc::new(SimulatedEntityStore::new())).await;
}

/// Several races on real threads, so that their writes meet in one batch.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn embedded_entity_store_on_many_threads() {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn EntityStore> = open(dir.path()).entities();
    let races =
        (0..8).map(|seed| tokio::spawn(contract::entity_store_race(Arc::clone(&store), seed)));
    for outcome in futures::future::join_all(races).await {
        outcome.expect("a race keeps the promises");
    }
}

#[tokio::test]
async fn embedded_product_store() {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn ProductStore> = open(dir.path()).products();
    contract::product_store(&*store, 1).await;
    let measured = Measured::<dyn ProductStore>::new(Arc::clone(&store), Arc::new(SystemClock));
    contract::product_store(&measured, 2).await;
    let put = &measured.meter().snapshot()[5];
    assert_eq!((put.operation, put.failed), ("put", 0));
    assert!(put.ok > 10 && put.latency.count() == put.ok, "every call is counted");
}

#[tokio::test]
async fn embedded_inventory() {
    let dir = tempfile::tempdir().unwrap();
    let inventory: Arc<dyn Inventory> = open(dir.path()).inventory();
    contract::inventory(&*inventory, 1).await;
    let (clock, sleeper) = (Arc::new(SystemClock), Arc::new(TokioSleeper));
    let measured = Measured::<dyn Inventory>::new(Arc::clone(&inventory), clock.clone());
    contract::inventory(&measured, 2).await;
    contract::inventory(&Faulty::new(inventory, clock, sleeper, 1, SLOW), 3).await;
}

#[tokio::test]
async fn embedded_cache() {
    let cache: Arc<dyn Cache> = Arc::new(EmbeddedCache::new(1_000_000));
    let (clock, sleeper) = (Arc::new(SystemClock), Arc::new(TokioSleeper));
    let measured = Measured::<dyn Cache>::new(Arc::clone(&cache), clock.clone());
    let faulty = Faulty::new(Arc::clone(&cache), clock, sleeper, 1, SLOW);
    futures::join!(
        contract::cache(&*cache, 1, &wait),
        contract::cache(&measured, 2, &wait),
        contract::cache(&faulty, 3, &wait),
    );
}

#[tokio::test]
async fn embedded_media_store() {
    let dir = tempfile::tempdir().unwrap();
    let signing = MediaSigning::new([7; 32], Arc::new(SystemClock));
    let store = EmbeddedMediaStore::open(dir.path(), signing).unwrap();
    let store: Arc<dyn MediaStore> = Arc::new(store);
    contract::media_store(&*store, 1).await;
    let measured = Measured::<dyn MediaStore>::new(Arc::clone(&store), Arc::new(SystemClock));
    contract::media_store(&measured, 2).await;
}
