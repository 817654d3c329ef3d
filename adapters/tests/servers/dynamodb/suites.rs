//! The contract suites, and the tables.

use std::sync::Arc;
use std::time::Duration;

use barrow_adapters::decorators::{Faults, Faulty, Measured, Rate, Retries, Retrying};
use barrow_adapters::dynamodb::tables::{Step, TABLES, create, plan};
use barrow_adapters::dynamodb::{DynamoEntityStore, DynamoInventory, DynamoProductStore};
use barrow_adapters::host::{SystemClock, SystemEntropy, TokioSleeper};
use barrow_engine::ports::{EntityStore, Inventory, ProductStore, contract};

use super::{client, in_process, local, wait, with_tables};

/// A healthy network: some latency, no fault.
const SLOW: Faults = Faults {
    latency_max: Duration::from_millis(1),
    unavailable: Rate::NEVER,
    throttled: Rate::NEVER,
    request_lost: Rate::NEVER,
    reply_lost: Rate::NEVER,
    late: Rate::NEVER,
    late_max: Duration::ZERO,
};

/// The store itself, and inside each decorator.
fn dressings(store: Arc<dyn EntityStore>) -> Vec<(&'static str, Arc<dyn EntityStore>)> {
    let clock = || Arc::new(SystemClock);
    let sleeper = || Arc::new(TokioSleeper);
    let measured = Measured::<dyn EntityStore>::new(Arc::clone(&store), clock());
    let entropy = Arc::new(SystemEntropy);
    let retrying = Retrying::new(Arc::clone(&store), Retries::default(), entropy, sleeper());
    let faulty = Faulty::new(Arc::clone(&store), clock(), sleeper(), 1, SLOW);
    vec![
        ("bare", store),
        ("measured", Arc::new(measured)),
        ("retrying", Arc::new(retrying)),
        ("faulty", Arc::new(faulty)),
    ]
}

async fn check_entities(url: &str) {
    let store: Arc<dyn EntityStore> = Arc::new(DynamoEntityStore::new(with_tables(url).await));
    for (seed, (name, store)) in (1..).zip(dressings(store)) {
        println!("{name}");
        contract::entity_store(&*store, seed, &wait).await;
        contract::entity_store_race(store, seed).await;
    }
}

async fn check_products(url: &str) {
    let store = DynamoProductStore::new(with_tables(url).await);
    let store: Arc<dyn ProductStore> = Arc::new(store);
    contract::product_store(&*store, 1).await;
    let measured = Measured::<dyn ProductStore>::new(Arc::clone(&store), Arc::new(SystemClock));
    contract::product_store(&measured, 2).await;
}

async fn check_inventory(url: &str) {
    let inventory: Arc<dyn Inventory> = Arc::new(DynamoInventory::new(with_tables(url).await));
    contract::inventory(&*inventory, 1).await;
    let (clock, sleeper) = (Arc::new(SystemClock), Arc::new(TokioSleeper));
    let measured = Measured::<dyn Inventory>::new(Arc::clone(&inventory), clock.clone());
    contract::inventory(&measured, 2).await;
    contract::inventory(&Faulty::new(inventory, clock, sleeper, 1, SLOW), 3).await;
}

/// Whoever sets up twice finds nothing to do the second time.
async fn check_tables(url: &str) {
    let dynamo = client(url).await;
    let planned = plan(&dynamo).await.unwrap();
    let creations = planned.iter().filter(|step| matches!(step, Step::Create { .. })).count();
    assert_eq!(creations, TABLES.len(), "all tables are missing: {planned:?}");
    assert_eq!(create(&dynamo).await.unwrap(), planned, "what was planned is done");
    assert_eq!(plan(&dynamo).await, Ok(vec![]), "nothing is left to do");
    assert_eq!(create(&dynamo).await, Ok(vec![]), "and nothing is done");
}

#[tokio::test]
async fn tables_in_process() {
    check_tables(&in_process().endpoint()).await;
}

#[tokio::test]
async fn entities_in_process() {
    check_entities(&in_process().endpoint()).await;
}

#[tokio::test]
async fn products_in_process() {
    check_products(&in_process().endpoint()).await;
}

#[tokio::test]
async fn inventory_in_process() {
    check_inventory(&in_process().endpoint()).await;
}

/// One server for all of it: it takes seconds to start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_against_dynamodb_local() {
    let Some(server) = local() else { return };
    check_tables(&server.endpoint()).await;
    check_entities(&server.endpoint()).await;
    check_products(&server.endpoint()).await;
    check_inventory(&server.endpoint()).await;
}
