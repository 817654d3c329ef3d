//! `/v1/collections`: the shelves, and how much lies on them.

use std::collections::BTreeSet;

use serde_json::json;

use crate::assert_reply;
use crate::support::client::{list, number, text};
use crate::support::goods::BOOKS;
use crate::support::visitor;

#[tokio::test]
async fn collections_are_a_tree_with_counts() {
    let visitor = visitor();
    let all = visitor.read("/v1/collections").await;
    assert_reply!("collections", all.clone());
    let of = |slug: &str| list(&all["items"]).iter().find(|c| c["slug"] == slug).unwrap().clone();
    assert_eq!(of("chairs")["parent_id"], of("furniture")["id"]);
    assert_eq!(number(&of("books")["product_count"]), BOOKS as i64);
    assert_eq!(of("bare")["product_count"], 0);
    // What lies below counts, too: two chairs and a table.
    assert_eq!(of("furniture")["product_count"], 3);
    let listed = visitor.read("/v1/products?collection=furniture").await;
    assert_eq!(listed["total"], json!({"count": 3, "exact": true}));
}

#[tokio::test]
async fn a_collection_is_found_by_slug_and_id() {
    let visitor = visitor();
    let chairs = visitor.read("/v1/collections/chairs").await;
    let by_id = visitor.read(&format!("/v1/collections/{}", text(&chairs["id"]))).await;
    assert_eq!(chairs, by_id);
    for nothing in ["nowhere", "Chairs", "coll_00000000000000000000000000", "prod_x"] {
        visitor.get(&format!("/v1/collections/{nothing}")).refused(404, "not_found").await;
    }
}

#[tokio::test]
async fn paging_visits_each_once() {
    let visitor = visitor();
    let mut seen = Vec::new();
    let mut path = "/v1/collections?limit=2".to_owned();
    loop {
        let page = visitor.read(&path).await;
        seen.extend(list(&page["items"]).iter().map(|c| text(&c["slug"]).to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/collections?limit=2&cursor={cursor}");
    }
    let distinct: BTreeSet<&String> = seen.iter().collect();
    assert_eq!((seen.len(), distinct.len()), (6, 6), "{seen:?}");
    assert!(seen.is_sorted(), "{seen:?}");
}
