//! Lists: a page of something, and how to get the next.

use barrow_engine::catalog::listing;
use serde::Serialize;
use utoipa::ToSchema;

use super::{CollectionBody, Item, ReviewBody};

/// A page of collections.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CollectionList {
    pub items: Vec<CollectionBody>,
    /// Given as `cursor`, it gets the next page; `null` on the last.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// A page of reviews.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReviewList {
    pub items: Vec<ReviewBody>,
    /// Given as `cursor`, it gets the next page; `null` on the last.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// How many products match.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Total {
    pub count: u64,
    /// `false` beyond 10,000: there are at least so many.
    pub exact: bool,
}

impl From<listing::Total> for Total {
    fn from(total: listing::Total) -> Total {
        Total { count: total.count, exact: total.exact }
    }
}

/// A value of a facet.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FacetValue {
    #[schema(example = "oak")]
    pub value: String,
    pub label: String,
    /// How many products the list held were this the one value chosen of its facet.
    pub count: u64,
    /// Whether the question chose it.
    pub selected: bool,
}

/// What a list can be narrowed by.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Facet {
    /// The parameter is `facet.CODE`.
    #[schema(example = "material")]
    pub code: String,
    #[schema(example = "Material")]
    pub label: String,
    pub values: Vec<FacetValue>,
}

impl From<listing::FacetCounts> for Facet {
    fn from(facet: listing::FacetCounts) -> Facet {
        let values = facet.values.into_iter().map(|value| FacetValue {
            value: value.value,
            label: value.label,
            count: value.count,
            selected: value.selected,
        });
        Facet { code: facet.code, label: facet.label, values: values.collect() }
    }
}

/// A page of products.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProductList {
    pub items: Vec<Item>,
    /// Given as `cursor` with the same filters and sort, it gets the next page; `null` on the
    /// last.
    #[schema(required)]
    pub next_cursor: Option<String>,
    /// Only on the first page.
    #[schema(required)]
    pub total: Option<Total>,
    /// Only on the first page.
    #[schema(required)]
    pub facets: Option<Vec<Facet>>,
}
