//! What a runtime tells of itself: to tests, metrics and the console alike.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the runtime started.
#[derive(Debug, Default)]
pub struct RuntimeStats {
    pub(super) activations: AtomicU64,
    pub(super) warm_activations: AtomicU64,
    pub(super) passivations: AtomicU64,
    pub(super) commands: AtomicU64,
    pub(super) replays: AtomicU64,
    pub(super) rejections: AtomicU64,
    pub(super) reads: AtomicU64,
    pub(super) writes: AtomicU64,
    pub(super) bytes_written: AtomicU64,
    pub(super) overtaken: AtomicU64,
    pub(super) unknown: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) effects: AtomicU64,
    pub(super) effects_failed: AtomicU64,
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A runtime at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RuntimeObservation {
    /// Entities in memory now.
    pub hot: u64,
    /// Passivated rows kept in memory now.
    pub warm: u64,
    /// Commands and reads admitted and not yet answered.
    pub in_flight: u64,
    pub activations: u64,
    /// Of the activations, those that found their row in the warm tier.
    pub warm_activations: u64,
    pub passivations: u64,
    pub commands: u64,
    pub replays: u64,
    pub rejections: u64,
    pub reads: u64,
    pub writes: u64,
    pub bytes_written: u64,
    /// Writes that found another owner's row.
    pub overtaken: u64,
    /// Writes whose outcome stayed unknown.
    pub unknown: u64,
    /// Actors that ended by a panic, or did not come up.
    pub failures: u64,
    /// Commands and reads refused for load.
    pub refused: u64,
    /// Effects delivered.
    pub effects: u64,
    /// Deliveries that failed; each is tried again.
    pub effects_failed: u64,
}

impl RuntimeStats {
    pub(super) fn observe(&self, hot: u64, warm: u64, in_flight: u64) -> RuntimeObservation {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        RuntimeObservation {
            hot,
            warm,
            in_flight,
            activations: read(&self.activations),
            warm_activations: read(&self.warm_activations),
            passivations: read(&self.passivations),
            commands: read(&self.commands),
            replays: read(&self.replays),
            rejections: read(&self.rejections),
            reads: read(&self.reads),
            writes: read(&self.writes),
            bytes_written: read(&self.bytes_written),
            overtaken: read(&self.overtaken),
            unknown: read(&self.unknown),
            failures: read(&self.failures),
            refused: read(&self.refused),
            effects: read(&self.effects),
            effects_failed: read(&self.effects_failed),
        }
    }
}
