//! AVAILABILITY: what a shopper is told about stock.

use barrow_engine::catalog::{self, AvailabilityStatus};
use barrow_engine::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    InStock,
    LowStock,
    Backorder,
    Preorder,
    OutOfStock,
    Unavailable,
}

impl From<AvailabilityStatus> for Status {
    fn from(status: AvailabilityStatus) -> Status {
        match status {
            AvailabilityStatus::InStock => Status::InStock,
            AvailabilityStatus::LowStock => Status::LowStock,
            AvailabilityStatus::Backorder => Status::Backorder,
            AvailabilityStatus::Preorder => Status::Preorder,
            AvailabilityStatus::OutOfStock => Status::OutOfStock,
            AvailabilityStatus::Unavailable => Status::Unavailable,
        }
    }
}

/// What a shopper is told about the stock of a product or a variant.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Availability {
    #[schema(inline)]
    pub status: Status,
    /// Whether it can be put into a cart and bought.
    pub purchasable: bool,
    /// Units left; only at `low_stock`.
    #[schema(required)]
    pub quantity: Option<u32>,
    /// When more is expected; only at `backorder` and `preorder`.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    pub expected_at: Option<Timestamp>,
}

impl From<catalog::Availability> for Availability {
    fn from(known: catalog::Availability) -> Availability {
        Availability {
            status: known.status.into(),
            purchasable: known.purchasable,
            quantity: known.quantity,
            expected_at: known.expected_at,
        }
    }
}

/// The short form, in lists. Where stock is not known, a list shows `unavailable`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ItemAvailability {
    #[schema(inline)]
    pub status: Status,
    pub purchasable: bool,
}

impl From<Option<catalog::Availability>> for ItemAvailability {
    fn from(known: Option<catalog::Availability>) -> ItemAvailability {
        let known = known.unwrap_or(catalog::Availability::UNAVAILABLE);
        ItemAvailability { status: known.status.into(), purchasable: known.purchasable }
    }
}
