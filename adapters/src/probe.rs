//! How a server beside the process is, as `barrow doctor` asks.

use std::time::{Duration, SystemTime};

/// What one small question to a server told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// From the question to its answer, on a connection that was there already.
    pub latency: Duration,
    /// What the server takes the time to be.
    pub time: SystemTime,
}
