//! The quote: what a cart costs, and how the sum comes about.
//!
//! It is kept, not computed: each line knows its total and its tax, the cart knows the sums, and
//! a change takes the old line out of the sums and puts the new one in. So a change costs what
//! it changes, however many lines there are. The sums are integers, hence the result is exactly
//! the one that adding everything up again would give.
//!
//! Tax is rounded once per line and once for shipping, half away from zero. Where prices include
//! the tax it is a part of the total, else it comes on top.

use std::sync::Arc;

use super::terms::Terms;
use crate::money::{AMOUNT_MAX, Currency, Money};
use crate::pricing::tax_amount;
use crate::quantity::Quantity;

/// The most lines of a cart: beyond it is a bulk order, and wants a file.
pub const LINES_MAX: usize = 1_000;

/// The most one line, or shipping, may be worth, in minor units: 22.5 billion euros. With it the
/// largest cart, [`LINES_MAX`] lines and shipping taxed at 100 %, stays below [`AMOUNT_MAX`], so
/// no change and no new price can make a sum overflow.
pub const LINE_TOTAL_MAX: i64 = AMOUNT_MAX / (4 * LINES_MAX as i64);

// All lines and shipping, doubled by the tax.
const _: () = assert!((LINES_MAX as i64 + 1) * LINE_TOTAL_MAX * 2 < AMOUNT_MAX);

/// One signed part of a line's price besides unit price times quantity; a discount is negative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjustment {
    pub label: Arc<str>,
    pub amount: Money,
}

/// A line with what it costs. Amounts are in minor units of one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PricedLine {
    pub(super) unit_price: i64,
    pub(super) line_total: i64,
    pub(super) adjustments: Vec<Adjustment>,
    pub(super) tax: i64,
}

impl PricedLine {
    /// Prices a line. Its tax is that of what is left after the adjustments.
    pub(super) fn new(
        unit_price: i64,
        quantity: Quantity,
        adjustments: Vec<Adjustment>,
        tax_rate_bp: u32,
        tax_included: bool,
    ) -> PricedLine {
        let line_total = unit_price * i64::from(quantity.get());
        let adjusted = line_total + sum_of(&adjustments);
        let tax = tax_amount(adjusted, tax_rate_bp, tax_included);
        PricedLine { unit_price, line_total, adjustments, tax }
    }
}

fn sum_of(adjustments: &[Adjustment]) -> i64 {
    adjustments.iter().map(|adjustment| adjustment.amount.amount).sum()
}

/// What a cart costs; the fields of the reply of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// The sum of the line totals.
    pub subtotal: Money,
    /// What the adjustments of the lines take off; not negative.
    pub discount: Money,
    pub shipping: Money,
    /// Of goods and shipping; a part of `total` or on top, see `tax_included`.
    pub tax: Money,
    /// `subtotal - discount + shipping`, plus `tax` where it is not included.
    pub total: Money,
    pub tax_included: bool,
    /// What gift cards pay.
    pub gift_cards: Money,
    /// `total - gift_cards`.
    pub due: Money,
}

/// A way to ship this cart, and its price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShippingOption<'a> {
    pub id: &'a str,
    pub name: &'a str,
    /// What the shopper is told: "2 to 4 working days".
    pub estimate: &'a str,
    pub price: Money,
}

/// The priced cart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    lines: usize,
    subtotal: i64,
    adjustments: i64,
    lines_tax: i64,
    shipping_price: Option<Money>,
    totals: Totals,
}

impl Quote {
    /// The quote of a cart without lines.
    pub(super) fn empty(currency: Currency) -> Quote {
        let zero = Money::zero(currency);
        Quote {
            lines: 0,
            subtotal: 0,
            adjustments: 0,
            lines_tax: 0,
            shipping_price: None,
            totals: Totals {
                subtotal: zero,
                discount: zero,
                shipping: zero,
                tax: zero,
                total: zero,
                tax_included: false,
                gift_cards: zero,
                due: zero,
            },
        }
    }

    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// What the chosen shipping method costs; `None` where none is chosen or it is not
    /// available.
    pub fn shipping_price(&self) -> Option<Money> {
        self.shipping_price
    }

    /// Puts a line into the sums.
    pub(super) fn add(&mut self, line: &PricedLine) {
        self.lines += 1;
        self.subtotal += line.line_total;
        self.adjustments += sum_of(&line.adjustments);
        self.lines_tax += line.tax;
    }

    /// Takes a line out of the sums.
    pub(super) fn take(&mut self, line: &PricedLine) {
        self.lines -= 1;
        self.subtotal -= line.line_total;
        self.adjustments -= sum_of(&line.adjustments);
        self.lines_tax -= line.tax;
    }

    /// Computes the totals from the sums.
    pub(super) fn settle(&mut self, terms: &Terms, shipping_method: Option<&str>) {
        let method = shipping_method
            .and_then(|id| terms.shipping_options(self.subtotal).find(|option| option.id == id));
        self.shipping_price = method.map(|method| method.price);
        // Nothing to ship costs nothing, whatever way was chosen for it.
        let price = self.shipping_price.filter(|_| self.lines > 0);
        let shipping = price.map_or(0, |price| price.amount);
        let shipping_rate_bp = terms.shipping_tax_rate_bp();
        let tax = self.lines_tax + tax_amount(shipping, shipping_rate_bp, terms.tax_included);
        let discount = -self.adjustments;
        let on_top = if terms.tax_included { 0 } else { tax };
        let total = self.subtotal - discount + shipping + on_top;
        let money = |amount| Money::new(amount, terms.currency);
        self.totals = Totals {
            subtotal: money(self.subtotal),
            discount: money(discount),
            shipping: money(shipping),
            tax: money(tax),
            total: money(total),
            tax_included: terms.tax_included,
            gift_cards: money(0),
            due: money(total),
        };
    }
}
