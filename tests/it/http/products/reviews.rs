//! What customers say of a product.

use std::collections::BTreeSet;

use serde_json::json;

use crate::assert_reply;
use crate::support::client::{list, text};
use crate::support::goods::CHAIR_REVIEWS;
use crate::support::visitor;

#[tokio::test]
async fn reviews_are_paged_newest_first() {
    let visitor = visitor();
    for limit in [1, 7, 25, 100] {
        let base = format!("/v1/products/oak-chair/reviews?limit={limit}");
        let mut path = base.clone();
        let mut seen = Vec::new();
        loop {
            let page = visitor.read(&path).await;
            for review in list(&page["items"]) {
                seen.push((text(&review["created_at"]).to_owned(), text(&review["id"]).to_owned()));
            }
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("{base}&cursor={cursor}");
        }
        assert!(seen.iter().rev().map(|(at, _)| at).is_sorted(), "{seen:?}");
        let ids: BTreeSet<&String> = seen.iter().map(|(_, id)| id).collect();
        assert_eq!((seen.len(), ids.len()), (CHAIR_REVIEWS, CHAIR_REVIEWS), "by {limit}");
    }
}

#[tokio::test]
async fn a_review_has_its_shape() {
    let visitor = visitor();
    let page = visitor.read("/v1/products/oak-chair/reviews?limit=2").await;
    assert_reply!("reviews", page.clone());
    let product = visitor.read("/v1/products/oak-chair").await;
    assert_eq!(page["items"][0]["product_id"], product["id"]);
    let none = visitor.read("/v1/products/pine-chair/reviews").await;
    assert_eq!(none, json!({"items": [], "next_cursor": null}));
}

#[tokio::test]
async fn reviews_of_nothing_are_not_there() {
    let visitor = visitor();
    for slug in ["nothing-of-this-name", "draft-stool", "us-cap"] {
        visitor.get(&format!("/v1/products/{slug}/reviews")).refused(404, "not_found").await;
    }
    let base = "/v1/products/oak-chair/reviews";
    visitor.get(&format!("{base}?cursor=x")).refused(400, "invalid_cursor").await;
    visitor.get(&format!("{base}?limit=101")).refused(400, "invalid_parameter").await;
    visitor.get(&format!("{base}?rating=5")).refused(400, "unknown_parameter").await;
    // A cursor of another product's reviews is none of these.
    let other = visitor.read(&format!("{base}?limit=1")).await;
    let cursor = text(&other["next_cursor"]);
    let foreign = format!("/v1/products/pine-chair/reviews?cursor={cursor}");
    visitor.get(&foreign).refused(400, "invalid_cursor").await;
    // Reviews are only read here.
    visitor.post(base, json!({"rating": 5, "body": "x"})).refused(405, "method_not_allowed").await;
}
