//! The terms a cart is priced under: currency, channel, and the place that decides tax and
//! shipping.

use std::sync::Arc;

use super::{Addresses, LINE_TOTAL_MAX, ShippingOption};
use crate::catalog::{ChannelId, CountryCode, Sellable};
use crate::money::{Currency, Money};
use crate::pricing::{Channel, PriceQuery, ShippingMethod, Shop, TAX_RATE_BP_MAX, TAX_SHIPPING};
use crate::quantity::Quantity;
use crate::time::Timestamp;

/// What a SKU costs under the terms now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offer {
    /// For sale at this unit price, in minor units.
    Sold { unit: i64 },
    /// For sale, but that many at this unit price are worth more than can be added up.
    TooMuch { unit: i64 },
    /// It has no price in this currency and channel.
    NoPrice,
    /// Not sold in this channel, or no longer in the catalog.
    NotSold,
}

impl Offer {
    pub fn unit(self) -> Option<i64> {
        match self {
            Offer::Sold { unit } => Some(unit),
            Offer::TooMuch { .. } | Offer::NoPrice | Offer::NotSold => None,
        }
    }
}

/// Currency, channel, and the place. Until the shop is known there is no tax and no shipping.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    pub currency: Currency,
    pub channel: ChannelId,
    pub shop: Option<Arc<Shop>>,
    /// Where it ships to: the shipping address, else the channel's default country.
    country: Option<CountryCode>,
    region: Option<String>,
    pub tax_included: bool,
}

impl Terms {
    pub fn new(
        currency: Currency,
        channel: ChannelId,
        shop: Option<Arc<Shop>>,
        addresses: Option<&Addresses>,
    ) -> Terms {
        let own = shop.as_ref().and_then(|shop| shop.channel(&channel));
        let default_country = own.and_then(|own| own.countries.first().cloned());
        let shipping = addresses.map(|addresses| &addresses.shipping);
        Terms {
            currency,
            tax_included: own.is_some_and(|own| own.tax_included),
            country: shipping.map(|address| address.country.clone()).or(default_country),
            region: shipping.and_then(|address| address.region.clone()),
            channel,
            shop,
        }
    }

    /// These terms with another place.
    pub fn at(&self, addresses: Option<&Addresses>) -> Terms {
        Terms::new(self.currency, self.channel.clone(), self.shop.clone(), addresses)
    }

    /// What a SKU costs, at the tier of that quantity.
    pub fn offer(
        &self,
        sellable: Option<&Arc<Sellable>>,
        quantity: Quantity,
        now: Timestamp,
    ) -> Offer {
        let Some(sellable) = sellable else { return Offer::NotSold };
        if !sellable.is_purchasable_in(&self.channel, now) {
            return Offer::NotSold;
        }
        let price = sellable.prices.price(PriceQuery {
            currency: self.currency,
            channel: &self.channel,
            customer_group: None,
            quantity: quantity.get(),
            now,
        });
        match price.map(|price| price.amount.amount) {
            // A negative price is a slip of the catalog, never a gift.
            None | Some(..0) => Offer::NoPrice,
            Some(unit) if is_too_much(unit, quantity) => Offer::TooMuch { unit },
            Some(unit) => Offer::Sold { unit },
        }
    }

    pub fn tax_rate_bp(&self, category: &str) -> u32 {
        let (Some(shop), Some(country)) = (&self.shop, &self.country) else { return 0 };
        // The limit is checked where the shop's configuration is read; that it holds here too
        // is what lets the sums of a cart be added without overflow.
        shop.tax.rate_bp(country, self.region.as_deref(), category).min(TAX_RATE_BP_MAX)
    }

    pub fn shipping_tax_rate_bp(&self) -> u32 {
        self.tax_rate_bp(TAX_SHIPPING)
    }

    fn own_channel(&self) -> Option<&Channel> {
        self.shop.as_ref().and_then(|shop| shop.channel(&self.channel))
    }

    /// Whether the channel ships to a country.
    pub fn ships_to(&self, country: &CountryCode) -> bool {
        self.own_channel().is_some_and(|channel| channel.countries.contains(country))
    }

    /// The methods that reach the place, whatever they cost.
    fn methods(&self) -> impl Iterator<Item = &ShippingMethod> {
        let country = self.country.as_ref().filter(|country| self.ships_to(country));
        let shop = self.shop.as_deref().zip(country);
        shop.into_iter().flat_map(|(shop, country)| {
            let serves = |method: &&ShippingMethod| method.serves(&self.channel, country);
            shop.shipping_methods.iter().filter(serves)
        })
    }

    pub fn has_method(&self, id: &str) -> bool {
        self.methods().any(|method| method.id == id)
    }

    /// The methods that reach the place and have a price for that subtotal.
    pub fn shipping_options(&self, subtotal: i64) -> impl Iterator<Item = ShippingOption<'_>> {
        self.methods().filter_map(move |method| {
            let price = method.price(self.currency, subtotal)?.amount;
            // Beyond these bounds it is a slip of the configuration, and not on offer.
            (0..=LINE_TOTAL_MAX).contains(&price).then(|| ShippingOption {
                id: &method.id,
                name: &method.name,
                estimate: &method.estimate,
                price: Money::new(price, self.currency),
            })
        })
    }
}

/// Whether that many are worth more than a line may be, see [`LINE_TOTAL_MAX`].
pub(super) fn is_too_much(unit: i64, quantity: Quantity) -> bool {
    unit > LINE_TOTAL_MAX / i64::from(quantity.get())
}
