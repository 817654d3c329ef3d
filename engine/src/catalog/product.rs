//! A product and its variants, as the shop keeps them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ChannelId, Locale, Media, Rating, RatingSummary, Sku, Slug};
use crate::ids::{ProductId, VariantId};
use crate::pricing::Price;
use crate::time::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProductStatus {
    Draft,
    #[default]
    Active,
    Archived,
}

/// A dimension in which a product's variants differ: "Size" with S, M and L.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductOption {
    pub name: String,
    pub values: Vec<String>,
}

/// The value a variant has in one of its product's options.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelectedOption {
    pub name: String,
    pub value: String,
}

/// What an attribute's value is; decided by the catalog's data at run time, not by the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttributeKind {
    Text,
    Number,
    Boolean,
    Date,
    Choice,
    List,
}

/// A typed value of an attribute. In a file it is plain JSON where the type is plain
/// (`"Oak"`, `true`, `["a", "b"]`), else `{"type": "number", "value": "1400", "unit": "W"}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum AttributeValue {
    Text {
        value: String,
    },
    /// A decimal number, kept as its digits so that nothing is rounded.
    Number {
        value: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit: Option<String>,
    },
    Boolean {
        value: bool,
    },
    /// A calendar day, `2026-11-22`.
    Date {
        value: String,
    },
    Choice {
        value: String,
    },
    List {
        value: Vec<String>,
    },
}

/// What may be sold when too little is on hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Oversell {
    #[default]
    Deny,
    Backorder,
    Preorder,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StockPolicy {
    /// `false`: there is always enough (a download, a gift wrap).
    pub track: bool,
    pub oversell: Oversell,
    /// How far below zero a backorder or preorder may go; `None` for without end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oversell_limit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_per_customer: Option<u32>,
}

impl Default for StockPolicy {
    fn default() -> Self {
        StockPolicy {
            track: true,
            oversell: Oversell::Deny,
            oversell_limit: None,
            expected_at: None,
            max_per_customer: None,
        }
    }
}

/// One sellable form of a product.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    pub id: VariantId,
    pub sku: Sku,
    /// One value per option of the product, in the product's order.
    #[serde(default)]
    pub options: Vec<SelectedOption>,
    #[serde(default)]
    pub prices: Vec<Price>,
    #[serde(default)]
    pub stock: StockPolicy,
    /// A key of the tax table; `standard` where nothing is said.
    #[serde(default = "standard_tax")]
    pub tax_category: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_g: Option<u32>,
    /// Keys into the product's media.
    #[serde(default)]
    pub media: Vec<String>,
    #[serde(default)]
    pub attributes: BTreeMap<String, AttributeValue>,
}

fn standard_tax() -> String {
    "standard".to_owned()
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Translation {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slug: Option<Slug>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Seo {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A product. Collections are named by slug, facets by code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    pub id: ProductId,
    /// Counts the changes, from 1.
    pub version: u64,
    pub slug: Slug,
    /// Slugs it had before; each still leads here.
    #[serde(default)]
    pub former_slugs: Vec<Slug>,
    /// Its name in the system it was imported from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    pub title: String,
    #[serde(default)]
    pub description: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    #[serde(default)]
    pub status: ProductStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publish_at: Option<Timestamp>,
    /// The channels that sell it; empty for all.
    #[serde(default)]
    pub channels: Vec<ChannelId>,
    #[serde(default)]
    pub collections: Vec<Slug>,
    #[serde(default)]
    pub facets: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub attributes: BTreeMap<String, AttributeValue>,
    #[serde(default)]
    pub options: Vec<ProductOption>,
    #[serde(default)]
    pub media: Vec<Media>,
    #[serde(default)]
    pub variants: Vec<Variant>,
    #[serde(default)]
    pub translations: BTreeMap<Locale, Translation>,
    #[serde(default)]
    pub seo: Seo,
    /// The place among featured products, low first; `None` after all that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub featured: Option<u32>,
    /// What its published reviews come to; kept with them, never set by an editor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rating: Option<RatingSummary>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl RatingSummary {
    /// `None` for no reviews.
    pub fn rating(&self) -> Option<Rating> {
        let count: u64 = self.histogram.iter().sum();
        let sum: u64 = self.histogram.iter().zip(1..).map(|(n, stars)| n * stars).sum();
        (count > 0).then(|| Rating { average_hundredths: (sum * 100 + count / 2) / count, count })
    }
}
