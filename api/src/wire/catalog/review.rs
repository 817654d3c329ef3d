//! REVIEW: what a customer says of a product.

use barrow_engine::catalog::{Review, ReviewStatus};
use barrow_engine::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// Whether a review is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Pending,
    Published,
    Rejected,
}

/// What a customer says of a product.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Review)]
pub struct ReviewBody {
    #[schema(example = "rev_01k9x0q6v3f8m2c7h5r4t1w9yb")]
    pub id: String,
    pub product_id: String,
    /// Stars.
    #[schema(minimum = 1, maximum = 5)]
    pub rating: u8,
    #[schema(required)]
    pub title: Option<String>,
    pub body: String,
    #[schema(example = "Ada L.")]
    pub author: String,
    /// Whether the author is known to have bought it.
    pub verified: bool,
    #[schema(inline)]
    pub status: Status,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl From<Review> for ReviewBody {
    fn from(review: Review) -> ReviewBody {
        ReviewBody {
            id: review.id.to_string(),
            product_id: review.product_id.to_string(),
            rating: review.rating,
            title: review.title,
            body: review.body,
            author: review.author,
            verified: review.verified,
            status: match review.status {
                ReviewStatus::Pending => Status::Pending,
                ReviewStatus::Published => Status::Published,
                ReviewStatus::Rejected => Status::Rejected,
            },
            created_at: review.created_at,
        }
    }
}
