//! `/admin/v1/orders`, `/returns` and `/carts`: all of them, found by what they are.

use serde_json::{Value, json};

use super::staff;
use crate::http::checkout::{buy, fill};
use crate::support::client::{list, text};
use crate::support::{Client, small_shop};

fn ids(page: &Value) -> Vec<String> {
    list(&page["items"]).iter().map(|it| text(&it["id"]).to_owned()).collect()
}

#[tokio::test]
async fn orders_are_found_by_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let server = small_shop(folder.path()).start();
    let house = staff(folder.path(), &server.url, &["orders:read"]);
    assert_eq!(house.read("/admin/v1/orders").await["items"], json!([]));
    let visitor = Client::of(&server.url);
    let mut placed = Vec::new();
    for number in 0..3 {
        let cart = fill(&visitor.guest().await, &[(number, 1)]).await;
        placed.push(buy(&cart, "ok", &format!("an-order-of-many-{number}")).await.made().await);
    }
    let cart = fill(&visitor.guest().await, &[(4, 1)]).await;
    buy(&cart, "declined", "a-purchase-in-vain").await.refused(402, "payment_declined").await;
    let placed: Vec<&str> = placed.iter().map(|order| text(&order["id"])).collect();

    let found = async |query: &str| ids(&house.read(&format!("/admin/v1/orders?{query}")).await);
    let mut newest: Vec<&str> = placed.clone();
    newest.reverse();
    assert_eq!(found("status=placed").await, newest, "those opened last come first");
    assert_eq!(found("status=placed&sort=oldest").await, placed);
    assert_eq!(found("status=placed&payment_status=authorized").await, newest);
    assert_eq!(found("status=placed&fulfilment_status=fulfilled").await, Vec::<String>::new());
    assert_eq!(found("placed_before=2020-01-01T00:00:00Z").await, Vec::<String>::new());
    assert_eq!(found("placed_after=2020-01-01T00:00:00Z&q=ADA%40").await, newest);
    assert_eq!(found("q=nobody").await, Vec::<String>::new());
    let pending = found("status=pending").await;
    assert_eq!(pending.len(), 1, "what was given up is pending to clients");
    let all = found("").await;
    assert_eq!(all.len(), 4);

    let (mut walked, mut query) = (Vec::new(), "limit=1".to_owned());
    loop {
        let page = house.read(&format!("/admin/v1/orders?{query}")).await;
        walked.extend(ids(&page));
        match page["next_cursor"].as_str() {
            Some(cursor) => query = format!("limit=1&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(walked, all, "pages visit each once");
    let other = format!("/admin/v1/orders?{query}&status=placed");
    house.get(&other).refused(400, "invalid_cursor").await;
    for bad in ["status=draft", "payment_status=", "placed_after=now", "sort=total", "limit=0"] {
        house.get(&format!("/admin/v1/orders?{bad}")).refused(400, "invalid_parameter").await;
    }

    let order = house.get(&format!("/admin/v1/orders/{}", placed[0])).send().await.is(200);
    assert!(order.version() > 0);
    let order = order.json();
    let by_number = house.read(&format!("/admin/v1/orders/{}", text(&order["number"]))).await;
    assert_eq!(by_number, order, "by the number that people say");
    for unknown in ["ord_0tpg4j1rg8jb145zt13dgk2bkn", "562-398-908", "x", "%FF"] {
        house.get(&format!("/admin/v1/orders/{unknown}")).refused(404, "not_found").await;
    }
    let cart = house.read(&format!("/admin/v1/carts/{}", text(&order["cart_id"]))).await;
    assert_eq!(cart["order_id"], order["id"], "any cart can be looked at");
    house.get("/admin/v1/carts/cart_0tpg4j1rg8jb145zt13dgk2bkn").refused(404, "not_found").await;
    assert_eq!(house.read("/admin/v1/returns?status=requested").await["items"], json!([]));
    house.get("/admin/v1/returns?status=lost").refused(400, "invalid_parameter").await;
}
