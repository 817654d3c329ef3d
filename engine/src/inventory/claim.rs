//! Units that an order holds.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::{Location, Sku};
use crate::ids::OrderId;
use crate::time::Timestamp;

/// Units of a SKU at a location that an order holds: a reservation, which expires, or an
/// allocation, which does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub order: OrderId,
    pub sku: Sku,
    pub location: Location,
    pub quantity: u64,
    /// `None` once it is an allocation.
    pub expires_at: Option<Timestamp>,
}

impl Claim {
    pub fn is_allocated(&self) -> bool {
        self.expires_at.is_none()
    }

    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

/// What an order wants to hold of one SKU, all or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    pub order: OrderId,
    pub quantity: u32,
    pub expires_at: Timestamp,
}

/// What came of a wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// All of it is held; of an order that held some before, now this many.
    All,
    /// Too few are left, counting what the order holds; it holds what it held.
    Short { available: u64 },
}

/// What came of renewing what an order has reserved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// What it has reserved now; of what had run out and was let go, nothing.
    pub held: BTreeMap<Sku, u64>,
    /// The SKUs of which more are available now.
    pub freed: BTreeSet<Sku>,
}
