//! What every adapter of a port has to keep, written once as suites that are run against it.
//!
//! A suite speaks to the port alone, so that it can be run against a store in another process or
//! another country: it knows no paths, takes all its names from the run's seed, and assumes
//! nothing of what the store holds already. It panics with a sentence that says which promise
//! was broken. Two runs against one store need two seeds.

mod announcements;
mod api_keys;
mod cache;
mod entity_store;
mod media;
mod order_store;
mod product_store;
mod stock_ledger;

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

pub use announcements::announcements;
pub use api_keys::api_keys;
pub use cache::cache;
pub use entity_store::{entity_store, entity_store_race};
pub use media::{Answer, SendSigned, SignedRules, media_store, signed_media};
pub use order_store::order_store;
pub use product_store::product_store;
pub use stock_ledger::stock_ledger;

/// How a suite lets time pass: the host's sleep, or a simulation's.
pub type Wait<'a> = &'a (dyn Fn(Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> + Sync);

/// How long a suite waits for what a port allows to lag behind.
const LAG_MAX: Duration = Duration::from_secs(10);

/// How often it looks meanwhile.
const LAG_STEP: Duration = Duration::from_millis(20);

/// Names that no other run uses: a number for each index, drawn from the seed.
#[derive(Clone, Copy)]
struct Names {
    seed: u64,
}

impl Names {
    fn number(self, index: u64) -> u128 {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.seed.to_le_bytes());
        bytes[8..].copy_from_slice(&index.to_le_bytes());
        xxhash_rust::xxh3::xxh3_128(&bytes)
    }

    /// A short text of letters and digits.
    fn text(self, index: u64) -> String {
        format!("c{:016x}", self.number(index) as u64)
    }
}

/// Runs all of them at once and answers in their order.
async fn concurrently<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.into_iter().map(|f| Some(Box::pin(f))).collect();
    let mut done: Vec<_> = running.iter().map(|_| None).collect();
    std::future::poll_fn(move |context| {
        for (slot, output) in running.iter_mut().zip(done.iter_mut()) {
            let Some(future) = slot else { continue };
            if let Poll::Ready(value) = future.as_mut().poll(context) {
                *output = Some(value);
                *slot = None;
            }
        }
        if running.iter().any(Option::is_some) {
            return Poll::Pending;
        }
        Poll::Ready(done.iter_mut().map(|value| value.take().expect("all are done")).collect())
    })
    .await
}

/// Asks until the answer is yes; panics with the broken promise after [`LAG_MAX`].
async fn eventually<F: Future<Output = bool>>(
    wait: Wait<'_>,
    promise: &str,
    mut look: impl FnMut() -> F,
) {
    let mut waited = Duration::ZERO;
    while !look().await {
        assert!(waited < LAG_MAX, "not within {LAG_MAX:?}: {promise}");
        wait(LAG_STEP).await;
        waited += LAG_STEP;
    }
}
