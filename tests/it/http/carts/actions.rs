//! Batches: all of them in one write, or none.

use serde_json::{Value, json};

use super::lines;
use crate::assert_reply;
use crate::support::client::{address, text};
use crate::support::{Cart, guest};

#[tokio::test]
async fn every_kind_of_action_in_one_write() {
    let cart = guest().await.cart().await;
    let first = cart.add("RED-LAMP", 1).ok().await;
    let line = text(&first["lines"][0]["id"]);
    let reply = cart
        .actions(json!([
            {"type": "add_line", "sku": "OAK-NATURAL", "quantity": 2},
            {"type": "set_quantity", "line_id": line, "quantity": 3},
            {"type": "add_line", "sku": "PINE-CHAIR", "quantity": 1},
            {"type": "remove_line", "line_id": line},
            {"type": "set_contact", "email": "ada@example.com", "phone": "+49 30 1234567"},
            {"type": "set_addresses", "shipping": address("DE", Value::Null)},
            {"type": "set_shipping_method", "id": "standard"},
            {"type": "accept_prices"},
        ]))
        .send()
        .await
        .is(200);
    assert_eq!(reply.version(), 3, "one write");
    assert_eq!(lines(&reply.json()), [("OAK-NATURAL", 2), ("PINE-CHAIR", 1)]);
    assert_reply!("cart_complete", reply.json());
    assert_eq!(reply.json()["problems"], json!([]));
}

/// The batch is refused at that pointer, and the cart is as it was.
async fn check(cart: &Cart, actions: Value, pointer: &str, code: &str) {
    let before = cart.read().await;
    let refused = cart.actions(actions).send().await.is(422).json();
    let error = &refused["errors"][0];
    assert_eq!((text(&error["pointer"]), text(&error["code"])), (pointer, code), "{refused:#}");
    assert_eq!(cart.read().await, before, "all or none");
}

#[tokio::test]
async fn a_refusal_points_at_the_action_and_undoes_the_others() {
    let cart = guest().await.cart().await;
    cart.add("RED-LAMP", 1).ok().await;
    let good = json!({"type": "add_line", "sku": "RED-LAMP", "quantity": 1});
    let add =
        |sku: &str, quantity: i64| json!({"type": "add_line", "sku": sku, "quantity": quantity});
    let at_two = async |bad: Value, field: &str, code: &str| {
        let pointer = format!("/actions/2{field}");
        check(&cart, json!([good, good, bad, good]), &pointer, code).await;
    };
    at_two(add("NO-SUCH-SKU", 1), "/sku", "unknown_sku").await;
    at_two(add("PRICELESS", 1), "/sku", "no_price").await;
    at_two(add("DRAFT-STOOL", 1), "/sku", "variant_unavailable").await;
    at_two(add("RED-LAMP", 99_999), "/quantity", "quantity_limit").await;
    at_two(add("RED-LAMP", 0), "/quantity", "out_of_range").await;
    let set = |line: &str| json!({"type": "set_quantity", "line_id": line, "quantity": 1});
    at_two(set("line_77"), "/line_id", "unknown_line").await;
    at_two(set("nonsense"), "/line_id", "unknown_line").await;
    at_two(json!({"type": "remove_line", "line_id": "line_77"}), "/line_id", "unknown_line").await;
    let method = json!({"type": "set_shipping_method", "id": "teleport"});
    at_two(method, "/id", "unknown_shipping_method").await;
    at_two(json!({"type": "set_contact", "email": "x"}), "/email", "invalid_format").await;
    let nowhere = json!({"type": "set_addresses", "shipping": address("XX", Value::Null)});
    at_two(nowhere, "/shipping/country", "unknown_country").await;
    at_two(json!({"type": "accept_prices", "x": 1}), "/x", "unknown_field").await;
    at_two(json!({"type": "apply_coupon", "code": "X"}), "/type", "unknown_value").await;
    at_two(json!({"sku": "RED-LAMP"}), "/type", "required").await;
    at_two(json!("add_line"), "", "wrong_type").await;
}

#[tokio::test]
async fn a_batch_has_1_to_100_actions() {
    let cart = guest().await.cart().await;
    let good = json!({"type": "add_line", "sku": "RED-LAMP", "quantity": 1});
    let of = |count: usize| Value::from(vec![good.clone(); count]);
    check(&cart, of(0), "/actions", "out_of_range").await;
    check(&cart, of(101), "/actions", "out_of_range").await;
    check(&cart, json!({}), "/actions", "wrong_type").await;
    let hundred = cart.actions(of(100)).ok().await;
    assert_eq!(lines(&hundred), [("RED-LAMP", 100)]);
}

#[tokio::test]
async fn later_actions_see_earlier_ones() {
    let cart = guest().await.cart().await;
    // The first line of a cart is known by its name before it is there.
    let reply = cart
        .actions(json!([
            {"type": "add_line", "sku": "RED-LAMP", "quantity": 1},
            {"type": "set_quantity", "line_id": "line_1", "quantity": 7},
        ]))
        .ok()
        .await;
    assert_eq!(lines(&reply), [("RED-LAMP", 7)]);
    assert_eq!(reply["lines"][0]["id"], "line_1");
}
