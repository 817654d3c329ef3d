//! The ledger's lines: how units came and went.

use crate::catalog::{Location, Sku};
use crate::ids::{MovementId, OrderId};
use crate::time::Timestamp;

/// The longest reason, and the longest name of who moved it.
pub const MOVEMENT_REASON_CHARS_MAX: usize = 200;

/// A movement to be booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovementDraft {
    /// Booked once, however often it is sent.
    pub id: MovementId,
    pub sku: Sku,
    pub location: Location,
    /// Units that came, or that went where it is negative. None at all is a count of nothing: the
    /// level is known from then on, and no line is written.
    pub quantity: i64,
    pub reason: String,
    pub actor: String,
    pub order: Option<OrderId>,
    pub at: Timestamp,
}

/// A movement that was booked. It never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    pub draft: MovementDraft,
    /// On hand at its location after it.
    pub level: u64,
}
