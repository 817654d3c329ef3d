//! `/v1/sessions`: tokens, whose they are, and how they end.

use std::time::Duration;

use barrow_adapters::host::SystemClock;
use barrow_api::auth::{Subject, TokenClaims, TokenKeys};
use barrow_engine::ids::SessionId;
use barrow_engine::ports::Clock;
use barrow_engine::time::Timestamp;
use serde_json::{Value, json};

use crate::assert_reply;
use crate::support::client::text;
use crate::support::{Client, guest, small_shop, until, visitor};

/// The characters that a token may hold behind its prefix.
fn another_character(c: char) -> char {
    if c == 'A' { 'B' } else { 'A' }
}

#[tokio::test]
async fn a_guest_gets_a_token() {
    let reply = visitor().post("/v1/sessions", json!({})).send().await.is(201);
    assert_eq!(reply.header("location"), "/v1/sessions/current");
    assert_eq!(reply.header("cache-control"), "no-store");
    assert_reply!("session_made", reply.json());
    // The body may also be missing, with or without its type.
    let bare = visitor();
    let none = bare.call(reqwest::Method::POST, "/v1/sessions").send().await.is(201).json();
    assert_ne!(none["session_id"], reply.json()["session_id"]);
    bare.post("/v1/sessions", json!({"x": 1})).invalid("/x", "unknown_field").await;
    bare.post("/v1/sessions", json!([])).invalid("", "wrong_type").await;
}

#[tokio::test]
async fn the_current_session_knows_its_cart_and_what_it_viewed() {
    let guest = guest().await;
    let fresh = guest.read("/v1/sessions/current").await;
    assert_eq!((&fresh["cart_id"], &fresh["customer"]), (&Value::Null, &Value::Null));
    assert_eq!(fresh["recently_viewed"], json!([]));
    let cart = guest.cart().await;
    for slug in ["oak-chair", "pine-chair", "oak-chair"] {
        guest.read(&format!("/v1/products/{slug}")).await;
    }
    let current = guest.read("/v1/sessions/current?locale=de").await;
    assert_eq!(cart.path, format!("/v1/carts/{}", text(&current["cart_id"])));
    assert_reply!("session_current", current.clone());
    let slugs: Vec<&str> =
        current["recently_viewed"].as_array().unwrap().iter().map(|i| text(&i["slug"])).collect();
    assert_eq!(slugs, ["eichenstuhl", "pine-chair"], "newest first, each once, in the language");
    // The newest cart is the current one.
    let newer = guest.cart().await;
    let current = guest.read("/v1/sessions/current").await;
    assert_eq!(newer.path, format!("/v1/carts/{}", text(&current["cart_id"])));
}

#[tokio::test]
async fn a_refreshed_token_is_of_the_same_session() {
    let guest = guest().await;
    let before = guest.read("/v1/sessions/current").await;
    let fresh = guest.post("/v1/sessions/current/refresh", json!({})).ok().await;
    assert_eq!(fresh["session_id"], before["session_id"]);
    assert!(text(&fresh["expires_at"]) >= text(&before["expires_at"]));
    let again = guest.with_token(text(&fresh["token"]));
    again.read("/v1/sessions/current").await;
    // The old one stays good until its own end.
    guest.read("/v1/sessions/current").await;
}

#[tokio::test]
async fn an_ended_session_is_refused_everywhere() {
    let guest = guest().await;
    let cart = guest.cart().await;
    let fresh = guest.post("/v1/sessions/current/refresh", json!({})).ok().await;
    let ended = guest.delete("/v1/sessions/current").send().await.is(204);
    assert!(ended.body.is_empty());
    // Within a second or two on every node; here at once.
    until("the session is refused", async || {
        guest.get("/v1/sessions/current").send().await.status == 401
    })
    .await;
    // All its tokens, and on every route.
    let other = guest.with_token(text(&fresh["token"]));
    for path in ["/v1/sessions/current", cart.path.as_str(), "/v1/products", "/v1/shop"] {
        other.get(path).refused(401, "unauthenticated").await;
    }
    cart.add("RED-LAMP", 1).refused(401, "unauthenticated").await;
    cart.client.get(&cart.at("/events")).refused(401, "unauthenticated").await;
}

