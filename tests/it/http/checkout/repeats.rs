//! Requests that are sent again.

use super::{buy, buy_for, full_cart};
use crate::support::client::{list, number};

#[tokio::test]
async fn a_repeat_is_answered_and_not_done() {
    let cart = full_cart(&[(110, 1)]).await;
    let total = number(&cart.read().await["totals"]["total"]["amount"]);
    let send = |method: &str, key: &str| buy_for(&cart, method, total, key);
    let declined = send("declined", "a-key-that-was-declined").send().await.is(402);
    assert_eq!(declined.header("idempotent-replayed"), "");
    let again = send("declined", "a-key-that-was-declined").send().await.is(402);
    assert_eq!(again.header("idempotent-replayed"), "true");
    send("ok", "a-key-that-was-declined").refused(422, "idempotency_key_reused").await;
    let order = send("ok", "a-key-that-was-accepted").made().await;
    let again = send("ok", "a-key-that-was-accepted").send().await.is(200);
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(again.json()["id"], order["id"]);
    // Under whatever key: the cart is bought.
    let other = send("declined", "a-key-that-is-of-later").send().await.is(200);
    assert_eq!(other.json()["id"], order["id"]);
    assert_eq!(list(&order["payments"]).len(), 2);
}

/// As impatient clicks: with one key, and with several.
#[tokio::test]
async fn i9_checkouts_sent_at_once_are_one_order() {
    for clicks in
        [vec!["one-key-for-all-clicks"; 5], vec!["first-key-of-two-keys", "other-key-of-two-keys"]]
    {
        let cart = full_cart(&[(111, 1)]).await;
        let total = number(&cart.read().await["totals"]["total"]["amount"]);
        let sent = clicks.iter().map(|key| buy_for(&cart, "ok", total, key).send());
        let replies = futures::future::join_all(sent).await;
        let mut orders: Vec<String> = Vec::new();
        for reply in replies {
            assert!(matches!(reply.status, 200..=202), "{reply:#?}");
            orders.push(reply.json()["id"].to_string());
        }
        orders.dedup();
        assert_eq!(orders.len(), 1, "{orders:?}");
        let order = buy(&cart, "ok", "a-look-at-what-came-of-it").await.send().await.is(200).json();
        assert_eq!(list(&order["payments"]).len(), 1, "it is paid once");
    }
}
