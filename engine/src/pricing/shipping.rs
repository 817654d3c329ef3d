//! Ways to ship, and what each costs.

use serde::{Deserialize, Serialize};

use crate::catalog::{ChannelId, CountryCode};
use crate::money::Money;

/// A price from a subtotal on, in one currency. Of those that hold the one with the highest
/// `min_subtotal` wins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShippingRate {
    pub price: Money,
    /// In minor units of the price's currency.
    #[serde(default)]
    pub min_subtotal: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShippingMethod {
    pub id: String,
    pub name: String,
    /// What the shopper is told: "2 to 4 working days".
    pub estimate: String,
    /// Empty for all.
    #[serde(default)]
    pub channels: Vec<ChannelId>,
    /// Empty for wherever the channel ships.
    #[serde(default)]
    pub countries: Vec<CountryCode>,
    pub rates: Vec<ShippingRate>,
}
