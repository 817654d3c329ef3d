//! The catalog: products with their variants, what describes them, and how they are found.

mod collection;
mod country;
pub mod limits;
pub mod listing;
mod media;
mod product;
mod review;
mod sellable;
mod text;
mod validate;

#[cfg(test)]
pub(crate) mod testing;

pub use collection::Collection;
pub use media::{Media, MediaKind};
pub use product::{
    AttributeKind, AttributeValue, Oversell, Product, ProductOption, ProductStatus, SelectedOption,
    Seo, StockPolicy, Translation, Variant,
};
pub use review::{Rating, RatingSummary, Review, ReviewStatus};
pub use sellable::{Availability, AvailabilityStatus, LOW_STOCK_MAX, Memo, Sellable};
pub use text::{ChannelId, CountryCode, InvalidText, Locale, Location, Sku, Slug};
pub use validate::ProductProblem;

/// The most products one batch of the product store holds: large enough that a group commit
/// pays, small enough that a batch of the largest products stays in a few megabytes.
pub const BATCH_MAX: usize = 500;
