//! What others see of the stock while somebody buys.

use serde_json::Value;

use super::{buy, full_cart};
use crate::support::client::{list, number, text};
use crate::support::guest;
use crate::support::sse::Events;

/// How many are left of what the cart has too many of.
fn left(cart: &Value) -> Option<i64> {
    let mut problems = list(&cart["problems"]).iter();
    let short = problems.find(|problem| text(&problem["code"]) == "insufficient_stock")?;
    Some(number(&short["available"]))
}

#[tokio::test]
async fn what_one_buys_is_missing_for_the_others() {
    let other = guest().await.cart().await;
    let cart = other.add("RED-LAMP", 50).ok().await;
    assert_eq!(left(&cart), None, "there are as many");
    let mut events = Events::open(other.client.get(&other.at("/events"))).await;
    events.wait_for("cart").await;
    let bought = full_cart(&[(130, 1)]).await;
    bought.add("RED-LAMP", 2).ok().await;
    buy(&bought, "ok", "two-of-the-red-lamps").await.made().await;
    let told = events.wait_for("low_stock").await.json();
    assert_eq!((text(&told["sku"]), number(&told["available"])), ("RED-LAMP", 48));
    assert_eq!(left(&other.read().await), Some(48));
}

#[tokio::test]
async fn what_a_buyer_waits_with_is_no_problem_of_their_own() {
    let cart = full_cart(&[(131, 1)]).await;
    cart.add("PINE-CHAIR", 200).ok().await;
    let pending = buy(&cart, "redirect", "all-of-the-pine-chairs").await.send().await.is(202);
    assert_eq!(text(&pending.json()["status"]), "pending");
    let again = buy(&cart, "redirect", "all-of-the-pine-chairs").await.send().await.is(202);
    assert_eq!(again.json()["id"], pending.json()["id"]);
    let mine = cart.read().await;
    assert_eq!((text(&mine["status"]), left(&mine)), ("checking_out", None));
    let other = guest().await.cart().await;
    other.add("PINE-CHAIR", 1).ok().await;
    let short = async || left(&other.read().await);
    crate::support::until("the others see none", async || short().await == Some(0)).await;
    cart.client.delete(&cart.at("/checkout")).ok().await;
    crate::support::until("what is let go is there again", async || short().await.is_none()).await;
}
