//! What others see of the stock while somebody buys, in a shop that has little of it.

use barrow_tests::server::{Server, run};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{buy, fill};
use crate::support::client::{list, number, text};
use crate::support::goods::{bulk_sku, lines};
use crate::support::sse::Events;
use crate::support::{Cart, Client, small_shop, until};

/// The only one that there is little of.
const SCARCE: usize = 7;

/// A shop with fifty of it.
fn scarce_shop() -> (Server, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let launch = small_shop(folder.path());
    let level = json!({"type": "stock", "sku": bulk_sku(SCARCE), "on_hand": 50});
    std::fs::write(folder.path().join("stock.jsonl"), lines(&[level])).unwrap();
    let ended = run(folder.path(), &["import", "--set-stock", "stock.jsonl"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    (launch.start(), folder)
}

/// How many are left of what the cart has too many of.
fn left(cart: &Value) -> Option<i64> {
    let mut problems = list(&cart["problems"]).iter();
    let short = problems.find(|problem| text(&problem["code"]) == "insufficient_stock")?;
    Some(number(&short["available"]))
}

async fn cart_of(client: &Client, quantity: u32) -> Cart {
    fill(&client.guest().await, &[(SCARCE, quantity)]).await
}

#[tokio::test]
async fn what_one_buys_is_missing_for_the_others() {
    let (server, _folder) = scarce_shop();
    let client = Client::of(&server.url);
    let other = cart_of(&client, 50).await;
    assert_eq!(left(&other.read().await), None, "there are as many");
    let mut events = Events::open(other.client.get(&other.at("/events"))).await;
    events.wait_for("cart").await;
    let bought = cart_of(&client, 2).await;
    buy(&bought, "ok", "two-of-what-is-scarce").await.made().await;
    let told = events.wait_for("low_stock").await.json();
    assert_eq!((text(&told["sku"]), number(&told["available"])), (&*bulk_sku(SCARCE), 48));
    assert_eq!(left(&other.read().await), Some(48));
}

#[tokio::test]
async fn what_a_buyer_waits_with_is_no_problem_of_their_own() {
    let (server, _folder) = scarce_shop();
    let client = Client::of(&server.url);
    let (cart, other) = (cart_of(&client, 50).await, cart_of(&client, 1).await);
    let pending = buy(&cart, "redirect", "all-there-are-of-it").await.send().await.is(202);
    let again = buy(&cart, "redirect", "all-there-are-of-it").await.send().await.is(202);
    assert_eq!(again.json()["id"], pending.json()["id"]);
    let mine = cart.read().await;
    assert_eq!((text(&mine["status"]), left(&mine)), ("checking_out", None));
    let left_for_others = async || left(&other.read().await);
    until("the others see none", async || left_for_others().await == Some(0)).await;
    buy(&other, "ok", "one-of-what-is-gone").await.refused(409, "insufficient_stock").await;
    cart.client.delete(&cart.at("/checkout")).ok().await;
    until("what is let go is there again", async || left_for_others().await.is_none()).await;
}

#[tokio::test]
async fn who_is_declined_finds_the_last_ones_free_at_once() {
    let (server, _folder) = scarce_shop();
    let cart = cart_of(&Client::of(&server.url), 50).await;
    for round in 0..5 {
        let key = format!("not-with-this-card-{round}");
        buy(&cart, "declined", &key).await.refused(402, "payment_declined").await;
        assert_eq!(left(&cart.read().await), None, "in round {round}");
    }
    buy(&cart, "ok", "but-with-this-one").await.made().await;
}
