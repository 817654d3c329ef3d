//! ITEM: a product in a list.

use barrow_actors::catalog::{Offer, Viewpoint, best_availability, price_range};
use barrow_engine::catalog::MediaKind;
use barrow_engine::money::Money;
use barrow_engine::pricing::PriceRange;
use serde::Serialize;
use utoipa::ToSchema;

use super::{ItemAvailability, Media};
use crate::wire::media::MediaUrls;
use crate::wire::money::MoneySchema;

/// What the variants cost, from the cheapest to the dearest.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Range {
    #[schema(value_type = MoneySchema)]
    pub from: Money,
    #[schema(value_type = MoneySchema)]
    pub to: Money,
    /// What the cheapest one is shown struck through beside.
    #[schema(required, value_type = Option<MoneySchema>)]
    pub compare_at: Option<Money>,
}

impl From<PriceRange> for Range {
    fn from(range: PriceRange) -> Range {
        Range { from: range.from, to: range.to, compare_at: range.compare_at }
    }
}

/// What published reviews come to.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ItemRating {
    /// Stars, 1 to 5, with two decimals.
    #[schema(example = 4.35, minimum = 1, maximum = 5)]
    pub average: f64,
    pub count: u64,
}

/// A product in a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Item {
    #[schema(example = "prod_01k9x0q6v3f8m2c7h5r4t1w9yb")]
    pub id: String,
    #[schema(example = "oak-chair")]
    pub slug: String,
    pub title: String,
    #[schema(required)]
    pub brand: Option<String>,
    /// The first picture.
    #[schema(required)]
    pub image: Option<Media>,
    /// `null` where no variant has a price for this channel and currency.
    #[schema(required)]
    pub price: Option<Range>,
    pub availability: ItemAvailability,
    /// `null` where nobody has reviewed it.
    #[schema(required)]
    pub rating: Option<ItemRating>,
    /// Only where there is but one variant.
    #[schema(required)]
    pub sku: Option<String>,
}

impl Item {
    pub fn new(offer: &Offer, view: &Viewpoint, urls: &MediaUrls) -> Item {
        let product = &offer.product;
        let variants = offer.variants(view);
        let image = product.media.iter().find(|media| media.kind == MediaKind::Image);
        let rating = product.rating.and_then(|summary| summary.rating());
        let only_variant = match &product.variants[..] {
            [only] => Some(only.sku.to_string()),
            _ => None,
        };
        Item {
            id: product.id.to_string(),
            slug: offer.slug(&view.locale).to_string(),
            title: offer.title(&view.locale).to_owned(),
            brand: product.brand.clone(),
            image: image.map(|media| Media::new(media, urls)),
            price: price_range(&variants).map(Range::from),
            availability: best_availability(&variants).into(),
            rating: rating.map(|rating| ItemRating {
                average: stars(rating.average_hundredths),
                count: rating.count,
            }),
            sku: only_variant,
        }
    }
}

/// Hundredths of a star as stars.
pub(super) fn stars(hundredths: u64) -> f64 {
    hundredths as f64 / 100.0
}
