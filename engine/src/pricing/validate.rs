//! Whether a shop's settings hold together. Checked once, at start: what is wrong is named with
//! its place, and the shop does not open until it is put right.

use std::collections::BTreeSet;
use std::fmt::Display;

use super::{
    Channel, ShippingMethod, ShippingRate, Shop, TAX_RATE_BP_MAX, TaxRate, TaxTable, TaxZone,
};
use crate::catalog::CountryCode;
use crate::money::AMOUNT_MAX;

/// Every request that names a channel looks through them; no business runs more.
pub const CHANNELS_MAX: usize = 100;
/// All the world's countries with all the states of the United States, several times over.
pub const TAX_ZONES_MAX: usize = 2_000;
/// A shopper picks one from a list.
pub const SHIPPING_METHODS_MAX: usize = 100;
/// Names and estimates are one line on a page.
pub const SHOP_TEXT_MAX: usize = 200;

/// What is wrong with a shop's settings, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("shop.{path}: {problem}")]
pub struct ShopError {
    /// From the shop down: `channels[0].currencies`.
    pub path: String,
    pub problem: String,
}

type Checked = Result<(), ShopError>;

impl Shop {
    /// Refuses settings that contradict themselves or that nothing could be sold by.
    pub fn validate(&self) -> Result<(), ShopError> {
        text("name", &self.name)?;
        count("channels", self.channels.len(), CHANNELS_MAX)?;
        if self.channels.is_empty() {
            return wrong("channels", "at least one channel is needed");
        }
        unique("channels", self.channels.iter().map(|channel| &channel.id))?;
        for (index, channel) in self.channels.iter().enumerate() {
            check_channel(&format!("channels[{index}]"), channel)?;
        }
        if self.channel(&self.default_channel).is_none() {
            let problem = format!("there is no channel '{}'", self.default_channel);
            return wrong("default_channel", problem);
        }
        check_tax(&self.tax)?;
        self.check_shipping_methods()
    }

    fn check_shipping_methods(&self) -> Checked {
        count("shipping_methods", self.shipping_methods.len(), SHIPPING_METHODS_MAX)?;
        unique("shipping_methods", self.shipping_methods.iter().map(|method| &method.id))?;
        for (index, method) in self.shipping_methods.iter().enumerate() {
            let path = format!("shipping_methods[{index}]");
            check_method(&path, method)?;
            if let Some(unknown) = method.channels.iter().find(|id| self.channel(id).is_none()) {
                return wrong(
                    &format!("{path}.channels"),
                    format!("there is no channel '{unknown}'"),
                );
            }
        }
        Ok(())
    }
}

fn check_channel(path: &str, channel: &Channel) -> Checked {
    some(&format!("{path}.currencies"), &channel.currencies)?;
    some(&format!("{path}.locales"), &channel.locales)?;
    some(&format!("{path}.countries"), &channel.countries)?;
    unique(&format!("{path}.currencies"), &channel.currencies)?;
    unique(&format!("{path}.locales"), &channel.locales)?;
    unique(&format!("{path}.countries"), &channel.countries)
}

fn check_tax(table: &TaxTable) -> Checked {
    count("tax.zones", table.zones.len(), TAX_ZONES_MAX)?;
    unique("tax.zones", table.zones.iter().map(|zone| &zone.id))?;
    let mut places: BTreeSet<(&CountryCode, String)> = BTreeSet::new();
    for (index, zone) in table.zones.iter().enumerate() {
        let path = format!("tax.zones[{index}]");
        check_zone(&path, zone)?;
        for place in zone_places(zone) {
            let name = format!("{} {}", place.0, place.1);
            if !places.insert(place) {
                let problem = format!("'{}' lies in two zones", name.trim_end());
                return wrong(&path, problem);
            }
        }
    }
    Ok(())
}

/// The places a zone speaks for; no region stands for the whole country.
fn zone_places(zone: &TaxZone) -> impl Iterator<Item = (&CountryCode, String)> {
    zone.countries.iter().flat_map(|country| {
        let regions = zone.regions.iter().map(move |r| (country, r.to_ascii_uppercase()));
        let whole = zone.regions.is_empty().then(|| (country, String::new()));
        regions.chain(whole)
    })
}

fn check_zone(path: &str, zone: &TaxZone) -> Checked {
    text(&format!("{path}.id"), &zone.id)?;
    some(&format!("{path}.countries"), &zone.countries)?;
    some(&format!("{path}.rates"), &zone.rates)?;
    unique(&format!("{path}.rates"), zone.rates.iter().map(|rate| &rate.category))?;
    for (index, region) in zone.regions.iter().enumerate() {
        text(&format!("{path}.regions[{index}]"), region)?;
    }
    for (index, TaxRate { category, rate_bp }) in zone.rates.iter().enumerate() {
        text(&format!("{path}.rates[{index}].category"), category)?;
        if *rate_bp > TAX_RATE_BP_MAX {
            let problem = format!("{rate_bp} basis points are more than {TAX_RATE_BP_MAX}");
            return wrong(&format!("{path}.rates[{index}].rate_bp"), problem);
        }
    }
    Ok(())
}

