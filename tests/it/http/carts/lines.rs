//! Lines: add, set, remove.

use serde_json::json;

use super::{adds_up, lines, problem, problems};
use crate::assert_reply;
use crate::support::client::text;
use crate::support::{Call, Cart, guest};

fn set(cart: &Cart, line: &str, quantity: i64) -> Call {
    cart.client.patch(&cart.at(&format!("/lines/{line}")), json!({"quantity": quantity}))
}

fn remove(cart: &Cart, line: &str) -> Call {
    cart.client.delete(&cart.at(&format!("/lines/{line}")))
}

#[tokio::test]
async fn units_are_added_set_and_removed() {
    let cart = guest().await.cart().await;
    let added = cart.add("OAK-NATURAL", 2).send().await.is(200);
    assert_eq!(added.version(), 2);
    assert_reply!("cart_with_a_line", added.json());
    // The same SKU sums; another is a line of its own.
    let summed = cart.add("OAK-NATURAL", 3).ok().await;
    assert_eq!(lines(&summed), [("OAK-NATURAL", 5)]);
    let two = cart.add("OAK-SMOKED", 1).ok().await;
    assert_eq!(lines(&two), [("OAK-NATURAL", 5), ("OAK-SMOKED", 1)]);
    adds_up(&two);
    let line = |index: usize| text(&two["lines"][index]["id"]).to_owned();
    let set_to_one = set(&cart, &line(0), 1).ok().await;
    assert_eq!(lines(&set_to_one), [("OAK-NATURAL", 1), ("OAK-SMOKED", 1)]);
    // 0 removes, as DELETE does.
    assert_eq!(lines(&set(&cart, &line(0), 0).ok().await), [("OAK-SMOKED", 1)]);
    let removed = remove(&cart, &line(1)).send().await.is(200);
    let empty = removed.json();
    assert_eq!((lines(&empty), removed.version()), (vec![], 7));
    assert!(problems(&empty).contains(&"cart_empty"));
    adds_up(&empty);
    set(&cart, &line(0), 1).refused(404, "not_found").await;
    remove(&cart, &line(0)).refused(404, "not_found").await;
    // What comes back is a new line.
    let back = cart.add("OAK-SMOKED", 1).ok().await;
    assert_ne!(text(&back["lines"][0]["id"]), line(1));
}

#[tokio::test]
async fn what_cannot_be_sold_is_refused() {
    let guest = guest().await;
    let euros = guest.cart().await;
    euros.add("NO-SUCH-SKU", 1).invalid("/sku", "unknown_sku").await;
    euros.add("", 1).invalid("/sku", "unknown_sku").await;
    euros.add(&"A".repeat(5_000), 1).invalid("/sku", "unknown_sku").await;
    let check = async |cart: &Cart, sku: &str, code: &str| {
        let refused = cart.add(sku, 1).refused(422, code).await;
        assert_eq!(refused["errors"][0]["pointer"], "/sku", "{refused:#}");
    };
    check(&euros, "PRICELESS", "no_price").await;
    for sku in ["US-CAP", "DRAFT-STOOL", "ARCHIVED-STOOL", "FUTURE-STOOL"] {
        check(&euros, sku, "variant_unavailable").await;
    }
    let dollars = guest.cart_of(json!({"currency": "USD"})).await;
    check(&dollars, "ODD-CUP", "no_price").await;
    let us = guest.cart_of(json!({"channel": "us"})).await;
    us.add("US-CAP", 1).ok().await;
    assert_eq!(euros.read().await["version"], 1, "refusals change nothing");
}

#[tokio::test]
async fn quantities_have_bounds() {
    let cart = guest().await.cart().await;
    for (quantity, code) in [
        (json!(0), "out_of_range"),
        (json!(-1), "out_of_range"),
        (json!(100_000), "out_of_range"),
        (json!(4_294_967_297_i64), "out_of_range"),
        (json!(1e300), "out_of_range"),
        (json!(1.5), "wrong_type"),
        (json!("1"), "wrong_type"),
        (json!(true), "wrong_type"),
        (json!(null), "wrong_type"),
        (json!([1]), "wrong_type"),
    ] {
        cart.add("BULK-0001", quantity).invalid("/quantity", code).await;
    }
    // A whole number is one however it is written.
    assert_eq!(lines(&cart.add("BULK-0001", json!(2.0)).ok().await), [("BULK-0001", 2)]);
    let full = cart.add("BULK-0001", 99_997).ok().await;
    assert_eq!(lines(&full), [("BULK-0001", 99_999)]);
    let over = cart.add("BULK-0001", 1).refused(422, "quantity_limit").await;
    assert_eq!(over["errors"][0]["pointer"], "/quantity");
    let line = text(&full["lines"][0]["id"]).to_owned();
    set(&cart, &line, 100_000).invalid("/quantity", "out_of_range").await;
    set(&cart, &line, -1).invalid("/quantity", "out_of_range").await;
    set(&cart, &line, 99_999).ok().await;
    adds_up(&cart.read().await);
}

#[tokio::test]
async fn a_line_may_not_be_worth_more_than_can_be_summed() {
    let cart = guest().await.cart().await;
    let one = cart.add("GOLD-BAR", 1).ok().await;
    adds_up(&one);
    cart.add("GOLD-BAR", 10).refused(422, "quantity_limit").await;
    assert_eq!(lines(&cart.read().await), [("GOLD-BAR", 1)]);
}

