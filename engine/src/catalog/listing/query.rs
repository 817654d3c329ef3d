//! What is asked of the listing index, and what it answers.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::catalog::{ChannelId, Slug};
use crate::ids::ProductId;
use crate::money::Currency;

/// Up to so many matches are counted for the reader; beyond it is "more than 10,000".
pub const TOTAL_EXACT_MAX: u64 = 10_000;

/// In which order a list is shown. Of two alike the one with the lower id is first, but in
/// falling order of price, which is the rising one read backwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// By the place an editor gave it, then all others.
    #[default]
    Featured,
    /// Latest first.
    Newest,
    /// Cheapest first; what has no price in the currency comes last.
    Price,
    /// Dearest first; what has no price in the currency comes last.
    PriceDesc,
    /// By the product's own title, neither case nor accents counting.
    Title,
    /// Best average first, of equals the one with more ratings; those without come last.
    Rating,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a sort is one of featured, newest, price, -price, title, rating")]
pub struct UnknownSort;

impl FromStr for Sort {
    type Err = UnknownSort;
    fn from_str(text: &str) -> Result<Self, UnknownSort> {
        match text {
            "featured" => Ok(Sort::Featured),
            "newest" => Ok(Sort::Newest),
            "price" => Ok(Sort::Price),
            "-price" => Ok(Sort::PriceDesc),
            "title" => Ok(Sort::Title),
            "rating" => Ok(Sort::Rating),
            _ => Err(UnknownSort),
        }
    }
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Sort::Featured => "featured",
            Sort::Newest => "newest",
            Sort::Price => "price",
            Sort::PriceDesc => "-price",
            Sort::Title => "title",
            Sort::Rating => "rating",
        })
    }
}

/// A question for a page of products.
#[derive(Debug, Clone)]
pub struct ListingQuery {
    pub channel: ChannelId,
    pub currency: Currency,
    /// Products of any of these; `None` for all products. A collection's descendants are the
    /// caller's to name.
    pub collections: Option<Vec<Slug>>,
    /// Values by facet code: any of a code's values, in all codes.
    pub facets: BTreeMap<String, Vec<String>>,
    /// In minor units of the currency, both ends included. What has no price in it is then
    /// left out.
    pub price_min: Option<i64>,
    pub price_max: Option<i64>,
    /// Only what is on hand.
    pub in_stock: bool,
    pub sort: Sort,
    /// The page after this one's [`ListingPage::next`]; `None` for the first. The rest of the
    /// query has to be the same, which is the caller's to see to.
    pub after: Option<Position>,
    pub limit: usize,
}

impl ListingQuery {
    /// The first page of everything a channel sells.
    pub fn new(channel: ChannelId, currency: Currency, limit: usize) -> ListingQuery {
        ListingQuery {
            channel,
            currency,
            collections: None,
            facets: BTreeMap::new(),
            price_min: None,
            price_max: None,
            in_stock: false,
            sort: Sort::default(),
            after: None,
            limit,
        }
    }

    pub(super) fn has_price_filter(&self) -> bool {
        self.price_min.is_some() || self.price_max.is_some()
    }
}

/// A place in a list: right behind the product that had this key and id. It stays a place when
/// that product changes or goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    #[serde(rename = "s")]
    pub sort: Sort,
    #[serde(rename = "k")]
    pub key: SortKey,
    #[serde(rename = "i")]
    pub id: ProductId,
}

/// What a list is sorted by, in the index's own terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SortKey {
    Number(i64),
    Title(String),
    /// Behind everything that has a price.
    Unpriced,
}

/// A page of products.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListingPage {
    pub ids: Vec<ProductId>,
    /// Where the next page starts; `None` where this is the last.
    pub next: Option<Position>,
    /// On the first page only.
    pub total: Option<Total>,
    /// On the first page only: what there is to filter by, by code.
    pub facets: Option<Vec<FacetCounts>>,
}

/// How many products match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    /// At most [`TOTAL_EXACT_MAX`].
    pub count: u64,
    /// `false`: there are more.
    pub exact: bool,
}

impl Total {
    pub(super) fn of(matches: u64) -> Total {
        Total { count: matches.min(TOTAL_EXACT_MAX), exact: matches <= TOTAL_EXACT_MAX }
    }
}

/// A facet with the values that the products at hand have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FacetCounts {
    pub code: String,
    pub label: String,
    /// Most frequent first, then by label.
    pub values: Vec<FacetCount>,
}

/// How many products there were if this value were the one chosen of its facet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FacetCount {
    pub value: String,
    pub label: String,
    pub count: u64,
    pub selected: bool,
}
