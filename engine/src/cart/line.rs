//! A line of a cart: a SKU, how many of it, and at which unit price the shopper agreed.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::policy::PriceChangePolicy;
use super::problems::Problem;
use super::quote::{Adjustment, LINE_TOTAL_MAX, PricedLine};
use super::terms::{Offer, Terms};
use crate::catalog::{Sellable, Sku};
use crate::money::{Currency, Money};
use crate::quantity::Quantity;
use crate::time::Timestamp;

/// The name of a line within its cart, `line_1`, `line_2` and so on. Counted up, never reused,
/// so that a command for a line that was removed can never reach another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LineId(pub u32);

impl LineId {
    pub const PREFIX: &'static str = "line_";
    pub const FIRST: LineId = LineId(1);

    /// `None` after four billion lines.
    pub fn next(self) -> Option<LineId> {
        self.0.checked_add(1).map(LineId)
    }
}

impl fmt::Display for LineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", LineId::PREFIX, self.0)
    }
}

/// A text that is not a line's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a line of the form line_1")]
pub struct InvalidLineId;

impl FromStr for LineId {
    type Err = InvalidLineId;
    fn from_str(text: &str) -> Result<Self, InvalidLineId> {
        let digits = text.strip_prefix(LineId::PREFIX).ok_or(InvalidLineId)?;
        // One text form only: no sign, no leading zero.
        if !digits.starts_with(|c: char| matches!(c, '1'..='9')) {
            return Err(InvalidLineId);
        }
        digits.parse().map(LineId).map_err(|_| InvalidLineId)
    }
}

/// A line with its price of today.
#[derive(Debug, Clone)]
pub struct Line {
    id: LineId,
    sku: Sku,
    quantity: Quantity,
    /// In minor units, as everything in here.
    accepted_unit: i64,
    currency: Currency,
    sellable: Option<Arc<Sellable>>,
    offer: Offer,
    priced: PricedLine,
}

impl Line {
    pub fn id(&self) -> LineId {
        self.id
    }

    pub fn sku(&self) -> &Sku {
        &self.sku
    }

    pub fn quantity(&self) -> Quantity {
        self.quantity
    }

    /// The snapshot of the SKU, from which its title, options and picture come; `None` where
    /// the SKU has gone from the catalog.
    pub fn sellable(&self) -> Option<&Arc<Sellable>> {
        self.sellable.as_ref()
    }

    /// The current unit price; where there is none, the one last accepted.
    pub fn unit_price(&self) -> Money {
        Money::new(self.priced.unit_price, self.currency)
    }

    /// The unit price the shopper agreed to.
    pub fn accepted_unit_price(&self) -> Money {
        Money::new(self.accepted_unit, self.currency)
    }

    /// Unit price times quantity.
    pub fn line_total(&self) -> Money {
        Money::new(self.priced.line_total, self.currency)
    }

    pub fn adjustments(&self) -> &[Adjustment] {
        &self.priced.adjustments
    }

    pub fn tax(&self) -> Money {
        Money::new(self.priced.tax, self.currency)
    }

    /// What keeps this line from being bought as it is.
    pub fn problems(&self) -> Vec<Problem> {
        #[cfg(test)]
        super::tests::count_line();
        let mut problems = Vec::new();
        match (&self.sellable, self.offer) {
            (Some(sellable), Offer::Sold { unit }) => {
                self.add_price_problem(unit, &mut problems);
                self.add_stock_problem(sellable, &mut problems);
                self.add_quantity_problem(sellable, u32::MAX, &mut problems);
            }
            (Some(sellable), Offer::TooMuch { unit }) => {
                // It fits 32 bits: the quantity was too much for the unit price, so it is less.
                let maximum = u32::try_from(LINE_TOTAL_MAX / unit.max(1)).unwrap_or(u32::MAX);
                self.add_stock_problem(sellable, &mut problems);
                self.add_quantity_problem(sellable, maximum, &mut problems);
            }
            (_, Offer::NoPrice | Offer::NotSold) | (None, _) => {
                problems.push(Problem::VariantUnavailable { line: self.id });
            }
        }
        problems
    }

