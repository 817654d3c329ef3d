//! The contract suites, and the tables.

use std::sync::Arc;

use barrow_adapters::decorators::Measured;
use barrow_adapters::dynamodb::tables::{Step, TABLES, create, plan};
use barrow_adapters::dynamodb::{DynamoControlTable, DynamoEntityStore, DynamoProductStore};
use barrow_adapters::host::SystemClock;
use barrow_cluster::contract::control_table;
use barrow_cluster::{ControlTable, ROWS_MAX};
use barrow_engine::ports::{ProductStore, contract};

use super::{client, in_process, local, with_tables};
use crate::support::check_entity_store;

async fn check_entities(url: &str) {
    check_entity_store(Arc::new(DynamoEntityStore::new(with_tables(url).await))).await;
}

async fn check_products(url: &str) {
    let store = DynamoProductStore::new(with_tables(url).await);
    let store: Arc<dyn ProductStore> = Arc::new(store);
    contract::product_store(&*store, 1).await;
    let measured = Measured::<dyn ProductStore>::new(Arc::clone(&store), Arc::new(SystemClock));
    contract::product_store(&measured, 2).await;
}

async fn check_control(url: &str) {
    let table = DynamoControlTable::new(with_tables(url).await);
    control_table(&table, "suite").await;
    let all = table.list("").await.unwrap();
    let keys: Vec<_> = all.iter().map(|(key, _)| key).collect();
    assert!(keys.is_sorted() && keys.len() > 1, "an empty prefix is that of all: {keys:?}");
}

/// A list is read page by page, and never without end.
async fn check_long_lists(url: &str) {
    let table = DynamoControlTable::new(with_tables(url).await);
    let row = vec![7; 3_000];
    for n in 0..=ROWS_MAX {
        table.cas(&format!("long/{n:04}"), 0, row.clone()).await.unwrap();
    }
    assert!(table.list("long/").await.is_err(), "one more than there may be");
    table.delete("long/0000", 1).await.unwrap();
    let found = table.list("long/").await.unwrap();
    assert_eq!(found.len(), ROWS_MAX, "three megabytes: a page has one at most");
    assert!(found.iter().all(|(_, found)| found.value == row));
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
async fn control_in_process() {
    check_control(&in_process().endpoint()).await;
}

#[tokio::test]
async fn long_control_lists_in_process() {
    check_long_lists(&in_process().endpoint()).await;
}

/// One server for all of it: it takes seconds to start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_against_dynamodb_local() {
    let Some(server) = local() else { return };
    check_tables(&server.endpoint()).await;
    check_entities(&server.endpoint()).await;
    check_products(&server.endpoint()).await;
    check_control(&server.endpoint()).await;
}
