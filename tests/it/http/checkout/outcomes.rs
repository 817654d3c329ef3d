//! What each way to pay comes to.

use serde_json::{Value, json};

use super::{buy, full_cart, order_path};
use crate::http::carts::lines;
use crate::support::client::{list, text};
use crate::support::sse::Events;
use crate::support::until;

#[tokio::test]
async fn a_cart_is_bought_and_its_buyer_goes_on_with_another() {
    let cart = full_cart(&[(100, 2), (101, 1)]).await;
    let before = cart.read().await;
    let mut events = Events::open(cart.client.get(&cart.at("/events"))).await;
    events.wait_for("cart").await;
    let placed = buy(&cart, "ok", "buying-it-the-first-time").await.send().await.is(201);
    let order = placed.json();
    assert_eq!(placed.header("location"), order_path(&order));
    assert_eq!(placed.header("cache-control"), "no-store");
    // How many writes it took depends on who drove it.
    let mut shown = order.clone();
    shown["version"] = json!("[version]");
    crate::assert_reply!("a_placed_order", shown);
    for same in ["contact", "addresses", "totals"] {
        assert_eq!(order[same], before[same], "{same}");
    }

    let read = cart.client.get(&order_path(&order)).send().await.is(200);
    assert_eq!((read.json(), read.version()), (order.clone(), placed.version()));
    let bought = cart.read().await;
    assert_eq!((&bought["status"], &bought["order_id"]), (&json!("ordered"), &order["id"]));
    let end = events.wait_for("end").await.json();
    let next = bought["next_cart_id"].clone();
    let told = json!({"reason": "ordered", "order_id": order["id"], "next_cart_id": next});
    assert_eq!(end, told);
    let next = cart.client.read(&format!("/v1/carts/{}", text(&next))).await;
    assert_eq!((&next["status"], lines(&next).len()), (&json!("open"), 0));
    until("the session goes on with it", async || {
        cart.client.read("/v1/sessions/current").await["cart_id"] == next["id"]
    })
    .await;

    let refused = cart.add("RED-LAMP", 1).refused(409, "cart_ordered").await;
    assert_eq!(refused["order_id"], order["id"]);
    assert_eq!(refused["next_cart_id"], next["id"]);
    cart.client.delete(&cart.at("/checkout")).refused(409, "cart_ordered").await;
}

#[tokio::test]
async fn who_is_declined_tries_again_otherwise() {
    let cart = full_cart(&[(102, 1)]).await;
    let declined = buy(&cart, "declined", "the-card-without-money").await;
    let declined = declined.refused(402, "payment_declined").await;
    assert_eq!(declined["decline_code"], "card_declined");
    assert_eq!(cart.read().await["status"], "open");
    cart.add("RED-LAMP", 1).ok().await;
    let order = buy(&cart, "ok", "the-card-with-the-money").await.made().await;
    let payments: Vec<_> =
        list(&order["payments"]).iter().map(|one| text(&one["status"])).collect();
    assert_eq!(payments, ["failed", "authorized"]);
    assert_eq!(list(&order["lines"]).len(), 2);
}

#[tokio::test]
async fn a_payment_that_is_not_settled_is_found_out() {
    for method in ["ambiguous", "late_webhook"] {
        let cart = full_cart(&[(103, 1)]).await;
        let key = format!("not-known-at-once-{method}");
        let call = buy(&cart, method, &key).await;
        let pending = call.send().await.is(202);
        assert_eq!(pending.header("retry-after"), "1");
        let order = pending.json();
        assert_eq!((&order["status"], &order["number"]), (&json!("pending"), &Value::Null));
        let busy = cart.add("RED-LAMP", 1).refused(409, "checkout_in_progress").await;
        assert_eq!(busy["order_id"], Value::Null, "it is no order yet");
        until("the order is placed", async || {
            cart.client.read(&order_path(&order)).await["status"] == "placed"
        })
        .await;
        let total = order["totals"]["total"]["amount"].as_i64().unwrap();
        let again = super::buy_for(&cart, method, total, &key).send().await.is(200);
        assert_eq!(again.header("idempotent-replayed"), "true");
    }
}

#[tokio::test]
async fn who_pays_slowly_waits_for_it() {
    let cart = full_cart(&[(104, 1)]).await;
    let order = buy(&cart, "slow", "a-gateway-that-is-slow").await.made().await;
    assert_eq!(order["payment_status"], "authorized");
}

