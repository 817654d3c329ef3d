//! Prices as a product page shows them: for one unit, for more, before, and over all variants.
//!
//! Shown to everybody, so without a customer's group; what a cart charges is asked of the
//! [`PriceBook`] itself.

use std::time::Duration;

use super::price_book::winning_price;
use super::{PriceBook, PriceQuery};
use crate::catalog::{ChannelId, Product};
use crate::money::{Currency, Money};
use crate::time::Timestamp;

/// How far back the lowest former price is looked for: what EU law asks for beside a reduction.
const FORMER_PRICES: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What one unit costs from a quantity on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceTier {
    pub min_quantity: u32,
    pub unit: Money,
}

/// The price of a variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownPrice {
    pub unit: Money,
    /// Only where it is more than `unit`.
    pub compare_at: Option<Money>,
    /// The least one unit cost in the 30 days before this price began, as far as the price book
    /// tells; `None` where it does not.
    pub lowest_30d: Option<Money>,
    /// From two units on, by rising quantity.
    pub tiers: Vec<PriceTier>,
}

/// The prices of a product's variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceRange {
    pub from: Money,
    pub to: Money,
    /// What the cheapest variant is compared with.
    pub compare_at: Option<Money>,
}

impl PriceBook {
    /// The price to show, or `None` where one unit has none.
    pub fn shown(
        &self,
        channel: &ChannelId,
        currency: Currency,
        now: Timestamp,
    ) -> Option<ShownPrice> {
        let query = PriceQuery { currency, channel, customer_group: None, quantity: 1, now };
        let price = self.price(query)?;
        Some(ShownPrice {
            unit: price.amount,
            compare_at: price.compare_at.filter(|former| former.amount > price.amount.amount),
            lowest_30d: price.valid_from.and_then(|from| self.lowest_before(from, query)),
            tiers: self.tiers(query),
        })
    }

    fn tiers(&self, query: PriceQuery<'_>) -> Vec<PriceTier> {
        let mut quantities: Vec<u32> =
            self.prices.iter().map(|price| price.min_quantity).filter(|n| *n > 1).collect();
        quantities.sort_unstable();
        quantities.dedup();
        quantities
            .into_iter()
            .filter_map(|quantity| {
                // A tier that another price overrules at its own quantity is none.
                let price = self.price(PriceQuery { quantity, ..query })?;
                (price.min_quantity == quantity)
                    .then_some(PriceTier { min_quantity: quantity, unit: price.amount })
            })
            .collect()
    }

    fn lowest_before(&self, began: Timestamp, query: PriceQuery<'_>) -> Option<Money> {
        let start = began.minus(FORMER_PRICES);
        let changes = self.prices.iter().flat_map(|price| [price.valid_from, price.valid_until]);
        let within = changes.flatten().filter(|at| start < *at && *at < began);
        std::iter::once(start)
            .chain(within)
            .filter_map(|now| self.price(PriceQuery { now, ..query }))
            .map(|price| price.amount)
            .min_by_key(|money| money.amount)
    }
}

impl PriceRange {
    /// `None` where no variant has a price. All are in one currency.
    pub fn of<'a>(prices: impl IntoIterator<Item = &'a ShownPrice>) -> Option<PriceRange> {
        let mut prices = prices.into_iter();
        let first = prices.next()?;
        let range = PriceRange { from: first.unit, to: first.unit, compare_at: first.compare_at };
        Some(prices.fold(range, |range, price| PriceRange {
            from: if price.unit.amount < range.from.amount { price.unit } else { range.from },
            to: if price.unit.amount > range.to.amount { price.unit } else { range.to },
            compare_at: if price.unit.amount < range.from.amount {
                price.compare_at
            } else {
                range.compare_at
            },
        }))
    }
}

