//! A server dies under load and its successor takes over: the running shop follows by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use barrow_servers::{Postgres, PostgresPair, RedisCluster, Sync, or_skip};
use serde_json::json;

use super::ground::Ground;
use super::shoppers::Shoppers;
use crate::support::{Client, until};

const SHOPPERS: usize = 4;

/// From the moment at which there is a primary again. How long its promotion takes is up to
/// Postgres and whoever promotes it; both together are ten seconds at most where it takes five.
const WRITES_RESUME_MAX: Duration = Duration::from_secs(5);

/// From the death of a primary on: the cluster itself takes about two seconds.
const CACHE_RESUMES_MAX: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promoted_standby_of_postgres_is_found_without_a_restart() {
    let Some(mut pair) = or_skip("Postgres", PostgresPair::start(Sync::Memory)) else { return };
    let ground = Ground::new().set(format!("commerce.url={}", pair.url()));
    let ground = ground.set("stores.entities=postgres").set("stores.products=postgres");
    ground.stock();
    let mut server = ground.launch("first").start();
    let shoppers = Shoppers::enter(&server.url, SHOPPERS).await;
    until("they shop", async || shoppers.acknowledged() > 100).await;
    let died = Instant::now();
    let pair = tokio::task::spawn_blocking(move || {
        pair.primary.kill();
        pair.promote().unwrap();
        pair
    })
    .await
    .unwrap();
    let promoted = died.elapsed();
    until("they shop on", async || shoppers.acknowledged_since(died) > 100).await;
    let (first, all) = shoppers.resumed(died);
    let refused = shoppers.refused();
    println!(
        "Postgres: promoted after {promoted:.1?}; the first write after {first:.1?}, every \
         shopper's after {all:.1?}; {refused} were told to come back"
    );
    assert!(all.saturating_sub(promoted) < WRITES_RESUME_MAX, "{all:?}");
    shoppers.leave().await;
    assert!(server.is_alive(), "{}", server.said());
    drop(pair);
}

/// What a shopper looks at while a node of the cache dies.
async fn look_on(client: Client, over: Arc<AtomicBool>, looks: Arc<AtomicUsize>) {
    for count in 0usize.. {
        if over.load(Ordering::Relaxed) {
            return;
        }
        let product = format!("/v1/products/bulk-{:02}", count % 22);
        for path in ["/v1/products?limit=5", &product, "/v1/shop", "/v1/sessions/current"] {
            client.get(path).ok().await;
        }
        let anonymous = Client::of(&client.url);
        let guest = anonymous.guest().await;
        guest.cart().await.add("BULK-0001", 1).ok().await;
        client.post("/v1/sessions/current/refresh", json!({})).ok().await;
        looks.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Whether answers from the catalog come without the cache.
async fn is_degraded(client: &Client) -> bool {
    let reply = client.get("/v1/products/bulk-01").send().await.is(200);
    reply.header("x-degraded").contains("cache")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_the_cache_dies_and_no_shopper_sees_it() {
    let Some(postgres) = or_skip("Postgres", Postgres::start(Sync::Memory)) else { return };
    let Some(mut cluster) = or_skip("Redis Cluster", RedisCluster::start()) else { return };
    let ground = Ground::new().set(format!("commerce.url={}", postgres.url()));
    let ground = ground.set("stores.entities=postgres").set("stores.products=postgres");
    let ground = ground.set(format!("cache.url={}", cluster.url()));
    ground.stock();
    let mut server = ground.launch("first").start();
    let (over, looks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..SHOPPERS {
        let guest = Client::of(&server.url).guest().await;
        tasks.spawn(look_on(guest, Arc::clone(&over), Arc::clone(&looks)));
    }
    until("they look", async || looks.load(Ordering::Relaxed) > 10).await;
    let witness = Client::of(&server.url);
    let primary = cluster.primaries()[0];
    // Its replica takes its place.
    let died = Instant::now();
    cluster.kill(primary);
    let mut was_told = false;
    until("a successor", async || {
        was_told |= is_degraded(&witness).await;
        cluster.primaries().len() == 3
    })
    .await;
    let elected = died.elapsed();
    until("the cache answers", async || !is_degraded(&witness).await).await;
    let again = died.elapsed();
    println!(
        "Redis Cluster: elected after {elected:.1?}, the cache is back after {again:.1?}; \
         X-Degraded meanwhile: {was_told}"
    );
    assert!(again < CACHE_RESUMES_MAX, "{again:?}");
    let before = looks.load(Ordering::Relaxed);
    until("they look on", async || looks.load(Ordering::Relaxed) > before + 20).await;
    over.store(true, Ordering::Relaxed);
    while let Some(ended) = tasks.join_next().await {
        ended.expect("a shopper saw an error");
    }
    assert!(server.is_alive(), "{}", server.said());
}
