//! Ways to ship, and what each costs.

use serde::{Deserialize, Serialize};

use crate::catalog::{ChannelId, CountryCode};
use crate::money::{Currency, Money};

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

impl ShippingMethod {
    /// What it costs for a subtotal in minor units of `currency`; `None` where it is not
    /// offered in that currency or for so little.
    pub fn price(&self, currency: Currency, subtotal: i64) -> Option<Money> {
        self.rates
            .iter()
            .filter(|rate| rate.price.currency == currency && rate.min_subtotal <= subtotal)
            .max_by_key(|rate| rate.min_subtotal)
            .map(|rate| rate.price)
    }

    /// Whether it is offered in a channel and reaches a country. Where the channel ships at
    /// all is the channel's to say.
    pub fn serves(&self, channel: &ChannelId, country: &CountryCode) -> bool {
        (self.channels.is_empty() || self.channels.contains(channel))
            && (self.countries.is_empty() || self.countries.contains(country))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn method() -> ShippingMethod {
        let eur = Currency::from_code("EUR").unwrap();
        let usd = Currency::from_code("USD").unwrap();
        let rate = |amount, currency, min_subtotal| ShippingRate {
            price: Money::new(amount, currency),
            min_subtotal,
        };
        ShippingMethod {
            id: "standard".into(),
            name: "Standard".into(),
            estimate: "2 to 4 working days".into(),
            channels: vec!["web".parse().unwrap()],
            countries: vec!["DE".parse().unwrap()],
            rates: vec![rate(0, eur, 5000), rate(490, eur, 0), rate(900, usd, 1000)],
        }
    }

    #[test]
    fn the_highest_threshold_reached_sets_the_price() {
        let check = |code, subtotal, expected| {
            let price = method().price(Currency::from_code(code).unwrap(), subtotal);
            assert_eq!(price.map(|money| money.amount), expected, "{code} {subtotal}");
        };
        check("EUR", 0, Some(490));
        check("EUR", 4999, Some(490));
        check("EUR", 5000, Some(0));
        check("USD", 999, None);
        check("USD", 1000, Some(900));
        check("GBP", 1000, None);
    }

    #[test]
    fn an_empty_list_of_channels_or_countries_means_all() {
        let serves = |method: &ShippingMethod, channel: &str, country: &str| {
            method.serves(&channel.parse().unwrap(), &country.parse().unwrap())
        };
        let mut method = method();
        assert!(serves(&method, "web", "DE"));
        assert!(!serves(&method, "us", "DE"));
        assert!(!serves(&method, "web", "FR"));
        method.channels.clear();
        method.countries.clear();
        assert!(serves(&method, "us", "FR"));
    }
}
