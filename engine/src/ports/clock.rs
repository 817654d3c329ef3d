//! Time, as the host tells it.

use std::time::Duration;

use crate::time::Timestamp;

/// The host's clocks. A simulation hands in its own.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock: for what people read and for expiries. It may jump.
    fn now(&self) -> Timestamp;

    /// The boot-time clock: it never jumps and counts on while the machine sleeps. Only
    /// differences mean anything. Leases, idle times and waits are measured on it.
    fn uptime(&self) -> Duration;
}
