//! Prices of the sample goods. Each is written down in euro; the other currencies follow at a
//! fixed rate, on an amount that a shop there would print on a tag.

use barrow_engine::catalog::ChannelId;
use barrow_engine::money::{Currency, Money};

use crate::record::PriceRecord;

/// What 100 euro come to, in whole units of each currency.
const RATES: [(&str, i64); 3] = [("EUR", 100), ("USD", 109), ("GBP", 86)];

/// From this many on, a unit costs so many percent less.
const TIERS: [(u32, i64); 2] = [(4, 8), (12, 15)];

/// What a price in the United States is of the others, in percent: it comes without the tax.
const WITHOUT_TAX_PERCENT: i64 = 93;

/// How a product is priced, in euro cents.
#[derive(Debug, Clone, Copy)]
pub struct Pricing {
    pub unit: i64,
    pub compare_at: Option<i64>,
    /// Cheaper by the dozen.
    pub tiers: bool,
    /// A price of its own in the channel `us`.
    pub us: bool,
}

pub fn prices(pricing: Pricing) -> Vec<PriceRecord> {
    let mut prices = Vec::new();
    for (code, rate) in RATES {
        let unit = tag(pricing.unit, code, rate);
        let mut plain = PriceRecord::plain(money(unit, code));
        plain.compare_at = pricing.compare_at.map(|was| money(tag(was, code, rate), code));
        prices.push(plain);
        if pricing.tiers {
            prices.extend(TIERS.map(|(min_quantity, percent_off)| {
                // To five cents, as tags for several have it.
                let amount = unit * (100 - percent_off) / 100 / 5 * 5;
                PriceRecord { min_quantity, ..PriceRecord::plain(money(amount, code)) }
            }));
        }
        if pricing.us && code == "USD" {
            let amount = tag(pricing.unit * WITHOUT_TAX_PERCENT / 100, code, rate);
            let channel = ChannelId::new("us").expect("'us' is a channel");
            prices.push(PriceRecord {
                channel: Some(channel),
                ..PriceRecord::plain(money(amount, code))
            });
        }
    }
    prices
}

fn money(amount: i64, code: &str) -> Money {
    Money::new(amount, Currency::from_code(code).expect("the three are in ISO 4217"))
}

/// An amount for a price tag, in minor units: euro as written, else .99 or .50 for small things
/// and whole units that end in 5 or 9 for large ones.
fn tag(euro_cents: i64, code: &str, rate: i64) -> i64 {
    if code == "EUR" {
        return euro_cents;
    }
    let amount = euro_cents * rate / 100;
    if amount < 1000 {
        return (amount + 25) / 50 * 50 - 1;
    }
    if amount < 5000 {
        return (amount + 50) / 100 * 100 - 1;
    }
    let units = (amount + 50) / 100;
    let tens = units / 10 * 10;
    // Of the tags around it the nearest one.
    let tags = [tens - 1, tens + 5, tens + 9];
    let nearest = tags.into_iter().min_by_key(|tag| (tag - units).abs());
    nearest.unwrap_or(units) * 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_look_like_those_of_a_shop() {
        let check = |euro_cents, code, rate, expected: i64| {
            assert_eq!(tag(euro_cents, code, rate), expected, "{euro_cents} {code}");
        };
        check(1890, "EUR", 100, 1890);
        check(1890, "USD", 109, 2099);
        check(450, "GBP", 86, 399);
        check(14900, "USD", 109, 15900);
        check(14900, "GBP", 86, 12900);
        check(32900, "GBP", 86, 28500);
    }

    #[test]
    fn more_units_never_cost_more_a_piece() {
        for unit in (300..60_000).step_by(37) {
            let all = prices(Pricing { unit, compare_at: None, tiers: true, us: false });
            for currency in all.chunks(1 + TIERS.len()) {
                assert!(currency.windows(2).all(|two| two[1].amount.amount < two[0].amount.amount));
                assert!(currency.iter().all(|price| price.amount.amount > 0));
            }
        }
    }
}