fn check_method(path: &str, method: &ShippingMethod) -> Checked {
    text(&format!("{path}.id"), &method.id)?;
    text(&format!("{path}.name"), &method.name)?;
    text(&format!("{path}.estimate"), &method.estimate)?;
    some(&format!("{path}.rates"), &method.rates)?;
    unique(&format!("{path}.channels"), &method.channels)?;
    unique(&format!("{path}.countries"), &method.countries)?;
    let starts = method.rates.iter().map(|rate| (rate.price.currency, rate.min_subtotal));
    let starts = starts.map(|(currency, from)| format!("{currency} from {from}"));
    unique(&format!("{path}.rates"), starts)?;
    for (index, ShippingRate { price, min_subtotal }) in method.rates.iter().enumerate() {
        amount(&format!("{path}.rates[{index}].price"), price.amount)?;
        amount(&format!("{path}.rates[{index}].min_subtotal"), *min_subtotal)?;
    }
    Ok(())
}

fn wrong(path: &str, problem: impl Into<String>) -> Checked {
    Err(ShopError { path: path.to_owned(), problem: problem.into() })
}

fn text(path: &str, text: &str) -> Checked {
    if text.trim().is_empty() {
        return wrong(path, "must not be empty");
    }
    if text.chars().count() > SHOP_TEXT_MAX {
        return wrong(path, format!("is longer than {SHOP_TEXT_MAX} characters"));
    }
    if text.chars().any(char::is_control) {
        return wrong(path, "holds a control character");
    }
    Ok(())
}

fn some<T>(path: &str, list: &[T]) -> Checked {
    if list.is_empty() { wrong(path, "must not be empty") } else { Ok(()) }
}

fn count(path: &str, found: usize, most: usize) -> Checked {
    if found <= most { Ok(()) } else { wrong(path, format!("{found} are more than {most}")) }
}

fn amount(path: &str, amount: i64) -> Checked {
    if (0..=AMOUNT_MAX).contains(&amount) {
        return Ok(());
    }
    wrong(path, format!("{amount} is not an amount from 0 to 2^53 - 1"))
}

fn unique<T: Ord + Display>(path: &str, list: impl IntoIterator<Item = T>) -> Checked {
    let mut list: Vec<T> = list.into_iter().collect();
    list.sort();
    match list.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => wrong(path, format!("'{}' stands there twice", pair[0])),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::{Currency, Money};

    fn check(spoil: impl FnOnce(&mut Shop), expected: &str) {
        let mut shop = Shop::sample();
        spoil(&mut shop);
        let found = shop.validate().expect_err(expected).to_string();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_sample_shop_holds_together() {
        assert_eq!(Shop::sample().validate(), Ok(()));
    }

    #[test]
    fn the_shop_survives_a_round_trip_through_its_file_form() {
        let json = serde_json::to_string(&Shop::sample()).unwrap();
        assert_eq!(serde_json::from_str::<Shop>(&json).unwrap(), Shop::sample());
    }

    #[test]
    fn what_is_wrong_with_channels_is_named() {
        check(|shop| shop.name = " ".into(), "shop.name: must not be empty");
        check(|shop| shop.name = "x".repeat(201), "shop.name: is longer than 200 characters");
        check(|shop| shop.channels.clear(), "shop.channels: at least one channel is needed");
        check(
            |shop| shop.default_channel = "moon".parse().unwrap(),
            "shop.default_channel: there is no channel 'moon'",
        );
        check(
            |shop| shop.channels[1].id = shop.channels[0].id.clone(),
            "shop.channels: 'web' stands there twice",
        );
        check(
            |shop| shop.channels[1].currencies.clear(),
            "shop.channels[1].currencies: must not be empty",
        );
        check(
            |shop| shop.channels[1].countries.push("US".parse().unwrap()),
            "shop.channels[1].countries: 'US' stands there twice",
        );
    }

    #[test]
    fn what_is_wrong_with_taxes_is_named() {
        check(
            |shop| shop.tax.zones[0].rates[1].rate_bp = 190_000,
            "shop.tax.zones[0].rates[1].rate_bp: 190000 basis points are more than 10000",
        );
        check(
            |shop| shop.tax.zones[1].countries.push("DE".parse().unwrap()),
            "shop.tax.zones[1]: 'DE' lies in two zones",
        );
        check(
            |shop| shop.tax.zones.last_mut().unwrap().regions.push("ca".into()),
            "shop.tax.zones[24]: 'US CA' lies in two zones",
        );
    }

    #[test]
    fn what_is_wrong_with_shipping_is_named() {
        check(
            |shop| shop.shipping_methods[0].rates[1].min_subtotal = 0,
            "shop.shipping_methods[0].rates: 'EUR from 0' stands there twice",
        );
        check(
            |shop| shop.shipping_methods[0].rates[0].price.amount = -1,
            "shop.shipping_methods[0].rates[0].price: -1 is not an amount from 0 to 2^53 - 1",
        );
        check(
            |shop| shop.shipping_methods[4].channels = vec!["moon".parse().unwrap()],
            "shop.shipping_methods[4].channels: there is no channel 'moon'",
        );
    }

    #[test]
    fn every_channel_ships_everywhere_it_says_in_every_currency() {
        let shop = Shop::sample();
        for channel in &shop.channels {
            for country in &channel.countries {
                for currency in &channel.currencies {
                    let methods = shop.methods_to(&channel.id, country);
                    let price = methods.filter_map(|method| method.price(*currency, 0)).next();
                    assert!(price.is_some(), "{} {country} {currency}", channel.id);
                }
            }
        }
        let eur = Currency::from_code("EUR").unwrap();
        assert_eq!(shop.shipping_methods[0].price(eur, 5000), Some(Money::zero(eur)));
    }
}
