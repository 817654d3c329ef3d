//! Keys: a change takes effect once, however often it is sent.

use serde_json::{Value, json};

use super::lines;
use crate::support::client::text;
use crate::support::{Call, Reply, guest};

/// Makes the same call each time.
type MakeCall<'a> = Box<dyn Fn() -> Call + 'a>;

fn replayed(reply: &Reply) -> (&str, &str) {
    (reply.header("idempotent-replayed"), reply.header("idempotent-version"))
}

#[tokio::test]
async fn a_repeat_is_answered_and_not_done() {
    let cart = guest().await.cart().await;
    let first = cart.add("RED-LAMP", 2).key("the-first-key-of-it").send().await.is(200);
    assert_eq!(replayed(&first), ("", ""));
    cart.add("RED-LAMP", 1).ok().await;
    let again = cart.add("RED-LAMP", 2).key("the-first-key-of-it").send().await.is(200);
    assert_eq!(replayed(&again), ("true", "2"));
    // The cart and its version as they are now.
    assert_eq!((lines(&again.json()), again.version()), (vec![("RED-LAMP", 3)], 3));
}

#[tokio::test]
async fn the_payload_is_the_request_as_parsed() {
    let cart = guest().await.cart().await;
    let path = cart.at("/lines");
    let send = |body: &'static str| {
        let call = cart.client.call(reqwest::Method::POST, &path);
        call.body("application/json", body).key("a-key-for-the-payload")
    };
    send(r#"{"sku": "RED-LAMP", "quantity": 1}"#).ok().await;
    let spaced = send("{ \"quantity\" : 1,\n \"sku\" : \"RED-LAMP\" }").send().await.is(200);
    assert_eq!(replayed(&spaced), ("true", "2"));
    send(r#"{"sku": "RED-LAMP", "quantity": 2}"#).refused(422, "idempotency_key_reused").await;
    // Another path or method is another payload.
    let line = cart.at("/lines/line_1");
    let set = cart.client.patch(&line, json!({"quantity": 1})).key("a-key-for-the-payload");
    set.refused(422, "idempotency_key_reused").await;
    let removed = cart.client.delete(&line).key("a-key-for-the-payload");
    removed.refused(422, "idempotency_key_reused").await;
    assert_eq!(lines(&cart.read().await), [("RED-LAMP", 1)]);
}

#[tokio::test]
async fn every_change_takes_a_key() {
    let cart = guest().await.cart().await;
    cart.add("RED-LAMP", 1).ok().await;
    let client = &cart.client;
    let mut version = 2;
    let calls: [(&str, MakeCall<'_>); 6] = [
        ("set", Box::new(|| client.patch(&cart.at("/lines/line_1"), json!({"quantity": 2})))),
        ("contact", Box::new(|| cart.contact("ada@example.com"))),
        ("addresses", Box::new(|| cart.ship_to("DE", Value::Null))),
        ("method", Box::new(|| client.put(&cart.at("/shipping_method"), json!({"id": "express"})))),
        ("actions", Box::new(|| cart.actions(json!([{"type": "accept_prices"}])))),
        ("remove", Box::new(|| client.delete(&cart.at("/lines/line_1")))),
    ];
    for (name, call) in calls {
        let key = format!("one-of-every-change-{name}");
        let first = call().key(&key).send().await.is(200);
        assert_eq!(replayed(&first), ("", ""), "{name}");
        assert!([version, version + 1].contains(&first.version()), "{name}: {first:?}");
        version = first.version();
        let again = call().key(&key).send().await.is(200);
        assert_eq!(again.header("idempotent-replayed"), "true", "{name}");
        assert_eq!(again.version(), version, "{name}");
    }
}

#[tokio::test]
async fn keys_belong_to_the_cart() {
    let guest = guest().await;
    let (one, other) = (guest.cart().await, guest.cart().await);
    for cart in [&one, &other] {
        let reply = cart.add("RED-LAMP", 1).key("the-same-key-for-two").send().await.is(200);
        assert_eq!(replayed(&reply), ("", ""));
    }
}

#[tokio::test]
async fn a_refusal_is_not_remembered() {
    let cart = guest().await.cart().await;
    let keyed = || cart.client.patch(&cart.at("/lines/line_1"), json!({"quantity": 5}));
    keyed().key("decided-anew-each-time").refused(404, "not_found").await;
    cart.add("RED-LAMP", 1).ok().await;
    let now = keyed().key("decided-anew-each-time").send().await.is(200);
    assert_eq!((replayed(&now), lines(&now.json())), (("", ""), vec![("RED-LAMP", 5)]));
    // And the key is still free for nothing else.
    cart.add("RED-LAMP", 1)
        .key("decided-anew-each-time")
        .refused(422, "idempotency_key_reused")
        .await;
}

#[tokio::test]
async fn bad_keys_are_refused() {
    let cart = guest().await.cart().await;
    for key in ["short", &"a".repeat(256), "with a space in it", "", "tab\tin the middle"] {
        cart.add("RED-LAMP", 1).key(key).refused(400, "idempotency_key_invalid").await;
        let open = cart.client.post("/v1/carts", json!({})).key(key);
        open.refused(400, "idempotency_key_invalid").await;
    }
    let utf8 = cart.add("RED-LAMP", 1).header("idempotency-key", "ümlaute-are-not-ascii");
    utf8.refused(400, "idempotency_key_invalid").await;
    let twice = cart.add("RED-LAMP", 1).key("the-first-of-two-keys").key("the-second-of-two-keys");
    twice.refused(400, "idempotency_key_invalid").await;
    for key in ["a".repeat(16), "~".repeat(255)] {
        cart.add("RED-LAMP", 1).key(&key).ok().await;
    }
    assert_eq!(lines(&cart.read().await), [("RED-LAMP", 2)]);
}

#[tokio::test]
async fn many_at_once_with_one_key_are_one() {
    let cart = guest().await.cart().await;
    let adds = (0..16).map(|_| cart.add("RED-LAMP", 1).key("sent-sixteen-times-at-once").send());
    let replies = futures::future::join_all(adds).await;
    let fresh = replies.iter().filter(|reply| replayed(reply) == ("", "")).count();
    assert_eq!(fresh, 1, "{replies:#?}");
    assert_eq!(lines(&cart.read().await), [("RED-LAMP", 1)]);
}

#[tokio::test]
async fn a_full_memory_refuses_rather_than_forgets() {
    let cart = guest().await.cart().await;
    let body = |n: usize| json!({"quantity": 1 + n % 9});
    cart.add("RED-LAMP", 1).ok().await;
    let line = cart.at("/lines/line_1");
    let set =
        |n: usize| cart.client.patch(&line, body(n)).key(&format!("one-of-very-many-keys-{n}"));
    // In flights of 64, so that they ride in shared writes.
    for flight in 0..16 {
        let sets = (0..64).map(|n| set(flight * 64 + n).header("prefer", "return=minimal").send());
        for reply in futures::future::join_all(sets).await {
            reply.is(200);
        }
    }
    let full = set(1_024).send().await.is(429);
    assert_eq!(full.json()["code"], "idempotency_memory_full");
    // The very first is known still, and what has no key goes through.
    let first = set(0).send().await.is(200);
    assert_eq!(first.header("idempotent-replayed"), "true");
    cart.client.patch(&line, body(3)).ok().await;
    cart.client
        .patch(&line, body(7))
        .key("one-of-very-many-keys-0")
        .refused(422, "idempotency_key_reused")
        .await;
    assert_eq!(text(&cart.read().await["status"]), "open");
}
