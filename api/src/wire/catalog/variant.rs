//! VARIANT: one sellable form of a product on its page.

use barrow_actors::catalog::{Offer, ShownVariant};
use barrow_engine::catalog::{SelectedOption, Variant};
use barrow_engine::money::Money;
use barrow_engine::pricing::ShownPrice;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Attribute, Availability};
use crate::wire::money::MoneySchema;

/// The value a variant has in one of its product's options.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OptionValue {
    #[schema(example = "Size")]
    pub name: String,
    #[schema(example = "M")]
    pub value: String,
}

impl From<&SelectedOption> for OptionValue {
    fn from(option: &SelectedOption) -> OptionValue {
        OptionValue { name: option.name.clone(), value: option.value.clone() }
    }
}

/// What one unit costs from a quantity on.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Tier {
    #[schema(minimum = 2)]
    pub min_quantity: u32,
    #[schema(value_type = MoneySchema)]
    pub unit: Money,
}

/// What a variant costs.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct VariantPrice {
    #[schema(value_type = MoneySchema)]
    pub unit: Money,
    /// What it is shown struck through beside; always more than `unit`.
    #[schema(required, value_type = Option<MoneySchema>)]
    pub compare_at: Option<Money>,
    /// The least it cost in the 30 days before this price began, where that is known.
    #[schema(required, value_type = Option<MoneySchema>)]
    pub lowest_30d: Option<Money>,
    /// Cheaper by the quantity; empty where it is not.
    pub tiers: Vec<Tier>,
}

impl From<ShownPrice> for VariantPrice {
    fn from(price: ShownPrice) -> VariantPrice {
        let tiers = price.tiers.into_iter();
        VariantPrice {
            unit: price.unit,
            compare_at: price.compare_at,
            lowest_30d: price.lowest_30d,
            tiers: tiers
                .map(|tier| Tier { min_quantity: tier.min_quantity, unit: tier.unit })
                .collect(),
        }
    }
}

/// One sellable form of a product.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Variant)]
pub struct VariantBody {
    #[schema(example = "var_01k9x0q6v3f8m2c7h5r4t1w9yb")]
    pub id: String,
    #[schema(example = "OAK-CHAIR-M")]
    pub sku: String,
    /// Its option values, `Oak / M`; the product's title where it has no options.
    pub title: String,
    pub options: Vec<OptionValue>,
    #[schema(required)]
    pub price: Option<VariantPrice>,
    /// `null` where the section `availability` is `unavailable`.
    #[schema(required)]
    pub availability: Option<Availability>,
    /// Of the product's media, those that show it.
    pub media_ids: Vec<String>,
    pub attributes: Vec<Attribute>,
}

impl VariantBody {
    pub fn new(offer: &Offer, variant: &Variant, shown: ShownVariant, title: &str) -> VariantBody {
        let values: Vec<&str> = variant.options.iter().map(|one| one.value.as_str()).collect();
        let own_title = if values.is_empty() { title.to_owned() } else { values.join(" / ") };
        let media = &offer.product.media;
        VariantBody {
            id: variant.id.to_string(),
            sku: variant.sku.to_string(),
            title: own_title,
            options: variant.options.iter().map(OptionValue::from).collect(),
            price: shown.price.map(VariantPrice::from),
            availability: shown.availability.map(Availability::from),
            media_ids: variant
                .media
                .iter()
                .filter_map(|key| media.iter().find(|media| media.key == *key))
                .map(|media| media.id.to_string())
                .collect(),
            attributes: Attribute::all(&variant.attributes),
        }
    }
}
