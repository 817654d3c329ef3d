//! What customers say of a product.

use serde::{Deserialize, Serialize};

use crate::ids::{ProductId, ReviewId};
use crate::time::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewStatus {
    Pending,
    Published,
    Rejected,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Review {
    pub id: ReviewId,
    pub product_id: ProductId,
    /// 1 to 5.
    pub rating: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    pub body: String,
    /// As shown: "Ada L.".
    pub author: String,
    /// Whether the author is known to have bought it.
    #[serde(default)]
    pub verified: bool,
    pub status: ReviewStatus,
    pub created_at: Timestamp,
}

/// How many published reviews gave one to five stars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RatingSummary {
    pub histogram: [u64; 5],
}

/// The average in hundredths of a star, rounded half up, and how many gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rating {
    pub average_hundredths: u64,
    pub count: u64,
}