#[tokio::test]
async fn a_session_without_a_token_is_refused() {
    let visitor = visitor();
    let refused = visitor.get("/v1/sessions/current").send().await.is(401);
    assert_eq!(refused.header("www-authenticate"), "Bearer");
    visitor.delete("/v1/sessions/current").refused(401, "unauthenticated").await;
    visitor.post("/v1/sessions/current/refresh", json!({})).refused(401, "unauthenticated").await;
    visitor.post("/v1/carts", json!({})).refused(401, "unauthenticated").await;
}

#[tokio::test]
async fn a_tampered_token_is_refused() {
    let guest = guest().await;
    let token = guest.token.clone().unwrap();
    for at in (5..token.len()).step_by(7) {
        let changed: String = token
            .chars()
            .enumerate()
            .map(|(index, c)| if index == at { another_character(c) } else { c })
            .collect();
        let forged = guest.with_token(&changed);
        forged.get("/v1/sessions/current").refused(401, "unauthenticated").await;
        forged.get("/v1/products").refused(401, "unauthenticated").await;
    }
    for wrong in ["x", "shop_", &token[..token.len() - 1], &format!("{token}A")] {
        guest.with_token(wrong).get("/v1/shop").refused(401, "unauthenticated").await;
    }
}

#[tokio::test]
async fn only_one_bearer_in_the_header_counts() {
    let guest = guest().await;
    let token = guest.token.clone().unwrap();
    let visitor = visitor();
    for wrong in [format!("Basic {token}"), token.clone(), "Bearer".to_owned()] {
        let call = visitor.get("/v1/sessions/current").header("authorization", wrong);
        call.refused(401, "unauthenticated").await;
    }
    let twice =
        guest.get("/v1/sessions/current").header("authorization", format!("Bearer {token}"));
    twice.refused(401, "unauthenticated").await;
    // The scheme's case means nothing, and a token in the address is none.
    let lower =
        visitor.get("/v1/sessions/current").header("authorization", format!("bearer {token}"));
    lower.ok().await;
    visitor.get(&format!("/v1/products?token={token}")).refused(400, "unknown_parameter").await;
}

#[tokio::test]
async fn an_expired_token_says_so() {
    let secret = "a key that only this test knows, and its server";
    let folder = tempfile::tempdir().unwrap();
    let server = small_shop(folder.path()).set(&format!("auth.signing_key={secret}")).start();
    let visitor = Client::of(&server.url);
    let keys = TokenKeys::from_configured(secret);
    let token = |expires_at| {
        let claims = TokenClaims { subject: Subject::Session(SessionId(7)), expires_at };
        visitor.with_token(&keys.seal(claims))
    };
    let now = SystemClock.now();
    token(now.plus(Duration::from_secs(60))).read("/v1/sessions/current").await;
    let late = token(Timestamp(now.as_millis() - 1));
    late.get("/v1/sessions/current").refused(401, "token_expired").await;
    // Public routes refuse it, too: a client has to learn that it is nobody any more.
    late.get("/v1/products").refused(401, "token_expired").await;
    late.post("/v1/carts", json!({})).refused(401, "token_expired").await;
    // A key that the shop does not have makes no good tokens.
    let foreign = TokenKeys::from_configured("somebody else's key of more than 32 letters");
    let claims = TokenClaims {
        subject: Subject::Session(SessionId(7)),
        expires_at: now.plus(Duration::from_secs(60)),
    };
    let forged = visitor.with_token(&foreign.seal(claims));
    forged.get("/v1/sessions/current").refused(401, "unauthenticated").await;
}

#[tokio::test]
async fn keys_are_ignored_where_a_secret_is_returned() {
    let visitor = visitor();
    let key = "the-same-key-for-both-of-them";
    let one = visitor.post("/v1/sessions", json!({})).key(key).made().await;
    let other = visitor.post("/v1/sessions", json!({})).key(key).made().await;
    assert_ne!(one["session_id"], other["session_id"]);
}