#[tokio::test]
async fn too_little_stock_is_a_problem_and_no_refusal() {
    let cart = guest().await.cart().await;
    let low = cart.add("LOW-LAMP", 5).ok().await;
    let told = problem(&low, "insufficient_stock");
    assert_eq!((&told["requested"], &told["available"]), (&json!(5), &json!(3)), "{told}");
    assert_eq!(told["line_id"], low["lines"][0]["id"]);
    let line = text(&low["lines"][0]["id"]).to_owned();
    let fine = set(&cart, &line, 3).ok().await;
    assert!(!problems(&fine).contains(&"insufficient_stock"));
    let out = cart.add("OUT-LAMP", 1).ok().await;
    assert_eq!(problem(&out, "insufficient_stock")["available"], 0);
    let others = guest().await.cart().await;
    for (sku, quantity) in [("BACK-TABLE", 50), ("PRE-TABLE", 20), ("DOWNLOAD", 5_000)] {
        let held = others.add(sku, quantity).ok().await;
        assert!(!problems(&held).contains(&"insufficient_stock"), "{sku}");
    }
    let beyond = others.add("PRE-TABLE", 1).ok().await;
    assert_eq!(problem(&beyond, "insufficient_stock")["available"], 20);
    let limited = others.add("LIMITED-PRINT", 3).ok().await;
    assert_eq!(problem(&limited, "quantity_limit")["maximum"], 2);
}

#[tokio::test]
async fn tiers_follow_the_quantity() {
    let cart = guest().await.cart().await;
    let unit = |cart: &serde_json::Value| cart["lines"][0]["unit_price"]["amount"].clone();
    let three = cart.add("OAK-NATURAL", 3).ok().await;
    assert_eq!(unit(&three), 12_900);
    let four = cart.add("OAK-NATURAL", 1).ok().await;
    assert_eq!(unit(&four), 11_900);
    assert!(!problems(&four).contains(&"price_changed"), "the shopper changed it");
    adds_up(&four);
    let line = text(&four["lines"][0]["id"]).to_owned();
    assert_eq!(unit(&set(&cart, &line, 3).ok().await), 12_900);
}

#[tokio::test]
async fn lines_speak_the_carts_language() {
    let cart = guest().await.cart_of(json!({"locale": "de"})).await;
    let line = cart.add("OAK-SMOKED", 1).ok().await["lines"][0].clone();
    assert_eq!(line["title"], "Eichenstuhl");
    assert_eq!(line["options"], json!([{"name": "Finish", "value": "Smoked"}]));
    let picture = text(&line["image"]).to_owned();
    cart.client.get(&picture).send().await.is(200);
    let page = cart.client.read(&format!("/v1/products/{}", text(&line["slug"]))).await;
    assert_eq!(page["id"], line["product_id"]);
}

#[tokio::test]
async fn fields_are_strict() {
    let cart = guest().await.cart().await;
    let check = async |body, pointer, code| {
        cart.client.post(&cart.at("/lines"), body).invalid(pointer, code).await;
    };
    check(json!({"sku": "A"}), "/quantity", "required").await;
    check(json!({"quantity": 1}), "/sku", "required").await;
    check(json!({"sku": 1, "quantity": 1}), "/sku", "wrong_type").await;
    check(json!({"sku": "A", "quantity": 1, "note": ""}), "/note", "unknown_field").await;
    check(json!(["A", 1]), "", "wrong_type").await;
    check(json!("A"), "", "wrong_type").await;
    for line in ["line_x", "line_0", "line_99999999999999999999", "x"] {
        set(&cart, line, 1).refused(404, "not_found").await;
        remove(&cart, line).refused(404, "not_found").await;
    }
}

#[tokio::test]
async fn a_thousand_lines_and_no_more() {
    use crate::support::goods::bulk_sku;

    let cart = guest().await.cart().await;
    for batch in 0..10 {
        let actions: Vec<_> = (0..100)
            .map(|n| json!({"type": "add_line", "sku": bulk_sku(batch * 100 + n), "quantity": 1}))
            .collect();
        let reply = cart.actions(json!(actions)).header("prefer", "return=minimal").send().await;
        assert_eq!(reply.is(200).version(), 2 + batch as u64);
    }
    let refused = cart.add(&bulk_sku(1_000), 1).refused(422, "line_limit").await;
    assert_eq!(refused["errors"][0]["pointer"], "/sku");
    let in_a_batch = cart.actions(json!([
        {"type": "add_line", "sku": bulk_sku(0), "quantity": 1},
        {"type": "add_line", "sku": bulk_sku(1_000), "quantity": 1},
    ]));
    let refused = in_a_batch.refused(422, "line_limit").await;
    assert_eq!(refused["errors"][0]["pointer"], "/actions/1/sku");
    // More of what is there is no new line.
    let full = cart.add(&bulk_sku(999), 4).ok().await;
    assert_eq!(full["lines"].as_array().unwrap().len(), 1_000);
    assert_eq!(full["lines"][999]["quantity"], 5);
    adds_up(&full);
    // One out, one in.
    let line = text(&full["lines"][500]["id"]).to_owned();
    remove(&cart, &line).ok().await;
    cart.add(&bulk_sku(1_000), 1).ok().await;
}
