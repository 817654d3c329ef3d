//! A line of an order: frozen as it was bought, and how far it has come since.

use serde::{Deserialize, Serialize};

use super::amounts::of_the_first;
use crate::cart::LineId;
use crate::catalog::{SelectedOption, Sku};
use crate::ids::ProductId;

/// The first half never changes after placing, whatever becomes of the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderLine {
    pub id: LineId,
    pub sku: Sku,
    pub product: ProductId,
    pub title: String,
    pub options: Vec<SelectedOption>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// At least 1.
    pub quantity: u32,
    pub unit_price: i64,
    /// What all units of it got off, at least 0.
    pub discount: i64,
    pub tax: i64,
    /// The rate that the tax was taken at, in basis points.
    pub tax_rate_bp: u32,
    /// Whether stock is kept of it.
    pub tracked: bool,
    /// How many units one customer might have, over all their orders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_per_customer: Option<u32>,

    #[serde(default)]
    pub fulfilled: u32,
    /// Units that came back.
    #[serde(default)]
    pub returned: u32,
    /// Units that were paid back, or are about to be.
    #[serde(default)]
    pub refunded: u32,
}

impl OrderLine {
    pub fn total(&self) -> i64 {
        self.unit_price * i64::from(self.quantity)
    }

    /// What was paid for it, with its tax.
    pub fn paid(&self, tax_included: bool) -> i64 {
        self.total() - self.discount + if tax_included { 0 } else { self.tax }
    }

    pub fn unfulfilled(&self) -> u32 {
        self.quantity - self.fulfilled
    }

    /// What so many of its units were paid.
    pub(super) fn paid_for(&self, units: u32, tax_included: bool) -> i64 {
        of_the_first(self.paid(tax_included), units, self.quantity)
    }
}
