//! How many of a SKU one customer may have, over all their orders.

use barrow_tests::server::Server;
use futures::future::join_all;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{buy, order_path};
use crate::support::client::{list, text};
use crate::support::goods::{lines, price};
use crate::support::{Cart, Client, import, small_shop};

/// At most three for a customer.
const RARE: &str = "RARE-PRINT";

fn shop_of_rarities() -> (Server, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let launch = small_shop(folder.path());
    let print = json!({
        "type": "product",
        "slug": "rare-print",
        "title": "Rare print",
        "variants": [{
            "sku": RARE,
            "prices": [price(1_000, "EUR")],
            "stock": {"track": true, "oversell": "deny", "max_per_customer": 3},
            "on_hand": 100,
        }],
    });
    import(folder.path(), &lines(&[print]));
    (launch.start(), folder)
}

async fn cart_of(client: &Client, email: &str, quantity: u32) -> Cart {
    let cart = client.cart().await;
    cart.add(RARE, quantity).ok().await;
    cart.contact(email).ok().await;
    cart.ship_to("DE", Value::Null).ok().await;
    cart.client.put(&cart.at("/shipping_method"), json!({"id": "standard"})).ok().await;
    cart
}

async fn refused(cart: &Cart, key: &str) {
    let refused = buy(cart, "ok", key).await.refused(409, "cart_not_ready").await;
    let codes: Vec<&str> =
        list(&refused["problems"]).iter().map(|problem| text(&problem["code"])).collect();
    assert_eq!(codes, ["quantity_limit"]);
    assert_eq!(refused["problems"][0]["line_id"], "line_1");
    assert_eq!(cart.read().await["status"], "open", "the cart can be changed");
}

#[tokio::test]
async fn what_was_bought_before_counts() {
    let (server, _folder) = shop_of_rarities();
    let client = Client::of(&server.url);
    let (ada, stranger) = (client.guest().await, client.guest().await);
    let first = cart_of(&ada, "ada@example.com", 2).await;
    let order = buy(&first, "ok", "two-of-three-for-ada").await.made().await;
    let second = cart_of(&ada, "other@example.com", 2).await;
    refused(&second, "the-session-is-the-same").await;
    let by_mail = cart_of(&stranger, "Ada@Example.com", 2).await;
    refused(&by_mail, "the-address-is-the-same").await;
    let elsewhere = cart_of(&client.guest().await, "bob@example.com", 3).await;
    buy(&elsewhere, "ok", "three-for-somebody-else").await.made().await;
    // Fewer are taken; and what is cancelled is not had.
    second.client.patch(&second.at("/lines/line_1"), json!({"quantity": 1})).ok().await;
    buy(&second, "ok", "the-third-one-for-ada").await.made().await;
    refused(&by_mail, "ada-has-all-of-them-now").await;
    let cancel = ada.post(&format!("{}/cancel", order_path(&order)), json!({}));
    cancel.key("i-do-not-want-these-two").ok().await;
    buy(&by_mail, "ok", "those-two-are-free-again").await.made().await;
}

#[tokio::test]
async fn of_two_checkouts_at_once_one_passes() {
    let (server, _folder) = shop_of_rarities();
    let client = Client::of(&server.url);
    for round in 0..5 {
        let guest = client.guest().await;
        let email = format!("round-{round}@example.com");
        let carts = [cart_of(&guest, &email, 2).await, cart_of(&guest, &email, 2).await];
        let bought = carts.iter().enumerate().map(|(n, cart)| {
            let key = format!("both-at-once-{round}-{n}");
            async move { buy(cart, "ok", &key).await.send().await.status }
        });
        let mut bought = join_all(bought).await;
        bought.sort_unstable();
        assert_eq!(bought, [201, 409], "in round {round}");
        // A checkout that came to nothing counts no more.
        let other = client.guest().await;
        let declined = cart_of(&other, &format!("other-{round}@example.com"), 3).await;
        let key = format!("declined-in-round-{round}");
        buy(&declined, "declined", &key).await.refused(402, "payment_declined").await;
        buy(&declined, "ok", &format!("again-in-round-{round}")).await.made().await;
    }
}
