//! The product page in one call.

use serde_json::{Value, json};

use crate::assert_reply;
use crate::support::client::{list, text};
use crate::support::goods::CHAIR_REVIEWS;
use crate::support::visitor;

#[tokio::test]
async fn a_page_has_everything() {
    let visitor = visitor();
    let reply = visitor.get("/v1/products/oak-chair").send().await.is(200);
    let page = reply.json();
    assert_eq!(reply.header("etag"), format!("\"{}\"", page["version"]));
    assert_eq!(reply.header("cache-control"), "no-cache");
    assert_eq!(reply.header("x-degraded"), "");
    assert_reply!("product_page", page.clone());
    let sections = json!({"price": "ok", "availability": "ok", "reviews": "ok", "similar": "ok"});
    assert_eq!(page["sections"], sections);
    let histogram = [CHAIR_REVIEWS / 5; 5];
    let reviews = json!({"average": 3.0, "count": CHAIR_REVIEWS, "histogram": histogram});
    assert_eq!(page["reviews"], reviews);
    // Every picture and manual is there.
    for media in list(&page["media"]) {
        let file = visitor.get(text(&media["url"])).send().await.is(200);
        assert_eq!(file.header("content-type"), text(&media["mime"]));
        assert_eq!(file.body.len() as u64, media["bytes"].as_u64().unwrap());
    }
    let by_id = visitor.read(&format!("/v1/products/{}", text(&page["id"]))).await;
    assert_eq!(by_id, page);
}

#[tokio::test]
async fn attributes_keep_their_types() {
    let page = visitor().read("/v1/products/oak-chair").await;
    let of = |key: &str| {
        let found = list(&page["attributes"]).iter().find(|one| one["key"] == key).unwrap();
        (text(&found["type"]).to_owned(), found["value"].clone(), found["unit"].clone())
    };
    for (key, kind, value, unit) in [
        ("seat_height", "number", json!(46.5), json!("cm")),
        ("stackable", "boolean", json!(true), Value::Null),
        ("wood", "choice", json!("oak"), Value::Null),
        ("since", "date", json!("2025-03-01"), Value::Null),
        ("rooms", "list", json!(["dining", "office"]), Value::Null),
        ("care", "text", json!("Oil once a year."), Value::Null),
    ] {
        let (found, found_value, found_unit) = of(key);
        assert_eq!((found.as_str(), found_unit), (kind, unit), "{key}");
        match value.as_f64() {
            Some(value) => assert_eq!(found_value.as_f64(), Some(value), "{key}"),
            None => assert_eq!(found_value, value, "{key}"),
        }
    }
}

#[tokio::test]
async fn similar_products_are_others() {
    let visitor = visitor();
    let page = visitor.read("/v1/products/oak-chair").await;
    let similar: Vec<&str> = list(&page["similar"]).iter().map(|one| text(&one["slug"])).collect();
    assert!(similar.contains(&"pine-chair"), "{similar:?}");
    assert!(!similar.contains(&"oak-chair"), "{similar:?}");
}

#[tokio::test]
async fn languages_have_their_own_words_and_slugs() {
    let visitor = visitor();
    let german = visitor.get("/v1/products/oak-chair?locale=de").send().await.is(200);
    let page = german.json();
    assert_eq!((text(&page["title"]), text(&page["slug"])), ("Eichenstuhl", "eichenstuhl"));
    assert_eq!(german.header("content-language"), "de");
    // A translated slug leads here in every language.
    let by_slug = visitor.read("/v1/products/eichenstuhl").await;
    assert_eq!((&by_slug["id"], text(&by_slug["title"])), (&page["id"], "Oak chair"));
    let french = visitor.read("/v1/products/oak-chair?locale=fr").await;
    let texts = (text(&french["title"]), text(&french["description"]));
    assert_eq!(texts, ("Chaise en chêne", "A chair for a long evening."), "what is not translated");
}

#[tokio::test]
async fn an_old_slug_is_moved() {
    let visitor = visitor();
    for (old, new) in [
        ("/v1/products/old-oak-chair", "/v1/products/oak-chair"),
        ("/v1/products/old-oak-chair?currency=USD", "/v1/products/oak-chair?currency=USD"),
        ("/v1/products/old-oak-chair?locale=de", "/v1/products/eichenstuhl?locale=de"),
        ("/v1/products/old-oak-chair/reviews?limit=2", "/v1/products/oak-chair/reviews?limit=2"),
    ] {
        let moved = visitor.get(old).send().await.is(301);
        assert_eq!(moved.header("location"), new);
        visitor.read(new).await;
    }
}

#[tokio::test]
async fn availability_tells_what_a_shopper_may_know() {
    let visitor = visitor();
    let check = async |slug: &str, status: &str, purchasable: bool, quantity: Value| {
        let page = visitor.read(&format!("/v1/products/{slug}")).await;
        for availability in [&page["availability"], &page["variants"][0]["availability"]] {
            assert_eq!(availability["status"], status, "{slug}");
            assert_eq!(availability["purchasable"], purchasable, "{slug}");
            assert_eq!(availability["quantity"], quantity, "{slug}");
        }
    };
    check("oak-chair", "in_stock", true, Value::Null).await;
    check("low-lamp", "low_stock", true, json!(3)).await;
    check("out-lamp", "out_of_stock", false, Value::Null).await;
    check("back-table", "backorder", true, Value::Null).await;
    check("pre-table", "preorder", true, Value::Null).await;
    check("download", "in_stock", true, Value::Null).await;
    let back = visitor.read("/v1/products/back-table").await;
    assert_eq!(back["availability"]["expected_at"], "2099-06-01T00:00:00.000Z");
}

#[tokio::test]
async fn variants_have_their_prices() {
    let page = visitor().read("/v1/products/oak-chair").await;
    let natural = &page["variants"][0];
    let eur = |amount: i64| json!({"amount": amount, "currency": "EUR"});
    assert_eq!(natural["price"]["unit"], eur(12_900));
    assert_eq!(natural["price"]["compare_at"], eur(15_900));
    assert_eq!(natural["price"]["tiers"], json!([{"min_quantity": 4, "unit": eur(11_900)}]));
    assert_eq!(page["price"]["from"], eur(12_900));
    let priceless = visitor().read("/v1/products/priceless").await;
    assert_eq!(
        (&priceless["price"], &priceless["variants"][0]["price"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(priceless["reviews"], Value::Null);
}

#[tokio::test]
async fn what_is_not_sold_here_is_not_there() {
    let visitor = visitor();
    for name in [
        "nothing-of-this-name",
        "draft-stool",
        "archived-stool",
        "future-stool",
        "us-cap",
        "prod_00000000000000000000000000",
        "prod_",
        "Oak-Chair",
        "a_b",
        "%00",
        "..",
    ] {
        let reply = visitor.get(&format!("/v1/products/{name}")).send().await;
        // A client takes dots for the way up, and asks for the list.
        assert!(reply.status == 404 || name == "..", "{name}: {reply:?}");
    }
    visitor.read("/v1/products/us-cap?channel=us").await;
    visitor.get("/v1/products/oak-chair?channel=moon").refused(400, "invalid_parameter").await;
    visitor.get("/v1/products/oak-chair?limit=1").refused(400, "unknown_parameter").await;
}
