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
        self.prices.iter().filter(|price| price.holds(&query)).max_by_key(|price| {
            (
                price.customer_group.is_some(),
                price.channel.is_some(),
                price.min_quantity,
                price.valid_from.unwrap_or(Timestamp::MIN),
                std::cmp::Reverse(price.id),
            )
        })
    }
}

impl PriceBook {
    /// The next instant after `now` at which some price starts or ends to hold: until then the
    /// answers of [`PriceBook::price`] do not change.
    pub fn next_boundary(&self, now: Timestamp) -> Option<Timestamp> {
        let ends = self.prices.iter().flat_map(|price| [price.valid_from, price.valid_until]);
        ends.flatten().filter(|instant| *instant > now).min()
    }
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
