//! How many units of a SKU lie at a location.

use crate::catalog::{Location, Sku};

/// Where stock lies when nobody says where.
pub const DEFAULT_LOCATION: &str = "default";

/// The most units at one location; also what "without end" means where units are sold before
/// they come. Four of them are still exact in 64 bits, and in the JSON of any language.
pub const UNITS_MAX: u64 = u32::MAX as u64;

/// [`DEFAULT_LOCATION`].
pub fn default_location() -> Location {
    Location::new(DEFAULT_LOCATION).expect("the text is a location")
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    pub sku: Sku,
    pub location: Location,
    pub on_hand: u64,
    /// Held by carts or checkouts, for a while.
    pub reserved: u64,
    /// Held by orders that were placed.
    pub allocated: u64,
    /// How many may be promised beyond what is on hand. As the policy of the SKU was when units
    /// were last promised, or as many as are promised since a stricter one.
    pub allowance: u64,
}

impl Level {
    pub fn empty(sku: Sku, location: Location) -> Level {
        Level { sku, location, on_hand: 0, reserved: 0, allocated: 0, allowance: 0 }
    }

    pub fn promised(&self) -> u64 {
        self.reserved + self.allocated
    }

    /// On hand and not promised; less than none where units were sold before they came.
    pub fn available(&self) -> i64 {
        // Each is at most UNITS_MAX, or a sum of two of them.
        self.on_hand as i64 - self.promised() as i64
    }

    /// I7.
    pub fn is_sound(&self) -> bool {
        self.on_hand <= UNITS_MAX && self.promised() <= self.on_hand + self.allowance
    }
}
