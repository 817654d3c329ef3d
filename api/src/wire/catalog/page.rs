//! PAGE: the product page in one call. Its sections stand alone: one that cannot be had is
//! `null` and said to be `unavailable`, and the page is answered all the same.

use std::collections::BTreeMap;

use barrow_actors::catalog::{Offer, Viewpoint, best_availability, price_range};
use barrow_engine::catalog::listing::facet_label;
use barrow_engine::catalog::{AttributeValue, Collection, Product, RatingSummary};
use barrow_engine::time::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::item::stars;
use super::{Availability, CollectionRef, Item, Media, Range, VariantBody};
use crate::wire::media::MediaUrls;

/// How much of the description stands in for a missing SEO description: what search engines
/// show of one.
const SEO_DESCRIPTION_CHARS: usize = 160;

/// A typed value that describes the product; which there are is up to the catalog.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Attribute {
    #[schema(example = "max_power")]
    pub key: String,
    #[schema(example = "Max Power")]
    pub label: String,
    #[serde(rename = "type")]
    #[schema(inline)]
    pub kind: AttributeType,
    /// A text, number, boolean, day (`2026-11-22`) or list of texts, by `type`.
    #[schema(value_type = Value, example = json!(1400))]
    pub value: Value,
    #[schema(required, example = "W")]
    pub unit: Option<String>,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttributeType {
    Text,
    Number,
    Boolean,
    Date,
    Choice,
    List,
}

impl Attribute {
    pub(super) fn all(attributes: &BTreeMap<String, AttributeValue>) -> Vec<Attribute> {
        attributes.iter().map(|(key, value)| Attribute::new(key, value)).collect()
    }

    fn new(key: &str, value: &AttributeValue) -> Attribute {
        let (kind, value, unit) = match value {
            AttributeValue::Text { value } => (AttributeType::Text, json!(value), None),
            AttributeValue::Number { value, unit } => {
                (AttributeType::Number, number(value), unit.clone())
            }
            AttributeValue::Boolean { value } => (AttributeType::Boolean, json!(value), None),
            AttributeValue::Date { value } => (AttributeType::Date, json!(value), None),
            AttributeValue::Choice { value } => (AttributeType::Choice, json!(value), None),
            AttributeValue::List { value } => (AttributeType::List, json!(value), None),
        };
        Attribute { key: key.to_owned(), label: facet_label(key), kind, value, unit }
    }
}

/// The digits as a JSON number; what is none stays a text.
fn number(digits: &str) -> Value {
    if let Ok(whole) = digits.parse::<i64>() {
        return json!(whole);
    }
    match digits.parse::<f64>() {
        Ok(value) if value.is_finite() => json!(value),
        _ => json!(digits),
    }
}

/// A dimension in which the variants differ.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ProductOption)]
pub struct OptionBody {
    #[schema(example = "Size")]
    pub name: String,
    #[schema(example = json!(["S", "M", "L"]))]
    pub values: Vec<String>,
}

/// What published reviews come to.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Reviews {
    /// Stars, 1 to 5, with two decimals.
    #[schema(example = 4.35)]
    pub average: f64,
    pub count: u64,
    /// How many gave one, two, three, four and five stars.
    #[schema(value_type = Vec<u64>, example = json!([1, 0, 2, 5, 12]))]
    pub histogram: [u64; 5],
}

impl Reviews {
    fn new(summary: &RatingSummary) -> Option<Reviews> {
        let rating = summary.rating()?;
        Some(Reviews {
            average: stars(rating.average_hundredths),
            count: rating.count,
            histogram: summary.histogram,
        })
    }
}

/// What search engines are told.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Seo)]
pub struct SeoBody {
    pub title: String,
    pub description: String,
}

/// How a section of the page came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    Ok,
    /// From an earlier answer.
    Stale,
    /// It is `null`; the rest of the page is good.
    Unavailable,
}

/// How the page's sections came about.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Sections {
    pub price: Section,
    pub availability: Section,
    pub reviews: Section,
    pub similar: Section,
}

impl Sections {
    /// The names of those that could not be had.
    pub fn unavailable(&self) -> impl Iterator<Item = &'static str> {
        let named = [
            ("price", self.price),
            ("availability", self.availability),
            ("reviews", self.reviews),
            ("similar", self.similar),
        ];
        let missing = named.into_iter().filter(|(_, section)| *section == Section::Unavailable);
        missing.map(|(name, _)| name)
    }
}

