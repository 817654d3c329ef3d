//! The runtime's limits. Every queue, batch and wait has one.

use std::time::Duration;

use super::form::newest_form;

/// Limits and times of one runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeSettings {
    /// Commands and reads under way at once; one more is refused. At 20,000 a second and a
    /// store that takes 100 ms, 2,000 are under way: this is five times that.
    pub in_flight_max: usize,
    /// Commands and reads that wait at one entity; one more is refused, so that a cart that
    /// everybody wants does not take all permits.
    pub queue_max: usize,
    /// Entities loaded from the store at once.
    pub loads_max: usize,
    /// Entities kept hot; beyond it the least recently used are passivated. About 10 KB each.
    pub hot_max: usize,
    /// An entity that nobody asked for so long is passivated.
    pub idle_timeout: Duration,
    /// How often idle entities are looked for.
    pub sweep_interval: Duration,
    /// For how long a write of unknown or failed outcome is repeated.
    pub write_deadline: Duration,
    /// The first wait between two tries of a write; it doubles up to a second.
    pub write_backoff: Duration,
    /// The first wait before an entity that failed is activated again; it doubles with each
    /// failure in a row, up to [`RuntimeSettings::failure_backoff_max`].
    pub failure_backoff: Duration,
    pub failure_backoff_max: Duration,
    /// Bytes of passivated rows kept in memory.
    pub warm_bytes_max: u64,
    /// Subscriptions to one entity; one more is refused.
    pub feeds_max: usize,
    /// What a caller is told to wait after a refusal for load.
    pub retry_after: Duration,
    /// The newest form of rows that is read, and written where nobody reads less.
    pub reads: u8,
}

impl Default for RuntimeSettings {
    fn default() -> Self {
        RuntimeSettings {
            in_flight_max: 10_000,
            queue_max: 256,
            loads_max: 256,
            hot_max: 100_000,
            idle_timeout: Duration::from_secs(300),
            sweep_interval: Duration::from_secs(1),
            write_deadline: Duration::from_secs(6),
            write_backoff: Duration::from_millis(20),
            failure_backoff: Duration::from_millis(100),
            failure_backoff_max: Duration::from_secs(30),
            warm_bytes_max: 64 << 20,
            feeds_max: 8,
            retry_after: Duration::from_secs(1),
            reads: newest_form(),
        }
    }
}
