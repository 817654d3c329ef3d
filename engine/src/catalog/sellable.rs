//! All that a cart needs to know of a SKU, in one immutable snapshot that many carts share.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{ChannelId, Locale, ProductStatus, SelectedOption, Sku, Slug, StockPolicy};
use crate::ids::{ProductId, VariantId};
use crate::pricing::PriceBook;
use crate::time::Timestamp;

/// The snapshot of one SKU. A newer one replaces it; it never changes itself.
#[derive(Debug, Clone)]
pub struct Sellable {
    pub sku: Sku,
    pub product_id: ProductId,
    pub variant_id: VariantId,
    pub slug: Slug,
    pub title: Arc<str>,
    pub titles: BTreeMap<Locale, Arc<str>>,
    pub options: Vec<SelectedOption>,
    /// The media key or address of the picture shown in a cart.
    pub image: Option<Arc<str>>,
    pub status: ProductStatus,
    pub publish_at: Option<Timestamp>,
    /// Empty for all.
    pub channels: Vec<ChannelId>,
    pub prices: PriceBook,
    pub tax_category: Arc<str>,
    pub stock: StockPolicy,
    /// Units on hand when the snapshot was taken; `None` where never counted (taken as none).
    pub on_hand: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AvailabilityStatus {
    InStock,
    LowStock,
    Backorder,
    Preorder,
    OutOfStock,
    Unavailable,
}

/// What a shopper is told about stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Availability {
    pub status: AvailabilityStatus,
    pub purchasable: bool,
    /// Only at low stock.
    pub quantity: Option<u32>,
    pub expected_at: Option<Timestamp>,
}
