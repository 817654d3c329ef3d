//! What the tests share: the dressings of a store, and waiting.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use barrow_adapters::decorators::{Faults, Faulty, Measured, Rate, Retries, Retrying};
use barrow_adapters::host::{SystemClock, SystemEntropy, TokioSleeper};
use barrow_engine::entity::{EntityKey, EntityKind};
use barrow_engine::ports::{EntityStore, Expected, Row, WriteId, contract};
use bytes::Bytes;

pub fn wait(duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(tokio::time::sleep(duration))
}

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

/// Runs the suites over the store itself, and inside each decorator.
pub async fn check_entity_store(store: Arc<dyn EntityStore>) {
    let clock = || Arc::new(SystemClock);
    let sleeper = || Arc::new(TokioSleeper);
    let measured = Measured::<dyn EntityStore>::new(Arc::clone(&store), clock());
    let entropy = Arc::new(SystemEntropy);
    let retrying = Retrying::new(Arc::clone(&store), Retries::default(), entropy, sleeper());
    let faulty = Faulty::new(Arc::clone(&store), clock(), sleeper(), 1, SLOW);
    let dressed: [Arc<dyn EntityStore>; 4] =
        [store, Arc::new(measured), Arc::new(retrying), Arc::new(faulty)];
    for (seed, store) in (1..).zip(dressed) {
        contract::entity_store(&*store, seed, &wait).await;
        contract::entity_store_race(store, seed).await;
    }
}

pub fn key(id: u128) -> EntityKey {
    EntityKey::new(EntityKind::Probe, id)
}

pub fn row(version: u64, write_id: u128) -> Row {
    let blob = Bytes::from(format!("row {version} of write {write_id}"));
    Row { version, write_id: WriteId(write_id), due: None, blob }
}

pub fn present(row: &Row) -> Expected {
    Expected::Present { version: row.version, write_id: row.write_id }
}
