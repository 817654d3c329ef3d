//! The contract suites, over every adapter and through each decorator.

use std::sync::Arc;

use barrow_adapters::decorators::{AnnouncedOrders, AnnouncedStock, Faulty, Measured};
use barrow_adapters::embedded::{
    EmbeddedAnnouncements, EmbeddedCache, EmbeddedMediaStore, MediaSigning,
};
use barrow_adapters::host::{SystemClock, TokioSleeper};
use barrow_adapters::simulated::{SimulatedCommerce, SimulatedEntityStore};
use barrow_adapters::sqlite::{
    SqliteApiKeys, SqliteOrderStore, SqliteOutbox, SqliteStockLedger, dead_letters_in,
};
use barrow_engine::ports::{
    Announcements, Cache, EntityStore, MediaStore, OrderStore, ProductStore, StockLedger, contract,
};

use crate::support::{check_entity_store, open, slow, wait};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_stock_and_orders() {
    let dir = tempfile::tempdir().unwrap();
    let sqlite = crate::sqlite::open(&dir.path().join("commerce.db")).await;
    let ledger = SqliteStockLedger::new(&sqlite);
    contract::stock_ledger(&ledger, 1).await;
    contract::order_store(&SqliteOrderStore::new(&sqlite), &ledger, 2).await;
    // Again, on what is there already.
    contract::stock_ledger(&ledger, 3).await;
    contract::order_store(&SqliteOrderStore::new(&sqlite), &ledger, 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn simulated_stock_and_orders() {
    let commerce = SimulatedCommerce::new(Arc::new(SystemClock));
    contract::stock_ledger(&commerce, 1).await;
    contract::order_store(&commerce, &commerce, 2).await;
    // Again, on what is there already.
    contract::stock_ledger(&commerce, 3).await;
    contract::order_store(&commerce, &commerce, 4).await;
    assert!(commerce.commits() > 100 && commerce.rows().orders.len() > 50, "it was written to");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn simulated_outbox() {
    let commerce = SimulatedCommerce::new(Arc::new(SystemClock));
    for seed in [1, 2] {
        contract::outbox(&commerce, &commerce, &commerce, &wait, seed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_outbox() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("commerce.db");
    let sqlite = crate::sqlite::open(&file).await;
    let (ledger, orders) = (SqliteStockLedger::new(&sqlite), SqliteOrderStore::new(&sqlite));
    let outbox = SqliteOutbox::new(&sqlite);
    for seed in [1, 2] {
        contract::outbox(&outbox, &orders, &ledger, &wait, seed).await;
    }
    // Each run leaves those that it has listed.
    assert_eq!(dead_letters_in(&file).await.unwrap(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_and_orders_through_each_decorator() {
    let dir = tempfile::tempdir().unwrap();
    let sqlite = crate::sqlite::open(&dir.path().join("commerce.db")).await;
    let ledger: Arc<dyn StockLedger> = Arc::new(SqliteStockLedger::new(&sqlite));
    let orders: Arc<dyn OrderStore> = Arc::new(SqliteOrderStore::new(&sqlite));
    let (clock, sleeper) = (Arc::new(SystemClock), Arc::new(TokioSleeper));
    let announcements: Arc<dyn Announcements> = Arc::new(EmbeddedAnnouncements::default());
    let faulty = Faulty::new(Arc::clone(&ledger), clock.clone(), sleeper, 1, slow());
    contract::stock_ledger(&faulty, 5).await;
    let announced = AnnouncedStock::new(ledger, Arc::clone(&announcements));
    let measured = Measured::<dyn StockLedger>::new(Arc::new(announced), clock.clone());
    contract::stock_ledger(&measured, 6).await;
    let announced = AnnouncedOrders::new(orders, announcements);
    let orders = Measured::<dyn OrderStore>::new(Arc::new(announced), clock);
    contract::order_store(&orders, &measured, 7).await;
    let save = &orders.meter().snapshot()[5];
    assert_eq!((save.operation, save.unknown), ("save", 0));
    assert!(save.ok > 10 && save.refused > 0, "{save:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_api_keys() {
    let dir = tempfile::tempdir().unwrap();
    let sqlite = crate::sqlite::open(&dir.path().join("commerce.db")).await;
    contract::api_keys(&SqliteApiKeys::new(&sqlite), 1).await;
    contract::api_keys(&SqliteApiKeys::new(&sqlite), 2).await;
    crate::shared::keys_are_bounded_in_number(&SqliteApiKeys::new(&sqlite)).await;
}

#[tokio::test]
async fn embedded_cache() {
    let cache: Arc<dyn Cache> = Arc::new(EmbeddedCache::new(1_000_000));
    let (clock, sleeper) = (Arc::new(SystemClock), Arc::new(TokioSleeper));
    let measured = Measured::<dyn Cache>::new(Arc::clone(&cache), clock.clone());
    let faulty = Faulty::new(Arc::clone(&cache), clock, sleeper, 1, slow());
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
