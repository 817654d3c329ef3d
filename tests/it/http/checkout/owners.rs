//! Whose carts and orders they are.

use super::{buy, full_cart, order_path};
use crate::support::{guest, visitor};

#[tokio::test]
async fn i8_nobody_else_buys_reads_or_gives_up() {
    let cart = full_cart(&[(130, 1)]).await;
    let (other, nobody) = (guest().await, visitor());
    let total = cart.read().await["totals"]["total"].clone();
    let body = serde_json::json!({"payment": {"gateway": "test"}, "expected_total": total});
    let checkout = cart.at("/checkout");
    other
        .post(&checkout, body.clone())
        .key("the-cart-of-another-one")
        .refused(404, "not_found")
        .await;
    nobody
        .post(&checkout, body)
        .key("the-cart-of-another-one")
        .refused(401, "unauthenticated")
        .await;
    other.delete(&checkout).refused(404, "not_found").await;
    nobody.delete(&checkout).refused(401, "unauthenticated").await;
    let order = buy(&cart, "ok", "the-cart-of-its-own-one").await.made().await;
    other.get(&order_path(&order)).refused(404, "not_found").await;
    nobody.get(&order_path(&order)).refused(401, "unauthenticated").await;
    other.get("/v1/orders/ord_nothing").refused(404, "not_found").await;
    let body = serde_json::json!({"payment": {"gateway": "test"}, "expected_total": total});
    other.post(&checkout, body).key("the-cart-that-was-bought").refused(404, "not_found").await;
    other.delete(&checkout).refused(404, "not_found").await;
}
