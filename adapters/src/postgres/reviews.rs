//! Reviews, newest first for each product.

use std::collections::HashMap;

use barrow_engine::catalog::{Review, ReviewStatus};
use barrow_engine::ids::{ProductId, ReviewId};
use barrow_engine::ports::ProductStoreError;
use barrow_engine::time::Timestamp;

use super::primary::Postgres;
use super::product_store::{Document, unavailable};
use crate::catalog::document;

type Result<T> = std::result::Result<T, ProductStoreError>;

const READ: &str = "SELECT format, document::text FROM review WHERE product = $1 AND published
        AND ($2::int8 IS NULL OR created_at < $2 OR created_at = $2 AND id > $3)
    ORDER BY created_at DESC, id LIMIT $4";

const WRITE: &str = "INSERT INTO review (id, product, published, created_at, format, document)
    SELECT id, product, published, created_at, $5, document::json
        FROM unnest($1::bytea[], $2::bytea[], $3::bool[], $4::int8[], $6::text[])
        AS wanted (id, product, published, created_at, document)
    ON CONFLICT (id) DO UPDATE SET product = EXCLUDED.product, published = EXCLUDED.published,
        created_at = EXCLUDED.created_at, format = EXCLUDED.format, document = EXCLUDED.document";

pub(super) async fn read(
    postgres: &Postgres,
    product: ProductId,
    after: Option<(Timestamp, ReviewId)>,
    limit: usize,
) -> Result<Vec<Review>> {
    let created_at = after.map(|(created_at, _)| created_at.as_millis());
    let id = after.map(|(_, id)| id.0.to_be_bytes());
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let found: std::result::Result<Vec<Document>, _> = postgres
        .call(async |connection| {
            let query = sqlx::query_as(READ).bind(product.0.to_be_bytes()).bind(created_at);
            query.bind(id).bind(limit).fetch_all(connection).await
        })
        .await;
    let found = found.map_err(unavailable)?;
    found.into_iter().map(|found| found.decode("review")).collect()
}

pub(super) async fn write(postgres: &Postgres, reviews: &[Review]) -> Result<()> {
    // Of several with one id the last holds.
    let newest: HashMap<ReviewId, &Review> = reviews.iter().map(|r| (r.id, r)).collect();
    let mut newest: Vec<&Review> = newest.into_values().collect();
    newest.sort_unstable_by_key(|review| review.id);
    let ids: Vec<_> = newest.iter().map(|review| review.id.0.to_be_bytes()).collect();
    let products: Vec<_> = newest.iter().map(|r| r.product_id.0.to_be_bytes()).collect();
    let published: Vec<bool> =
        newest.iter().map(|review| review.status == ReviewStatus::Published).collect();
    let created: Vec<i64> = newest.iter().map(|review| review.created_at.as_millis()).collect();
    let documents = newest.iter().map(document::to_json).collect::<Result<Vec<String>>>()?;
    let written = postgres
        .call(async |connection| {
            let query = sqlx::query(WRITE).bind(&ids[..]).bind(&products[..]).bind(&published[..]);
            let query = query.bind(&created[..]).bind(i16::from(document::FORMAT));
            query.bind(&documents[..]).execute(connection).await
        })
        .await;
    written.map(drop).map_err(unavailable)
}
