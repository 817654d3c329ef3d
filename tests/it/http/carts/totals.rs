//! Totals to the minor unit, with taxes included and on top.

use serde_json::{Value, json};

use super::{adds_up, total};
use crate::support::{Cart, guest};

/// Tax within a price, rounded half up, by the contract's words and not by the code under test.
fn included(amount: i64, rate_bp: i64) -> i64 {
    // amount * rate / (1 + rate), in whole numbers; amounts here are not negative.
    let (upper, lower) = (amount * rate_bp, 10_000 + rate_bp);
    (2 * upper + lower) / (2 * lower)
}

fn on_top(amount: i64, rate_bp: i64) -> i64 {
    (2 * amount * rate_bp + 10_000) / 20_000
}

async fn check(cart: &Cart, expected: [(&str, i64); 4]) {
    let found = cart.read().await;
    adds_up(&found);
    let totals = expected.map(|(name, _)| (name, total(&found, name)));
    assert_eq!(totals, expected, "{:#}", found["totals"]);
}

#[tokio::test]
async fn taxes_are_a_part_of_european_prices() {
    let cart = guest().await.cart().await;
    // Standard: 1999 x 3; reduced: 333 x 7 (books' rate); shipping at the standard rate.
    cart.add("RED-LAMP", 3).ok().await;
    cart.add("ODD-CUP", 7).ok().await;
    cart.ship_to("DE", Value::Null).ok().await;
    let (lamps, cups) = (5_997, 2_331);
    let tax = included(lamps, 1_900) + included(cups, 700);
    check(&cart, [("subtotal", 8_328), ("shipping", 0), ("tax", tax), ("total", 8_328)]).await;
    let express = json!({"id": "express"});
    cart.client.put(&cart.at("/shipping_method"), express).ok().await;
    let tax = tax + included(1_290, 1_900);
    check(&cart, [("subtotal", 8_328), ("shipping", 1_290), ("tax", tax), ("total", 9_618)]).await;
    // Another country, another rate, the same price.
    cart.ship_to("FR", Value::Null).ok().await;
    let tax = included(lamps, 2_000) + included(cups, 550) + included(1_290, 2_000);
    check(&cart, [("subtotal", 8_328), ("shipping", 1_290), ("tax", tax), ("total", 9_618)]).await;
}

#[tokio::test]
async fn taxes_come_on_top_of_american_prices() {
    let cart = guest().await.cart_of(json!({"channel": "us"})).await;
    cart.add("US-CAP", 3).ok().await;
    assert_eq!(cart.read().await["totals"]["tax_included"], false);
    // No place, no tax yet.
    check(&cart, [("subtotal", 5_985), ("shipping", 0), ("tax", 0), ("total", 5_985)]).await;
    cart.ship_to("US", json!("TX")).ok().await;
    let ground = json!({"id": "us-ground"});
    cart.client.put(&cart.at("/shipping_method"), ground).ok().await;
    // Texas taxes shipping, California does not.
    let tax = on_top(5_985, 625) + on_top(699, 625);
    check(&cart, [("subtotal", 5_985), ("shipping", 699), ("tax", tax), ("total", 6_684 + tax)])
        .await;
    cart.ship_to("US", json!("CA")).ok().await;
    let tax = on_top(5_985, 725);
    check(&cart, [("subtotal", 5_985), ("shipping", 699), ("tax", tax), ("total", 6_684 + tax)])
        .await;
}

#[tokio::test]
async fn each_line_is_rounded_by_itself() {
    let cart = guest().await.cart().await;
    cart.ship_to("DE", Value::Null).ok().await;
    let mut subtotal = 0;
    let mut tax = 0;
    for (n, book) in crate::support::goods::books().iter().enumerate().take(25) {
        let quantity = 1 + n as i64 % 4;
        cart.add(&book.sku, quantity).ok().await;
        subtotal += book.price * quantity;
        tax += included(book.price * quantity, 700);
    }
    check(&cart, [("subtotal", subtotal), ("shipping", 0), ("tax", tax), ("total", subtotal)])
        .await;
}

#[tokio::test]
async fn what_is_free_costs_nothing() {
    let cart = guest().await.cart().await;
    cart.add("STICKER", 99_999).ok().await;
    check(&cart, [("subtotal", 0), ("shipping", 0), ("tax", 0), ("total", 0)]).await;
}
