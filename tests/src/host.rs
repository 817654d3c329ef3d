//! The host of a simulated node: time that tokio's paused clock makes, and seeded randomness.

use std::time::Duration;

use barrow_engine::ports::{Clock, Entropy};
use barrow_engine::time::Timestamp;
use parking_lot::Mutex;

/// 2026-01-01T00:00:00Z: a fixed start, so that every run sees the same times.
pub(crate) const EPOCH_MS: i64 = 1_767_225_600_000;

/// Follows tokio's clock from the moment it is made; the wall clock can be made to jump.
#[derive(Debug)]
pub struct SimulatedClock {
    start: tokio::time::Instant,
    jump_ms: Mutex<i64>,
}

impl Default for SimulatedClock {
    fn default() -> Self {
        SimulatedClock { start: tokio::time::Instant::now(), jump_ms: Mutex::new(0) }
    }
}

impl SimulatedClock {
    /// Moves the wall clock, forward or back; the boot-time clock stays as it is.
    pub fn jump(&self, millis: i64) {
        *self.jump_ms.lock() += millis;
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        Timestamp(EPOCH_MS + self.uptime().as_millis() as i64 + *self.jump_ms.lock())
    }

    fn uptime(&self) -> Duration {
        self.start.elapsed()
    }
}

/// The same numbers for the same seed (splitmix64).
#[derive(Debug)]
pub struct SeededEntropy {
    state: Mutex<u64>,
}

impl SeededEntropy {
    pub fn new(seed: u64) -> SeededEntropy {
        SeededEntropy { state: Mutex::new(seed) }
    }

    /// A number below `bound`.
    pub fn below(&self, bound: u64) -> u64 {
        self.next_u64() % bound.max(1)
    }

    /// True in `percent` of 100 cases.
    pub fn chance(&self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        let mut state = self.state.lock();
        for chunk in buffer.chunks_mut(8) {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = *state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^= mixed >> 31;
            chunk.copy_from_slice(&mixed.to_le_bytes()[..chunk.len()]);
        }
    }
}
