//! A price that changes by itself while a cart holds it.

use std::time::{Duration, SystemTime};

use barrow_engine::time::Timestamp;
use barrow_tests::server::Launch;
use serde_json::json;

use super::{adds_up, lines, problem, total};
use crate::support::goods;
use crate::support::sse::Events;
use crate::support::{Client, import, until};

fn soon(wait: Duration) -> String {
    let at = SystemTime::now() + wait;
    let millis = at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    Timestamp(millis as i64).to_string()
}

#[tokio::test]
async fn a_price_that_begins_is_a_problem_until_it_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    // Long enough for the server to be up before; the test waits for the change itself.
    let mut sale = goods::price(800, "EUR");
    sale["valid_from"] = json!(soon(Duration::from_secs(8)));
    let product = json!({
        "type": "product", "slug": "cup", "title": "Cup",
        "variants": [{"sku": "CUP", "prices": [goods::price(1_000, "EUR"), sale], "on_hand": 9}],
    });
    import(folder.path(), &goods::lines(&[product]));
    let server = Launch::at(folder.path()).start();
    let cart = Client::of(&server.url).guest().await.cart().await;
    let before = cart.add("CUP", 2).ok().await;
    assert_eq!(total(&before, "subtotal"), 2_000, "the machine is too slow for this test");
    let mut events = Events::open(cart.client.get(&cart.at("/events"))).await;
    events.wait_for("cart").await;
    until("the price begins", async || total(&cart.read().await, "subtotal") == 1_600).await;
    let changed = cart.read().await;
    adds_up(&changed);
    let told = problem(&changed, "price_changed");
    assert_eq!(
        (&told["old_price"]["amount"], &told["new_price"]["amount"]),
        (&json!(1_000), &json!(800))
    );
    assert_eq!(changed["version"], 2, "nobody wrote the cart");
    // The lists know it, too.
    until("the list knows", async || {
        let listed = cart.client.read("/v1/products").await;
        listed["items"][0]["price"]["from"]["amount"] == 800
    })
    .await;
    let news = events.wait_for("price_changed").await;
    assert_eq!(news.id, None);
    assert_eq!(news.json()["sku"], "CUP");
    assert_eq!(news.json()["line_id"], changed["lines"][0]["id"]);
    let accepted = cart.actions(json!([{"type": "accept_prices"}])).ok().await;
    assert!(problem(&accepted, "price_changed").is_null(), "{accepted:#}");
    assert_eq!((lines(&accepted), total(&accepted, "subtotal")), (vec![("CUP", 2)], 1_600));
}
