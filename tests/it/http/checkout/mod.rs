//! `/v1/carts/{id}/checkout` and `/v1/orders`: what a buyer sees of a purchase.

mod limits;
mod outcomes;
mod owners;
mod refusals;
mod repeats;
mod stock;

use serde_json::{Value, json};

use crate::support::client::number;
use crate::support::goods::bulk_sku;
use crate::support::{Call, Cart, Client, guest};

/// A cart of a new guest that can be bought: so many units of each of these goods.
pub async fn full_cart(lines: &[(usize, u32)]) -> Cart {
    fill(&guest().await, lines).await
}

/// The same, of a known one.
pub async fn fill(client: &Client, lines: &[(usize, u32)]) -> Cart {
    let cart = client.cart().await;
    for (good, quantity) in lines {
        cart.add(&bulk_sku(*good), *quantity).ok().await;
    }
    cart.contact("ada@example.com").ok().await;
    cart.ship_to("DE", Value::Null).ok().await;
    cart.client.put(&cart.at("/shipping_method"), json!({"id": "standard"})).ok().await;
    cart
}

/// The request to buy a cart for that total.
pub fn buy_for(cart: &Cart, method: &str, total: i64, key: &str) -> Call {
    let body = json!({
        "payment": {"gateway": "test", "method": method},
        "expected_total": {"amount": total, "currency": "EUR"},
    });
    cart.client.post(&cart.at("/checkout"), body).key(key)
}

/// The request to buy a cart for what it costs.
pub async fn buy(cart: &Cart, method: &str, key: &str) -> Call {
    let total = number(&cart.read().await["totals"]["total"]["amount"]);
    buy_for(cart, method, total, key)
}

/// Where the order of a reply is.
pub fn order_path(order: &Value) -> String {
    format!("/v1/orders/{}", order["id"].as_str().expect("an id"))
}
