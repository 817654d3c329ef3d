//! What was asked of one port: each operation's outcomes and times.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use std::time::Duration;

use barrow_engine::ports::Clock;

use super::histogram::{Histogram, HistogramSnapshot};

/// How an operation ended, as an operator sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Ok,
    /// A condition did not hold: the caller's affair, not the store's.
    Refused,
    /// It failed, and changed nothing.
    Failed,
    /// Nobody knows whether it took effect.
    Unknown,
}

/// Counts and times of one port, to be read at any time.
pub struct Meter {
    port: &'static str,
    clock: Arc<dyn Clock>,
    operations: Vec<Operation>,
}

struct Operation {
    name: &'static str,
    outcomes: [AtomicU64; 4],
    latency: Histogram,
}

/// What one operation had come to at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationSnapshot {
    /// `entity_store`, `product_store` and so on.
    pub port: &'static str,
    /// The name of the port's method.
    pub operation: &'static str,
    pub ok: u64,
    pub refused: u64,
    pub failed: u64,
    pub unknown: u64,
    /// Of all that ended, however they did.
    pub latency: HistogramSnapshot,
}

impl Meter {
    pub(super) fn new(
        port: &'static str,
        operations: &[&'static str],
        clock: Arc<dyn Clock>,
    ) -> Arc<Meter> {
        let operation = |name: &&'static str| Operation {
            name,
            outcomes: Default::default(),
            latency: Histogram::default(),
        };
        Arc::new(Meter { port, clock, operations: operations.iter().map(operation).collect() })
    }

    /// Awaits the operation of that index and counts how it ended. One whose caller went away
    /// is not counted.
    pub(super) async fn time<T, E>(
        &self,
        operation: usize,
        future: impl Future<Output = Result<T, E>>,
        outcome: impl FnOnce(&Result<T, E>) -> Outcome,
    ) -> Result<T, E> {
        let began = self.begin();
        let result = future.await;
        self.end(operation, began, outcome(&result));
        result
    }

    /// For an operation that is not awaited: when it began, for [`Meter::end`].
    pub(super) fn begin(&self) -> Duration {
        self.clock.uptime()
    }

    pub(super) fn end(&self, operation: usize, began: Duration, outcome: Outcome) {
        let operation = &self.operations[operation];
        operation.latency.record(self.clock.uptime().saturating_sub(began));
        operation.outcomes[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// All operations, in the order of the port's methods.
    pub fn snapshot(&self) -> Vec<OperationSnapshot> {
        let operations = self.operations.iter();
        operations
            .map(|operation| {
                let [ok, refused, failed, unknown] =
                    [0, 1, 2, 3].map(|index| operation.outcomes[index].load(Ordering::Relaxed));
                let (port, latency) = (self.port, operation.latency.snapshot());
                let operation = operation.name;
                OperationSnapshot { port, operation, ok, refused, failed, unknown, latency }
            })
            .collect()
    }
}
