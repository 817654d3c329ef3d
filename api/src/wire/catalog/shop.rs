//! The shop and its channels, as clients read them.

use barrow_engine::pricing::{Channel, Shop};
use serde::Serialize;
use utoipa::ToSchema;

/// A selling context. The first currency and locale are its defaults.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Channel)]
pub struct ChannelBody {
    #[schema(example = "web")]
    pub id: String,
    /// ISO 4217.
    #[schema(example = json!(["EUR", "USD", "GBP"]))]
    pub currencies: Vec<String>,
    #[schema(example = json!(["en", "de"]))]
    pub locales: Vec<String>,
    /// Where it ships to, ISO 3166-1 alpha-2.
    #[schema(example = json!(["DE", "US", "GB"]))]
    pub countries: Vec<String>,
    /// Whether its prices include the tax.
    pub tax_included: bool,
}

impl From<&Channel> for ChannelBody {
    fn from(channel: &Channel) -> ChannelBody {
        ChannelBody {
            id: channel.id.to_string(),
            currencies: channel.currencies.iter().map(ToString::to_string).collect(),
            locales: channel.locales.iter().map(ToString::to_string).collect(),
            countries: channel.countries.iter().map(ToString::to_string).collect(),
            tax_included: channel.tax_included,
        }
    }
}

/// What a client has to know of the shop before anything else.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Shop)]
pub struct ShopBody {
    pub name: String,
    /// The channel of whoever names none.
    pub default_channel: String,
    pub channels: Vec<ChannelBody>,
}

impl From<&Shop> for ShopBody {
    fn from(shop: &Shop) -> ShopBody {
        ShopBody {
            name: shop.name.clone(),
            default_channel: shop.default_channel.to_string(),
            channels: shop.channels.iter().map(ChannelBody::from).collect(),
        }
    }
}