    fn add_price_problem(&self, unit: i64, problems: &mut Vec<Problem>) {
        if PriceChangePolicy::default().needs_consent(self.accepted_unit, unit) {
            problems.push(Problem::PriceChanged {
                line: self.id,
                old_price: Money::new(self.accepted_unit, self.currency),
                new_price: Money::new(unit, self.currency),
            });
        }
    }

    fn add_stock_problem(&self, sellable: &Sellable, problems: &mut Vec<Problem>) {
        let requested = self.quantity.get();
        if let Some(available) = sellable.available()
            && available < u64::from(requested)
        {
            problems.push(Problem::InsufficientStock { line: self.id, requested, available });
        }
    }

    fn add_quantity_problem(&self, sellable: &Sellable, maximum: u32, problems: &mut Vec<Problem>) {
        let maximum = sellable.stock.max_per_customer.unwrap_or(u32::MAX).min(maximum);
        if maximum < self.quantity.get() {
            problems.push(Problem::QuantityLimit { line: self.id, maximum });
        }
    }

    /// The current unit price, if the shopper has yet to agree to it.
    pub(super) fn unit_to_accept(&self) -> Option<i64> {
        let unit = self.offer.unit()?;
        PriceChangePolicy::default().needs_consent(self.accepted_unit, unit).then_some(unit)
    }

    pub(super) fn accepted_unit(&self) -> i64 {
        self.accepted_unit
    }

    pub(super) fn priced(&self) -> &PricedLine {
        &self.priced
    }

    /// What is kept of a line in the row, to be priced.
    pub(super) fn kept(&self) -> KeptLine {
        #[cfg(test)]
        super::tests::count_line();
        KeptLine {
            id: self.id,
            sku: self.sku.clone(),
            quantity: self.quantity,
            accepted_unit: self.accepted_unit,
        }
    }

    /// This line under other terms that leave its price alone: another place, another tax.
    pub(super) fn retaxed(&self, terms: &Terms) -> Line {
        #[cfg(test)]
        super::tests::count_line();
        let priced = price(self.priced.unit_price, self.quantity, self.sellable.as_ref(), terms);
        Line { priced, ..self.clone() }
    }
}

/// The part of a line that is durable; the rest follows from the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeptLine {
    pub id: LineId,
    pub sku: Sku,
    pub quantity: Quantity,
    pub accepted_unit: i64,
}

impl KeptLine {
    /// The line with its price at `now`.
    pub fn priced(self, sellable: Option<Arc<Sellable>>, terms: &Terms, now: Timestamp) -> Line {
        #[cfg(test)]
        super::tests::count_line();
        let offer = terms.offer(sellable.as_ref(), self.quantity, now);
        let unit = offer.unit().unwrap_or(self.accepted_unit);
        let priced = price(unit, self.quantity, sellable.as_ref(), terms);
        Line {
            id: self.id,
            sku: self.sku,
            quantity: self.quantity,
            accepted_unit: self.accepted_unit,
            currency: terms.currency,
            sellable,
            offer,
            priced,
        }
    }
}

fn price(
    unit: i64,
    quantity: Quantity,
    sellable: Option<&Arc<Sellable>>,
    terms: &Terms,
) -> PricedLine {
    let rate_bp = sellable.map_or(0, |sellable| terms.tax_rate_bp(&sellable.tax_category));
    PricedLine::new(unit, quantity, Vec::new(), rate_bp, terms.tax_included)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_one_name() {
        assert_eq!(LineId(17).to_string(), "line_17");
        assert_eq!("line_17".parse(), Ok(LineId(17)));
        for text in ["line_0", "line_01", "line_+1", "line_", "17", "LINE_1", "line_4294967296"] {
            assert_eq!(text.parse::<LineId>(), Err(InvalidLineId), "{text}");
        }
        assert_eq!(LineId(u32::MAX).next(), None);
    }
}
