//! Reviews, newest first for each product.
//!
//! A review lies under its product, whether it is published, its time counted backwards, and its
//! id. A second table remembers the place of each id, so that a review that changes leaves its
//! old place.

use std::collections::HashMap;

use barrow_engine::catalog::{Review, ReviewStatus};
use barrow_engine::ids::{ProductId, ReviewId};
use barrow_engine::time::Timestamp;

use super::Tables;
use super::product_store::{Result, read_error};
use crate::catalog::document;

const PUBLISHED: u8 = 0;
const HIDDEN: u8 = 1;
const PLACE_LEN: usize = 16 + 1 + 8 + 16;

type Place = [u8; PLACE_LEN];

fn place(product: ProductId, shelf: u8, created_at: Timestamp, id: ReviewId) -> Place {
    let mut place = [0; PLACE_LEN];
    place[..16].copy_from_slice(&product.0.to_be_bytes());
    place[16] = shelf;
    // The sign bit turned makes the order that of unsigned numbers; all bits turned reverses it.
    let backwards = !((created_at.as_millis() as u64) ^ (1 << 63));
    place[17..25].copy_from_slice(&backwards.to_be_bytes());
    place[25..].copy_from_slice(&id.0.to_be_bytes());
    place
}

fn place_of(review: &Review) -> Place {
    let is_published = review.status == ReviewStatus::Published;
    let shelf = if is_published { PUBLISHED } else { HIDDEN };
    place(review.product_id, shelf, review.created_at, review.id)
}

pub(super) fn read(
    tables: &Tables,
    product: ProductId,
    after: Option<(Timestamp, ReviewId)>,
    limit: usize,
) -> Result<Vec<Review>> {
    use std::ops::Bound::{Excluded, Included};
    let first = place(product, PUBLISHED, Timestamp::MAX, ReviewId(0));
    let start = match after {
        None => Included(first),
        Some((created_at, id)) => Excluded(place(product, PUBLISHED, created_at, id)),
    };
    let end = Included(place(product, PUBLISHED, Timestamp::MIN, ReviewId(u128::MAX)));
    let entries = tables.reviews.range((start, end)).take(limit);
    entries
        .map(|guard| {
            let value = guard.value().map_err(|error| read_error(&error))?;
            document::decode(&value, "review")
        })
        .collect()
}

/// The batch that puts them in their places.
pub(super) fn write(tables: &Tables, reviews: &[Review]) -> Result<fjall::OwnedWriteBatch> {
    // Of several with one id the last holds.
    let newest: HashMap<ReviewId, &Review> = reviews.iter().map(|r| (r.id, r)).collect();
    let mut batch = tables.batch();
    for review in newest.into_values() {
        let id = review.id.0.to_be_bytes();
        let place = place_of(review);
        let before = tables.review_places.get(id).map_err(|error| read_error(&error))?;
        match before {
            Some(before) if *before == place => {}
            before => {
                if let Some(before) = before {
                    batch.remove(&tables.reviews, before);
                }
                batch.insert(&tables.review_places, id, place);
            }
        }
        batch.insert(&tables.reviews, place, document::encode(review)?);
    }
    Ok(batch)
}
