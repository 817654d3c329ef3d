//! When units are reserved for a shopper, and for how long.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::section::section;
use super::sections::Config;
use super::units::Span;

/// A hold shorter than this would run out between a click and its answer.
const HOLD_MIN: Duration = Duration::from_secs(1);

/// Carts live for weeks, and what they hold is nobody else's.
const HOLD_MAX: Duration = Duration::from_secs(24 * 60 * 60);

section! {
    /// When units are reserved for a shopper, and for how long.
    pub struct Inventory {
        /// When units are reserved: `checkout` (as soon as a cart is being bought) or `cart` (as
        /// soon as they are in a cart, for `inventory.hold`; what is not there cannot be added).
        pub reserve_on: ReserveOn = ReserveOn::Checkout,
        /// With `reserve_on = "cart"`: how long a cart holds its units after each change of it.
        pub hold: Span = Span::seconds(15 * 60),
    }
}

/// When units are reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReserveOn {
    Checkout,
    Cart,
}

impl Inventory {
    /// How long a cart holds what is in it; `None` where it does not.
    pub fn hold_ttl(&self) -> Option<Duration> {
        (self.reserve_on == ReserveOn::Cart).then(|| self.hold.get())
    }
}

/// What is wrong with it.
pub(super) fn problem(config: &Config) -> Option<String> {
    let hold = config.inventory.hold;
    let is_sound = (HOLD_MIN..=HOLD_MAX).contains(&hold.get());
    (!is_sound).then(|| format!("{hold} is not between 1s and 24h"))
}
