//! `GET /v1/products/{id or slug}/reviews`: what customers say, newest first.

use axum::extract::State;
use axum::response::Response;
use barrow_engine::ids::{ProductId, ReviewId};
use barrow_engine::time::Timestamp;
use http::{HeaderMap, Uri};

use super::name::Name;
use super::products::{Shown, moved, shown};
use super::view::catalog_view;
use super::{cursor, reply};
use crate::app::SharedApp;
use crate::edge::{Params, Problem};
use crate::wire::catalog::{ReviewBody, ReviewList};

/// The place right after a review.
type Position = (Timestamp, ReviewId);

pub async fn list(
    State(app): State<SharedApp>,
    name: Name<ProductId>,
    uri: Uri,
    mut params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let view = catalog_view(&app, &mut params, &headers)?;
    let limit = params.limit()?;
    let cursor = params.one("cursor")?;
    params.finish()?;
    let offer = match shown(&app, &name, &view).await? {
        Shown::Here(offer) => offer,
        Shown::At(slug) => return Ok(moved(&slug, "/reviews", &uri)),
    };
    let product = offer.product.id;
    let question = format!("reviews of {product}");
    let after = match cursor {
        None => None,
        Some(text) => Some(position(&app.cursors.open(&question, &text)?)?),
    };
    // One more than asked tells whether there is a next page.
    let mut reviews = app.catalog.reviews(product, after, limit + 1).await?;
    let is_last = reviews.len() <= limit;
    reviews.truncate(limit);
    let next_cursor = reviews
        .last()
        .filter(|_| !is_last)
        .map(|last| app.cursors.seal(&question, &bytes((last.created_at, last.id))));
    let items: Vec<ReviewBody> = reviews.into_iter().map(ReviewBody::from).collect();
    Ok(reply::cacheable(&ReviewList { items, next_cursor }, &headers))
}

fn bytes((at, id): Position) -> Vec<u8> {
    [&at.as_millis().to_be_bytes()[..], &id.0.to_be_bytes()].concat()
}

fn position(bytes: &[u8]) -> Result<Position, Problem> {
    let read = || {
        let (at, id) = bytes.split_first_chunk::<8>()?;
        let id = u128::from_be_bytes(id.try_into().ok()?);
        Some((Timestamp(i64::from_be_bytes(*at)), ReviewId(id)))
    };
    read().ok_or_else(cursor::refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_its_cursor() {
        for place in [(Timestamp(-5), ReviewId(0)), (Timestamp(1 << 41), ReviewId(u128::MAX))] {
            assert_eq!(position(&bytes(place)).unwrap(), place);
        }
        assert!(position(&[0; 23]).is_err());
        assert!(position(&[0; 25]).is_err());
    }
}