#[tokio::test]
async fn an_invoice_is_placed_at_once() {
    let cart = full_cart(&[(105, 1)]).await;
    let total = cart.read().await["totals"]["total"].clone();
    let body = json!({"payment": {"gateway": "manual"}, "expected_total": total});
    let call = cart.client.post(&cart.at("/checkout"), body).key("an-invoice-for-a-firm");
    let order = call.made().await;
    assert_eq!(order["payments"][0]["method"], "invoice");
}

#[tokio::test]
async fn a_checkout_is_given_up() {
    let cart = full_cart(&[(106, 1)]).await;
    let pending = buy(&cart, "redirect", "to-be-paid-elsewhere").await.send().await.is(202).json();
    let action = &pending["next_action"];
    assert_eq!(action["type"], "redirect");
    let page = format!("{}/v1/payments/test/pay/", cart.client.url);
    assert!(text(&action["url"]).starts_with(&page), "{action}");
    let open = cart.client.delete(&cart.at("/checkout")).ok().await;
    assert_eq!(open["status"], "open");
    let again = cart.client.delete(&cart.at("/checkout")).ok().await;
    assert_eq!(again, open, "nothing is left to give up");
    until("it can be bought", async || {
        let reply = buy(&cart, "ok", "now-it-is-paid-here").await.send().await;
        reply.status == 201
    })
    .await;
}

#[tokio::test]
async fn who_pays_elsewhere_comes_back_to_an_order() {
    for (paid, status, payment) in
        [("true", "placed", "authorized"), ("false", "pending", "failed")]
    {
        let cart = full_cart(&[(107, 1)]).await;
        let total = cart.read().await["totals"]["total"].clone();
        let back = "https://shop.example/thanks";
        let choice = json!({"gateway": "test", "method": "redirect", "return_url": back});
        let body = json!({"payment": choice, "expected_total": total});
        let call = cart.client.post(&cart.at("/checkout"), body).key("to-be-paid-elsewhere");
        let pending = call.send().await.is(202).json();
        let url = text(&pending["next_action"]["url"]).to_owned();
        let page = url.strip_prefix(cart.client.url.as_str()).unwrap().to_owned();
        // A browser has no token of the shop.
        let browser = crate::support::visitor();
        let shown = browser.get(&page).send().await.is(200);
        assert!(shown.text().contains("<button"), "{shown:#?}");
        let form = browser.call(reqwest::Method::POST, &format!("{page}?paid={paid}"));
        let back = form.send().await.is(303);
        assert_eq!(back.header("location"), "https://shop.example/thanks");
        until("the order is settled", async || {
            let order = cart.client.read(&order_path(&pending)).await;
            order["status"] == status && order["payment_status"] == payment
        })
        .await;
        // Told again it changes nothing, and who has paid cannot take that back. Money that comes
        // after a refusal is another matter: it goes back.
        let order = cart.client.read(&order_path(&pending)).await;
        for again in [paid, "false"] {
            let form = browser.call(reqwest::Method::POST, &format!("{page}?paid={again}"));
            form.send().await.is(303);
        }
        let after = cart.client.read(&order_path(&pending)).await;
        assert_eq!(after["payments"], order["payments"]);
        browser.get(&page).send().await.is(303);
    }
}

#[tokio::test]
async fn only_signed_notices_are_believed() {
    let cart = full_cart(&[(108, 1)]).await;
    let pending = buy(&cart, "redirect", "nobody-pays-this-one").await.send().await.is(202).json();
    let told = json!({"operation": format!("{}/1/1", text(&pending["id"])), "succeeded": true});
    let browser = crate::support::visitor();
    let post =
        |gateway: &str| browser.post(&format!("/v1/payments/{gateway}/webhook"), told.clone());
    post("test").refused(401, "unauthenticated").await;
    let forged = post("test").header("test-signature", "t=1790000000,v1=00");
    forged.refused(401, "unauthenticated").await;
    post("manual").refused(401, "unauthenticated").await;
    post("gold").refused(404, "not_found").await;
    let page = |path: &str| browser.get(&format!("/v1/payments/test/pay/{path}"));
    for nothing in ["ord_nothing/1/1", "ord_06d3r8v2k9m5w1x7q4t0c3f8hn/1/1"] {
        page(nothing).refused(404, "not_found").await;
    }
    let here = format!("/v1/payments/test/pay/{}/1/1", text(&pending["id"]));
    let odd = browser.call(reqwest::Method::POST, &format!("{here}?paid=maybe"));
    odd.refused(400, "invalid_parameter").await;
    assert_eq!(cart.client.read(&order_path(&pending)).await["status"], "pending");
}
