//! The shop and its channels: the selling contexts that decide currency, language and tax.

use serde::{Deserialize, Serialize};

use super::{ShippingMethod, TaxTable};
use crate::catalog::{ChannelId, CountryCode, Locale};
use crate::money::Currency;

/// A selling context. The first currency, locale and country are its defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    pub id: ChannelId,
    pub currencies: Vec<Currency>,
    pub locales: Vec<Locale>,
    /// Where it ships to.
    pub countries: Vec<CountryCode>,
    /// Whether its prices already include the tax.
    pub tax_included: bool,
}

/// What the deployment sells by: read once at start, from the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shop {
    pub name: String,
    pub default_channel: ChannelId,
    pub channels: Vec<Channel>,
    pub tax: TaxTable,
    pub shipping_methods: Vec<ShippingMethod>,
}

impl Shop {
    pub fn channel(&self, id: &ChannelId) -> Option<&Channel> {
        self.channels.iter().find(|channel| channel.id == *id)
    }

    /// The ways to ship from a channel to a country, in the shop's order; none where the
    /// channel does not ship there.
    pub fn methods_to(
        &self,
        channel: &ChannelId,
        country: &CountryCode,
    ) -> impl Iterator<Item = &ShippingMethod> {
        let ships = self.channel(channel).is_some_and(|own| own.countries.contains(country));
        let methods = self.shipping_methods.iter().filter(move |_| ships);
        methods.filter(move |method| method.serves(channel, country))
    }
}
