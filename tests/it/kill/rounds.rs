//! `kill -9` in the middle of mixed load, again and again on the same data.

use std::sync::Arc;

use super::clients::{Ledger, acknowledged, load};
use super::stocked;
use crate::support::{Client, times};

const CARTS: usize = 3;
/// Carts of earlier rounds that each round looks at; the end looks at all.
const CHECKED_MAX: usize = 5 * CARTS;

fn rounds() -> usize {
    times(20, 100)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_and_nothing_is_done_twice() {
    let (_folder, launch) = stocked();
    let mut older: Vec<Arc<Ledger>> = Vec::new();
    let (mut cut_off, mut opened) = (0, 0);
    let mut server = launch.clone().start();
    for round in 0..rounds() {
        let url = server.url.clone();
        let mut carts = Vec::new();
        for _ in 0..CARTS {
            carts.push(Ledger::open(&url).await);
        }
        // At another moment each time: early, in the middle, late.
        let until = 40 + round * 97 % 500;
        load(&url, &carts, async || {
            acknowledged(&carts, until).await;
            tokio::task::spawn_blocking(|| server.kill()).await.unwrap();
        })
        .await;
        cut_off += carts.iter().map(|cart| cart.unanswered()).sum::<usize>();
        opened += carts.iter().map(|cart| cart.opened()).sum::<usize>();
        server = launch.clone().start();
        let mut replays = 0;
        for cart in &carts {
            cart.check(&server.url).await;
            replays += cart.repeat(&server.url).await;
        }
        assert!(replays * 2 > until - 40, "round {round}: {replays} replays of {until}");
        // What the repeats did and what earlier rounds left is there after later kills, too.
        older.append(&mut carts);
        for cart in older.iter().rev().take(CHECKED_MAX) {
            cart.check(&server.url).await;
        }
    }
    // The kills came in the middle of something, or they prove nothing.
    assert!(cut_off > rounds() * 3, "{cut_off} requests were cut off");
    assert!(opened > rounds(), "{opened} carts were opened beside");
    tokio::task::spawn_blocking(|| server.kill()).await.unwrap();
    let server = launch.start();
    for cart in &older {
        cart.check(&server.url).await;
    }
    Client::of(&server.url).guest().await.cart().await.add("BULK-0001", 1).ok().await;
}

#[tokio::test]
async fn sessions_and_their_ends_survive_a_kill() {
    let (_folder, launch) = stocked();
    let server = launch.clone().start();
    let [alive, ended] =
        [Client::of(&server.url).guest().await, Client::of(&server.url).guest().await];
    let cart = alive.cart().await;
    let key = "opened-before-the-kill";
    let keyed = alive.post("/v1/carts", serde_json::json!({})).key(key).made().await;
    ended.delete("/v1/sessions/current").send().await.is(204);
    let page = alive.read("/v1/products?limit=5").await;
    tokio::task::spawn_blocking(|| server.kill()).await.unwrap();

    let server = launch.start();
    let again =
        |client: &Client| Client::of(&server.url).with_token(client.token.as_deref().unwrap());
    let alive = again(&alive);
    alive.read(&cart.path).await;
    // Ended is ended: from the first request on.
    again(&ended).get("/v1/sessions/current").refused(401, "unauthenticated").await;
    let replay = alive.post("/v1/carts", serde_json::json!({})).key(key).send().await.is(201);
    assert_eq!(
        (replay.json()["id"].clone(), replay.header("idempotent-replayed")),
        (keyed["id"].clone(), "true")
    );
    let current = alive.read("/v1/sessions/current").await;
    assert_eq!(current["cart_id"], keyed["id"], "the newest cart");
    // The catalog is as it was, and a cursor of the page before still leads on.
    assert_eq!(alive.read("/v1/products?limit=5").await, page);
    let cursor = page["next_cursor"].as_str().unwrap();
    alive.read(&format!("/v1/products?limit=5&cursor={cursor}")).await;
}
