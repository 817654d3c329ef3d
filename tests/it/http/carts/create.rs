//! `POST /v1/carts` and `GET /v1/carts/{id}`.

use reqwest::Method;
use serde_json::json;

use super::{adds_up, problems};
use crate::assert_reply;
use crate::support::client::text;
use crate::support::guest;

#[tokio::test]
async fn a_new_cart_is_empty_and_the_shoppers_own() {
    let guest = guest().await;
    let reply = guest.post("/v1/carts", json!({})).send().await.is(201);
    let cart = reply.json();
    assert_eq!(reply.header("location"), format!("/v1/carts/{}", text(&cart["id"])));
    assert_eq!(reply.header("etag"), "\"1\"");
    assert_eq!(reply.header("cache-control"), "no-store");
    assert_reply!("cart_empty", cart.clone());
    adds_up(&cart);
    let again = guest.get(reply.header("location")).send().await.is(200);
    assert_eq!((again.json(), again.version()), (cart, 1));
    assert_eq!(again.header("cache-control"), "no-store");
}

#[tokio::test]
async fn the_body_may_be_missing() {
    let guest = guest().await;
    let made = guest.call(Method::POST, "/v1/carts").send().await.is(201).json();
    assert_eq!((&made["currency"], &made["channel"]), (&json!("EUR"), &json!("web")));
    guest.post("/v1/carts", json!({"currency": null})).made().await;
}

#[tokio::test]
async fn currency_channel_and_locale_are_chosen() {
    let guest = guest().await;
    let check = async |terms, expected: [&str; 3]| {
        let cart = guest.post("/v1/carts", terms).made().await;
        let found = [&cart["currency"], &cart["channel"], &cart["locale"]].map(text);
        assert_eq!(found, expected);
    };
    check(json!({}), ["EUR", "web", "en"]).await;
    check(json!({"currency": "GBP", "locale": "de"}), ["GBP", "web", "de"]).await;
    check(json!({"channel": "us"}), ["USD", "us", "en"]).await;
    check(json!({"locale": "de-AT"}), ["EUR", "web", "de"]).await;
    let german = guest.post("/v1/carts", json!({})).header("accept-language", "de-DE, en;q=0.5");
    assert_eq!(german.made().await["locale"], "de");
}

#[tokio::test]
async fn what_the_shop_does_not_have_is_refused() {
    let guest = guest().await;
    let check = async |terms, pointer, code| {
        guest.post("/v1/carts", terms).invalid(pointer, code).await;
    };
    check(json!({"currency": "CHF"}), "/currency", "unknown_currency").await;
    check(json!({"currency": "eur"}), "/currency", "unknown_currency").await;
    check(json!({"channel": "us", "currency": "EUR"}), "/currency", "unknown_currency").await;
    check(json!({"channel": "moon"}), "/channel", "unknown_channel").await;
    check(json!({"locale": "xx"}), "/locale", "unknown_locale").await;
    check(json!({"currency": 1}), "/currency", "wrong_type").await;
    check(json!({"lines": []}), "/lines", "unknown_field").await;
    check(json!([]), "", "wrong_type").await;
    guest.post("/v1/carts?x=1", json!({})).refused(400, "unknown_parameter").await;
}

#[tokio::test]
async fn a_key_makes_the_same_cart_for_ever() {
    let one = guest().await;
    let key = "a-cart-key-of-this-test-1";
    let first = one.post("/v1/carts", json!({"currency": "GBP"})).key(key).send().await.is(201);
    assert_eq!(first.header("idempotent-replayed"), "");
    let cart = first.json();
    let again = one.post("/v1/carts", json!({"currency": "GBP"})).key(key).send().await.is(201);
    assert_eq!(again.json(), cart);
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(again.header("idempotent-version"), "1");
    // As it is now, and the version then made.
    let path = first.header("location").to_owned();
    one.post(&format!("{path}/lines"), json!({"sku": "RED-LAMP", "quantity": 1})).ok().await;
    let later = one.post("/v1/carts", json!({"currency": "GBP"})).key(key).send().await.is(201);
    assert_eq!((later.version(), later.header("idempotent-version")), (2, "1"));
    assert_eq!(later.json()["lines"][0]["sku"], "RED-LAMP");
    one.post("/v1/carts", json!({"currency": "EUR"}))
        .key(key)
        .refused(422, "idempotency_key_reused")
        .await;
    // Another caller's same key is another cart.
    let other = guest().await;
    let theirs = other.post("/v1/carts", json!({"currency": "GBP"})).key(key).made().await;
    assert_ne!(theirs["id"], cart["id"]);
    // And without a key each is a new one.
    let keyless = one.post("/v1/carts", json!({"currency": "GBP"})).made().await;
    assert_ne!(keyless["id"], cart["id"]);
}

#[tokio::test]
async fn the_same_key_at_the_same_time_makes_one_cart() {
    let guest = guest().await;
    let open = || guest.post("/v1/carts", json!({})).key("raced-by-eight-of-them").made();
    let ids: Vec<_> = futures::future::join_all((0..8).map(|_| open())).await;
    assert!(ids.iter().all(|cart| cart["id"] == ids[0]["id"]), "{ids:#?}");
}

#[tokio::test]
async fn a_foreign_cart_is_not_there() {
    let (owner, other) = (guest().await, guest().await);
    let cart = owner.cart().await;
    let line = cart.add("RED-LAMP", 1).ok().await["lines"][0]["id"].clone();
    let line = cart.at(&format!("/lines/{}", text(&line)));
    let theirs = crate::support::Cart { client: other.clone(), ..cart.clone() };
    other.get(&cart.path).refused(404, "not_found").await;
    theirs.add("RED-LAMP", 1).refused(404, "not_found").await;
    theirs.add("RED-LAMP", 1).if_match(2).refused(404, "not_found").await;
    other.patch(&line, json!({"quantity": 2})).refused(404, "not_found").await;
    other.delete(&line).refused(404, "not_found").await;
    theirs.actions(json!([{"type": "accept_prices"}])).refused(404, "not_found").await;
    theirs.contact("eve@example.com").refused(404, "not_found").await;
    theirs.ship_to("DE", json!(null)).refused(404, "not_found").await;
    for below in ["/shipping_methods", "/events"] {
        other.get(&cart.at(below)).refused(404, "not_found").await;
    }
    let method = other.put(&cart.at("/shipping_method"), json!({"id": "standard"}));
    method.refused(404, "not_found").await;
    let after = cart.read().await;
    assert_eq!((&after["version"], &after["contact"]), (&json!(2), &json!(null)));
}

#[tokio::test]
async fn ids_that_are_none_are_not_there() {
    let guest = guest().await;
    for id in ["x", "cart_", "cart_00000000000000000000000000", "prod_0", "%00", "..%2f", "a%20b"] {
        guest.get(&format!("/v1/carts/{id}")).refused(404, "not_found").await;
        let add = guest.post(&format!("/v1/carts/{id}/lines"), json!({"sku": "A", "quantity": 1}));
        let refused = add.send().await;
        // The SKU is as unknown as the cart; either may be told first.
        assert!([404, 422].contains(&refused.status), "{refused:?}");
    }
}

#[tokio::test]
async fn every_problem_of_an_empty_cart_is_told() {
    let cart = guest().await.cart().await.read().await;
    assert_eq!(
        problems(&cart),
        ["cart_empty", "contact_missing", "shipping_address_missing", "shipping_method_missing"]
    );
}
