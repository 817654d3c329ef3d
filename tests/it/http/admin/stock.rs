//! `/admin/v1/stock`: movements by hand, and levels.

use serde_json::{Value, json};

use super::staff;
use crate::support::client::{list, number, text};
use crate::support::goods::bulk_sku;
use crate::support::{Client, small_shop};

const MOVEMENTS: &str = "/admin/v1/stock/movements";
const LEVELS: &str = "/admin/v1/stock/levels";

fn movement(good: usize, location: &str, quantity: i64) -> Value {
    let (sku, reason) = (bulk_sku(good), "delivery 4711");
    json!({"sku": sku, "location": location, "quantity": quantity, "reason": reason})
}

/// How many of a good lie at the annex, and are free.
async fn annex(house: &Client, good: usize) -> Option<(i64, i64)> {
    let levels = house.read(&format!("{LEVELS}?sku={}", bulk_sku(good))).await;
    let mut levels = list(&levels["items"]).iter();
    let level = levels.find(|level| level["location"] == "annex")?;
    Some((number(&level["on_hand"]), number(&level["available"])))
}

#[tokio::test]
async fn units_come_and_go_once_under_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let server = small_shop(folder.path()).start();
    let house = staff(folder.path(), &server.url, &["stock:write"]);
    let book = |quantity, key: &str| house.post(MOVEMENTS, movement(0, "annex", quantity)).key(key);
    let first = book(12, "delivery-of-monday-1").send().await.is(201);
    assert_eq!(first.header("idempotent-replayed"), "");
    let first = first.json();
    assert_eq!((number(&first["quantity"]), number(&first["level"])), (12, 12), "{first}");
    assert!(text(&first["actor"]).contains("key_"), "{first}");
    let again = book(12, "delivery-of-monday-1").send().await.is(201);
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(again.json(), first, "it is answered as it was");
    book(13, "delivery-of-monday-1").refused(422, "idempotency_key_reused").await;
    assert_eq!(annex(&house, 0).await, Some((12, 12)), "it came once");
    // Another caller's key is another key.
    let other = staff(folder.path(), &server.url, &["*"]);
    let call = other.post(MOVEMENTS, movement(0, "annex", -5)).key("delivery-of-monday-1");
    assert_eq!(number(&call.made().await["level"]), 7);
    book(-8, "lost-in-the-annex-1").refused(409, "stock_below_zero").await;
    assert_eq!(annex(&house, 0).await, Some((7, 7)), "a refusal changes nothing");
    book(-7, "lost-in-the-annex-1").made().await;
    let sku = bulk_sku(0);
    let page = house.read(&format!("{MOVEMENTS}?sku={sku}&limit=2")).await;
    let quantities = |page: &Value| -> Vec<i64> {
        list(&page["items"]).iter().map(|it| number(&it["quantity"])).collect()
    };
    assert_eq!(quantities(&page), [-7, -5], "newest first");
    let cursor = text(&page["next_cursor"]);
    let rest = house.read(&format!("{MOVEMENTS}?sku={sku}&cursor={cursor}")).await;
    assert_eq!(quantities(&rest)[0], 12);
    let elsewhere = format!("{MOVEMENTS}?sku={}&cursor={cursor}", bulk_sku(1));
    house.get(&elsewhere).refused(400, "invalid_cursor").await;
}

#[tokio::test]
async fn what_cannot_be_booked_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let server = small_shop(folder.path()).start();
    let house = staff(folder.path(), &server.url, &["stock:write"]);
    let book = |body: Value| house.post(MOVEMENTS, body);
    let with = |field: &str, value: Value| {
        let mut body = movement(0, "annex", 1);
        body[field] = value;
        body
    };
    for (field, value, code) in [
        ("sku", json!("NO-SUCH-SKU"), "unknown_sku"),
        ("sku", json!(""), "unknown_sku"),
        ("quantity", json!(0), "out_of_range"),
        ("quantity", json!(4_294_967_296_i64), "out_of_range"),
        ("quantity", json!(-1e300), "out_of_range"),
        ("quantity", json!("1"), "wrong_type"),
        ("reason", json!(""), "out_of_range"),
        ("reason", json!("x".repeat(201)), "out_of_range"),
        ("location", json!(""), "out_of_range"),
        ("level", json!(1), "unknown_field"),
    ] {
        book(with(field, value)).invalid(&format!("/{field}"), code).await;
    }
    book(with("quantity", json!(4_294_967_295_i64))).made().await;
    book(with("quantity", json!(1))).invalid("/quantity", "out_of_range").await;
    book(movement(0, "annex", 1)).key("short").refused(400, "idempotency_key_invalid").await;
    house.get(MOVEMENTS).refused(400, "invalid_parameter").await;
    house.get(&format!("{LEVELS}?skus=A")).refused(400, "unknown_parameter").await;
    let none = house.read(&format!("{MOVEMENTS}?sku=%00")).await;
    assert_eq!(none["items"], json!([]), "what cannot be a SKU has never moved");
}

#[tokio::test]
async fn levels_are_walked_page_by_page() {
    let folder = tempfile::tempdir().unwrap();
    let server = small_shop(folder.path()).start();
    let house = staff(folder.path(), &server.url, &["stock:write"]);
    for location in ["b", "a"] {
        house.post(MOVEMENTS, movement(1, location, 3)).made().await;
    }
    let walk = async |query: &str| -> Vec<(String, String)> {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = house.read(&format!("{LEVELS}?limit=2&{query}{cursor}")).await;
            seen.extend(list(&page["items"]).iter().map(|level| {
                (text(&level["sku"]).to_owned(), text(&level["location"]).to_owned())
            }));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return seen,
            }
        }
    };
    let all = walk("").await;
    assert!(all.windows(2).all(|two| two[0] < two[1]) && all.len() > 4, "{all:?}");
    let (one, two) = (bulk_sku(1), bulk_sku(2));
    let some = walk(&format!("sku={two}&sku={one}&sku=NONE")).await;
    let expected: Vec<_> =
        all.iter().filter(|(sku, _)| *sku == one || *sku == two).cloned().collect();
    assert_eq!(some, expected);
    assert!(some.len() > 2, "{some:?}");
}
