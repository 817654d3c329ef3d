//! Versions: `ETag`, `If-Match`, and the short answer.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::lines;
use crate::assert_reply;
use crate::support::guest;

#[tokio::test]
async fn every_change_makes_a_version() {
    let cart = guest().await.cart().await;
    for version in 2..6 {
        let reply = cart.add("RED-LAMP", 1).send().await.is(200);
        assert_eq!((reply.version(), &reply.json()["version"]), (version, &json!(version)));
    }
    let read = cart.client.get(&cart.path).send().await;
    assert_eq!((read.version(), &read.json()["version"]), (5, &json!(5)));
}

#[tokio::test]
async fn a_stale_change_is_refused_and_told_the_version() {
    let cart = guest().await.cart().await;
    cart.add("RED-LAMP", 1).if_match(1).ok().await;
    let stale = cart.add("RED-LAMP", 1).if_match(1).refused(412, "version_mismatch").await;
    assert_eq!(stale["current_version"], 2);
    assert_reply!("problem_version_mismatch", stale);
    let line = cart.at("/lines/line_1");
    let client = &cart.client;
    client.patch(&line, json!({"quantity": 5})).if_match(1).refused(412, "version_mismatch").await;
    client.delete(&line).if_match(7).refused(412, "version_mismatch").await;
    cart.contact("ada@example.com").if_match(1).refused(412, "version_mismatch").await;
    cart.ship_to("DE", Value::Null).if_match(1).refused(412, "version_mismatch").await;
    let batch = cart.actions(json!([{"type": "remove_line", "line_id": "line_1"}])).if_match(1);
    batch.refused(412, "version_mismatch").await;
    assert_eq!(lines(&cart.read().await), [("RED-LAMP", 1)]);
}

#[tokio::test]
async fn if_match_is_read_in_every_form() {
    let cart = guest().await.cart().await;
    for (tag, fits) in [
        ("*", true),
        ("W/\"2\"", true),
        ("\"1\", \"3\"", true),
        ("\"1\", \"3\"", false),
        ("\"other\"", false),
        ("\"\"", false),
    ] {
        let reply = cart.add("RED-LAMP", 1).header("if-match", tag).send().await;
        assert_eq!(reply.status, if fits { 200 } else { 412 }, "{tag}: {reply:?}");
    }
}

#[tokio::test]
async fn one_of_many_wins_a_version() {
    let cart = guest().await.cart().await;
    let adds = (0..8).map(|_| cart.add("RED-LAMP", 1).if_match(1).send());
    let replies = futures::future::join_all(adds).await;
    let won = replies.iter().filter(|reply| reply.status == 200).count();
    let lost = replies.iter().filter(|reply| reply.status == 412).count();
    assert_eq!((won, lost), (1, 7), "{replies:#?}");
    assert_eq!(lines(&cart.read().await), [("RED-LAMP", 1)]);
}

#[tokio::test]
async fn changes_at_once_are_each_there_once() {
    let cart = guest().await.cart().await;
    let adds = (0..40).map(|_| cart.add("RED-LAMP", 1).send());
    let replies = futures::future::join_all(adds).await;
    // Each in an order of its own: no version is made twice.
    let versions: BTreeSet<u64> = replies.iter().map(|reply| reply.version()).collect();
    let now = cart.read().await;
    assert_eq!(lines(&now), [("RED-LAMP", 40)]);
    assert_eq!(versions.last().copied(), now["version"].as_u64());
}

#[tokio::test]
async fn a_key_beats_a_stale_version() {
    let cart = guest().await.cart().await;
    let add = || cart.add("RED-LAMP", 1).key("with-a-key-and-a-version").if_match(1).send();
    add().await.is(200);
    // It was done under this key: whoever repeats it is not stale.
    let again = add().await.is(200);
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(lines(&again.json()), [("RED-LAMP", 1)]);
}

#[tokio::test]
async fn the_short_answer_holds_what_changed() {
    let guest = guest().await;
    let cart = guest.cart().await;
    let reply = cart.add("LOW-LAMP", 5).header("prefer", "return=minimal").send_unchecked().await;
    assert_eq!((reply.status, reply.header("preference-applied")), (200, "return=minimal"));
    assert_eq!(reply.version(), 2);
    assert_reply!("cart_minimal", reply.json());
    let full = cart.read().await;
    for (name, value) in reply.json().as_object().unwrap() {
        assert_eq!(*value, full[name]);
    }
    let open = guest.post("/v1/carts", json!({})).header("prefer", "return=minimal");
    let opened = open.send_unchecked().await.is(201).json();
    assert!(opened.get("lines").is_none());
    let whole = cart.add("LOW-LAMP", 1).header("prefer", "return=representation");
    assert!(whole.ok().await["lines"].is_array());
}