impl Product {
    /// What one unit of its cheapest variant costs, by which lists sort and filter; `None`
    /// where no variant has a price. The query's quantity says nothing.
    pub fn lowest_price(&self, query: PriceQuery<'_>) -> Option<Money> {
        let query = PriceQuery { quantity: 1, ..query };
        let prices = self.variants.iter().filter_map(|v| winning_price(&v.prices, query));
        prices.map(|price| price.amount).min_by_key(|money| money.amount)
    }

    /// The next instant after `now` at which it is published or one of its prices starts or
    /// ends: until then its page and its place in lists do not change by themselves.
    pub fn next_boundary(&self, now: Timestamp) -> Option<Timestamp> {
        let prices = self.variants.iter().flat_map(|variant| &variant.prices);
        let ends = prices.flat_map(|price| [price.valid_from, price.valid_until]);
        ends.chain([self.publish_at]).flatten().filter(|instant| *instant > now).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::PriceId;
    use crate::pricing::Price;

    const DAY: i64 = 24 * 60 * 60 * 1000;

    fn eur(amount: i64) -> Money {
        Money::new(amount, Currency::from_code("EUR").unwrap())
    }

    fn price(id: u128, amount: i64) -> Price {
        Price {
            id: PriceId(id),
            amount: eur(amount),
            compare_at: None,
            channel: None,
            customer_group: None,
            min_quantity: 1,
            valid_from: None,
            valid_until: None,
        }
    }

    fn shown(prices: Vec<Price>, now: i64) -> Option<ShownPrice> {
        let channel = ChannelId::new("web").unwrap();
        PriceBook { prices }.shown(&channel, eur(0).currency, Timestamp(now))
    }

    #[test]
    fn tiers_rise_and_overruled_ones_are_left_out() {
        let tier = |id, amount, min_quantity| Price { min_quantity, ..price(id, amount) };
        let overruled = Price { valid_until: Some(Timestamp(1)), ..tier(4, 10, 20) };
        let shown =
            shown(vec![tier(3, 80, 10), price(1, 100), tier(2, 90, 5), overruled], 2).unwrap();
        assert_eq!(shown.unit, eur(100));
        let tiers: Vec<_> = shown.tiers.iter().map(|t| (t.min_quantity, t.unit.amount)).collect();
        assert_eq!(tiers, [(5, 90), (10, 80)]);
    }

    #[test]
    fn compare_at_is_only_shown_where_it_is_more() {
        for (former, expected) in [(100, None), (99, None), (101, Some(eur(101)))] {
            let prices = vec![Price { compare_at: Some(eur(former)), ..price(1, 100) }];
            assert_eq!(shown(prices, 0).unwrap().compare_at, expected);
        }
    }

    #[test]
    fn the_lowest_former_price_is_that_of_the_30_days_before_it_began() {
        let between = |id, amount, from: i64, until: i64| Price {
            valid_from: Some(Timestamp(from * DAY)),
            valid_until: Some(Timestamp(until * DAY)),
            ..price(id, amount)
        };
        // 50 was long ago, 70 for a day within the 30 days, 60 is the reduction itself.
        let prices = vec![
            price(1, 100),
            between(2, 50, 10, 20),
            between(3, 70, 80, 81),
            between(4, 60, 100, 200),
        ];
        assert_eq!(shown(prices.clone(), 150 * DAY).unwrap().lowest_30d, Some(eur(70)));
        // A price without a beginning has no time before it.
        assert_eq!(shown(prices, 90 * DAY).unwrap().lowest_30d, None);
    }

    #[test]
    fn a_range_spans_the_variants_and_compares_the_cheapest() {
        let one = |amount, former: Option<i64>| ShownPrice {
            unit: eur(amount),
            compare_at: former.map(eur),
            lowest_30d: None,
            tiers: Vec::new(),
        };
        let prices = [one(30, None), one(10, Some(15)), one(20, Some(90))];
        let range = PriceRange { from: eur(10), to: eur(30), compare_at: Some(eur(15)) };
        assert_eq!(PriceRange::of(&prices), Some(range));
        assert_eq!(PriceRange::of(&[]), None);
    }
}
