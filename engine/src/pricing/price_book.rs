//! The prices of a SKU, and which of them holds for whom, where, when and for how many.

use serde::{Deserialize, Serialize};

use crate::catalog::ChannelId;
use crate::ids::PriceId;
use crate::money::{Currency, Money};
use crate::time::Timestamp;

/// One price. Of those that hold, the winner is: customer group, then channel, then the
/// highest `min_quantity`, then the latest `valid_from`, then the lowest id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    pub id: PriceId,
    pub amount: Money,
    /// The amount it is shown struck through beside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compare_at: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<ChannelId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_group: Option<String>,
    #[serde(default = "one")]
    pub min_quantity: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Timestamp>,
    /// The first instant at which it no longer holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
}

fn one() -> u32 {
    1
}

/// All prices of one SKU.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PriceBook {
    pub prices: Vec<Price>,
}

/// Who asks for a price, and for how many.
#[derive(Debug, Clone, Copy)]
pub struct PriceQuery<'a> {
    pub currency: Currency,
    pub channel: &'a ChannelId,
    pub customer_group: Option<&'a str>,
    pub quantity: u32,
    pub now: Timestamp,
}

impl PriceBook {
    /// The price that holds, or `None` where the SKU has none for this question.
    pub fn price(&self, query: PriceQuery<'_>) -> Option<&Price> {
        winning_price(&self.prices, query)
    }

    /// The next instant after `now` at which some price starts or ends to hold: until then the
    /// answers of [`PriceBook::price`] do not change.
    pub fn next_boundary(&self, now: Timestamp) -> Option<Timestamp> {
        let ends = self.prices.iter().flat_map(|price| [price.valid_from, price.valid_until]);
        ends.flatten().filter(|instant| *instant > now).min()
    }
}

/// Of the prices that hold, the one that wins, in whatever order they stand.
pub(super) fn winning_price<'a>(prices: &'a [Price], query: PriceQuery<'_>) -> Option<&'a Price> {
    prices.iter().filter(|price| price.holds(&query)).max_by_key(|price| {
        (
            price.customer_group.is_some(),
            price.channel.is_some(),
            price.min_quantity,
            price.valid_from.unwrap_or(Timestamp::MIN),
            std::cmp::Reverse(price.id),
        )
    })
}

impl Price {
    fn holds(&self, query: &PriceQuery<'_>) -> bool {
        self.amount.currency == query.currency
            && self.channel.as_ref().is_none_or(|channel| channel == query.channel)
            && self.customer_group.as_deref().is_none_or(|g| query.customer_group == Some(g))
            && self.min_quantity <= query.quantity
            && self.valid_from.is_none_or(|from| from <= query.now)
            && self.valid_until.is_none_or(|until| query.now < until)
    }
}

#[cfg(test)]
mod testing {
    use super::*;

    /// Prices in euro, numbered in the order they are added.
    #[derive(Debug, Clone, Default)]
    pub struct Book {
        pub prices: Vec<Price>,
    }

    impl Book {
        pub fn new() -> Book {
            Book::default()
        }

        pub fn add(mut self, amount: i64, adjust: impl FnOnce(&mut Price)) -> Book {
            let mut price = Price {
                id: PriceId(self.prices.len() as u128),
                amount: Money::new(amount, Currency::from_code("EUR").unwrap()),
                compare_at: None,
                channel: None,
                customer_group: None,
                min_quantity: 1,
                valid_from: None,
                valid_until: None,
            };
            adjust(&mut price);
            self.prices.push(price);
            self
        }
    }

    /// A member of group `gold` in channel `web` asks, in euro.
    pub fn query(quantity: u32, now_ms: i64) -> PriceQuery<'static> {
        static WEB: std::sync::LazyLock<ChannelId> =
            std::sync::LazyLock::new(|| "web".parse().unwrap());
        PriceQuery {
            currency: Currency::from_code("EUR").unwrap(),
            channel: &WEB,
            customer_group: Some("gold"),
            quantity,
            now: Timestamp(now_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::testing::{Book, query};
    use super::*;

    fn check(book: Book, quantity: u32, now_ms: i64, expected: Option<i64>) {
        let mut prices = book.prices;
        // The order in which prices stand says nothing.
        for _ in 0..prices.len() {
            prices.rotate_left(1);
            let book = PriceBook { prices: prices.clone() };
            let found = book.price(query(quantity, now_ms)).map(|price| price.amount.amount);
            assert_eq!(found, expected, "{prices:?}");
        }
    }

    fn web(price: &mut Price) {
        price.channel = Some("web".parse().unwrap());
    }

    fn gold(price: &mut Price) {
        price.customer_group = Some("gold".into());
    }

    #[test]
    fn a_group_wins_over_a_channel_over_a_quantity_over_a_date() {
        let plain = Book::new().add(1000, |_| ());
        let dated = plain.clone().add(1001, |price| price.valid_from = Some(Timestamp(5)));
        let tiered = dated.clone().add(1002, |price| price.min_quantity = 10);
        let channelled = tiered.clone().add(1003, web);
        let grouped = channelled.clone().add(1004, gold);
        check(plain, 10, 10, Some(1000));
        check(dated, 10, 10, Some(1001));
        check(tiered.clone(), 10, 10, Some(1002));
        check(tiered, 9, 10, Some(1001));
        check(channelled, 10, 10, Some(1003));
        check(grouped, 10, 10, Some(1004));
    }

    #[test]
    fn of_two_alike_the_lower_id_wins() {
        check(Book::new().add(5, |_| ()).add(4, |_| ()), 1, 0, Some(5));
    }

    #[test]
    fn what_is_meant_for_others_does_not_hold() {
        let other = |adjust: fn(&mut Price)| Book::new().add(1000, adjust);
        check(other(|p| p.channel = Some("us".parse().unwrap())), 1, 0, None);
        check(other(|p| p.customer_group = Some("staff".into())), 1, 0, None);
        check(other(|p| p.amount.currency = Currency::from_code("USD").unwrap()), 1, 0, None);
        check(other(|p| p.min_quantity = 2), 1, 0, None);
        check(Book::new(), 1, 0, None);
    }

    #[test]
    fn a_price_holds_from_its_first_instant_to_before_its_last() {
        let book = Book::new().add(1000, |price| {
            price.valid_from = Some(Timestamp(10));
            price.valid_until = Some(Timestamp(20));
        });
        for (now, expected) in [(9, None), (10, Some(1000)), (19, Some(1000)), (20, None)] {
            check(book.clone(), 1, now, expected);
        }
        let book = PriceBook { prices: book.prices };
        for (now, expected) in [(9, Some(10)), (10, Some(20)), (19, Some(20)), (20, None)] {
            let found = book.next_boundary(Timestamp(now));
            assert_eq!(found, expected.map(Timestamp), "{now}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_changes_before_the_next_boundary(
            spans in proptest::collection::vec((0..60i64, 0..60i64, 1..4u32), 0..8),
            now in 0..60i64,
        ) {
            let book = spans.iter().fold(Book::new(), |book, (from, length, min_quantity)| {
                book.add(*from, |price| {
                    price.min_quantity = *min_quantity;
                    price.valid_from = Some(Timestamp(*from)).filter(|_| from % 5 != 0);
                    price.valid_until =
                        Some(Timestamp(from + length)).filter(|_| length % 5 != 0);
                })
            });
            let book = PriceBook { prices: book.prices };
            let end = book.next_boundary(Timestamp(now)).map_or(200, |end| end.0);
            prop_assert!(end > now);
            for later in now..end {
                prop_assert_eq!(book.price(query(3, later)), book.price(query(3, now)));
            }
        }
    }
}