/// The product page in one call.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Page {
    #[schema(example = "prod_01k9x0q6v3f8m2c7h5r4t1w9yb")]
    pub id: String,
    #[schema(example = "oak-chair")]
    pub slug: String,
    /// Counts the product's changes.
    pub version: u64,
    pub title: String,
    pub description: String,
    #[schema(required)]
    pub brand: Option<String>,
    pub collections: Vec<CollectionRef>,
    pub options: Vec<OptionBody>,
    pub attributes: Vec<Attribute>,
    /// What it is classified and filtered by: codes, each with its values.
    pub facets: BTreeMap<String, Vec<String>>,
    pub media: Vec<Media>,
    pub variants: Vec<VariantBody>,
    #[schema(required)]
    pub price: Option<Range>,
    #[schema(required)]
    pub availability: Option<Availability>,
    /// `null` where nobody has reviewed it.
    #[schema(required)]
    pub reviews: Option<Reviews>,
    #[schema(required)]
    pub similar: Option<Vec<Item>>,
    pub seo: SeoBody,
    pub sections: Sections,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// What a page is put together from.
pub struct Sources<'a> {
    pub offer: &'a Offer,
    pub collections: Vec<&'a Collection>,
    /// `None` where they could not be had.
    pub similar: Option<Vec<Item>>,
}

impl Page {
    pub fn new(sources: Sources<'_>, view: &Viewpoint, urls: &MediaUrls) -> Page {
        let Sources { offer, collections, similar } = sources;
        let product = &offer.product;
        let shown = offer.variants(view);
        let title = offer.title(&view.locale);
        let description = offer.description(&view.locale);
        let price = price_range(&shown).map(Range::from);
        let availability = best_availability(&shown).map(Availability::from);
        let sections = Sections {
            price: Section::Ok,
            availability: section(availability.is_some()),
            reviews: Section::Ok,
            similar: section(similar.is_some()),
        };
        let variants = product.variants.iter().zip(shown);
        Page {
            id: product.id.to_string(),
            slug: offer.slug(&view.locale).to_string(),
            version: product.version,
            title: title.to_owned(),
            description: description.to_owned(),
            brand: product.brand.clone(),
            collections: collections.into_iter().map(CollectionRef::from).collect(),
            options: options(product),
            attributes: Attribute::all(&product.attributes),
            facets: product.facets.clone(),
            media: product.media.iter().map(|media| Media::new(media, urls)).collect(),
            variants: variants
                .map(|(variant, shown)| VariantBody::new(offer, variant, shown, title))
                .collect(),
            price,
            availability,
            reviews: product.rating.as_ref().and_then(Reviews::new),
            similar,
            seo: seo(product, title, description),
            sections,
            updated_at: product.updated_at,
        }
    }
}

fn section(known: bool) -> Section {
    if known { Section::Ok } else { Section::Unavailable }
}

fn options(product: &Product) -> Vec<OptionBody> {
    let options = product.options.iter();
    options
        .map(|option| OptionBody { name: option.name.clone(), values: option.values.clone() })
        .collect()
}

fn seo(product: &Product, title: &str, description: &str) -> SeoBody {
    let excerpt = || {
        // Not within a word, unless the text has none to end at.
        let cut: String = description.chars().take(SEO_DESCRIPTION_CHARS).collect();
        if cut.len() == description.len() {
            return cut;
        }
        cut.rsplit_once(char::is_whitespace).map_or(cut.clone(), |(whole, _)| whole.to_owned())
    };
    SeoBody {
        title: product.seo.title.clone().unwrap_or_else(|| title.to_owned()),
        description: product.seo.description.clone().unwrap_or_else(excerpt),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_numbers_and_keep_their_digits() {
        for (digits, expected) in [
            ("1400", "1400"),
            ("-3", "-3"),
            ("2.5", "2.5"),
            ("0.1", "0.1"),
            ("1e999", "\"1e999\""),
            ("about 3", "\"about 3\""),
        ] {
            assert_eq!(number(digits).to_string(), expected);
        }
    }
}
