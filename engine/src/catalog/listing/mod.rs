//! The listing index: which products a collection page shows, in which order, and what there is
//! to filter by. It lies in memory as a whole, for up to a million products, and answers a page
//! in a few milliseconds.
//!
//! It knows products only as they are now: whoever keeps it puts a product in anew when the
//! product or its stock changes, and when [`Product::next_boundary`] passes. Nothing in it is a
//! truth of its own; it is built from the stored products at each start.
//!
//! How it is quick: what can be filtered by is a bitmap of rows each (a collection, a channel, a
//! facet's value), so a filter is a handful of bitmap operations; what can be sorted by is an
//! ordered list of rows, so a page is a walk along it from where the last page ended.
//!
//! [`Product::next_boundary`]: crate::catalog::Product::next_boundary

mod columns;
mod entry;
mod facets;
mod index;
mod order;
mod page;
mod prices;
mod query;
mod tag_lists;
mod tags;
mod title;

#[cfg(test)]
mod tests;

pub use entry::{ListingEntry, ListingPrice};
pub use facets::{FACET_VALUES_SHOWN_MAX, FACETS_SHOWN_MAX, facet_label};
pub use index::{ListingBuilder, ListingIndex};
pub use query::{
    FacetCount, FacetCounts, ListingPage, ListingQuery, Position, Sort, SortKey, TOTAL_EXACT_MAX,
    Total, UnknownSort,
};
