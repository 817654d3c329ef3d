//! What cannot be bought, and how the buyer is told.

use serde_json::{Value, json};

use super::{buy, buy_for, full_cart};
use crate::support::client::{list, number, text};
use crate::support::guest;

#[tokio::test]
async fn a_cart_with_problems_is_not_bought() {
    let cart = guest().await.cart().await;
    let refused =
        buy(&cart, "ok", "nothing-at-all-to-buy").await.refused(409, "cart_not_ready").await;
    let problems = list(&refused["problems"]).iter();
    let codes: Vec<_> = problems.map(|problem| text(&problem["code"])).collect();
    assert!(codes.contains(&"cart_empty") && codes.contains(&"contact_missing"), "{codes:?}");
}

#[tokio::test]
async fn too_little_stock_is_told_by_line() {
    let cart = full_cart(&[(120, 1)]).await;
    cart.add("LOW-LAMP", 5).ok().await;
    let refused = buy(&cart, "ok", "too-many-of-the-lamps").await;
    let refused = refused.refused(409, "insufficient_stock").await;
    let problem = &refused["problems"][0];
    assert_eq!((number(&problem["requested"]), text(&problem["line_id"])), (5, "line_2"));
    assert_eq!(cart.read().await["status"], "open");
}

#[tokio::test]
async fn nobody_pays_what_they_did_not_see() {
    let cart = full_cart(&[(123, 1)]).await;
    let total = cart.read().await["totals"]["total"].clone();
    let amount = number(&total["amount"]);
    for wrong in [0, amount - 1, amount + 1] {
        let call = buy_for(&cart, "ok", wrong, "for-another-total-of-it");
        let refused = call.refused(409, "cart_changed").await;
        assert_eq!(refused["current_total"], total);
    }
    let version = cart.client.get(&cart.path).send().await.version();
    let stale = buy_for(&cart, "ok", amount, "at-a-version-that-is-old").if_match(version - 1);
    stale.refused(412, "version_mismatch").await;
    let call = buy_for(&cart, "ok", amount, "at-the-version-it-is-at").if_match(version);
    call.made().await;
}

#[tokio::test]
async fn a_request_is_checked_before_anything_is_frozen() {
    let cart = full_cart(&[(124, 1)]).await;
    let total = cart.read().await["totals"]["total"].clone();
    let post = |body: Value| cart.client.post(&cart.at("/checkout"), body);
    let with = |payment: Value| json!({"payment": payment, "expected_total": total});
    let send = |payment: Value| post(with(payment)).key("a-request-that-is-wrong");
    post(with(json!({"gateway": "test"}))).refused(400, "idempotency_key_required").await;
    send(json!({"gateway": "gold"})).invalid("/payment/gateway", "unknown_gateway").await;
    send(json!({"gateway": "test", "method": "gold"}))
        .invalid("/payment/method", "unknown_method")
        .await;
    for url in ["javascript:alert(1)", "/thanks", "ftp://x/y", "https://", "data:text/html,x"] {
        send(json!({"gateway": "test", "return_url": url}))
            .invalid("/payment/return_url", "invalid_url")
            .await;
    }
    send(json!({})).invalid("/payment/gateway", "required").await;
    send(json!({"gateway": "test", "amount": 1})).invalid("/payment/amount", "unknown_field").await;
    for (wrong, pointer, code) in [
        (json!({"amount": -1, "currency": "EUR"}), "/expected_total/amount", "out_of_range"),
        (json!({"amount": 1, "currency": "EURO"}), "/expected_total/currency", "unknown_currency"),
        (json!(5), "/expected_total", "wrong_type"),
    ] {
        let body = json!({"payment": {"gateway": "test"}, "expected_total": wrong});
        post(body).key("a-request-that-is-wrong").invalid(pointer, code).await;
    }
    assert_eq!(cart.read().await["status"], "open");
}
