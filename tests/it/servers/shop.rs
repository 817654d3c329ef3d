//! The real binary on real servers: what it was told is there after it ended, however it ended;
//! further processes join it and share the work, and who is left has all of it.

use std::time::{Duration, Instant};

use barrow_servers::{Redis, or_skip};
use barrow_tests::server::Server;
use rustix::process::Signal;
use serde_json::json;

use super::ground::{Ground, on_aws, on_postgres, on_redis};
use crate::kill::clients::{Ledger, acknowledged, load};
use crate::support::{Client, goods, times, until};

/// Nobody waits for the lease of one that ended in order: less than a lease, on any machine.
const AT_ONCE: Duration = Duration::from_secs(5);

/// From the end of an import until all of it is shown by a process that it does not know of.
const SHOWN_MAX: Duration = Duration::from_secs(5);

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

async fn ended_in_order(server: Server) {
    let ended = blocking(|| server.stop()).await;
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(!ended.err.contains("panicked"), "{ended:#?}");
}

/// A cart outlives its process; a second process joins the first.
async fn one_after_the_other(ground: Ground) {
    ground.stock();
    let first = ground.launch("first").start();
    let guest = Client::of(&first.url).guest().await;
    let cart = guest.cart().await;
    cart.add("BULK-0001", 2).ok().await;
    let filled = cart.read().await;
    ended_in_order(first).await;

    let began = Instant::now();
    let second = ground.launch("second").start();
    assert!(began.elapsed() < AT_ONCE, "it waited for one that had ended: {:?}", began.elapsed());
    let again = Client::of(&second.url).with_token(guest.token.as_deref().unwrap());
    let found = again.read(&cart.path).await;
    assert_eq!(found["lines"], filled["lines"]);
    let lines = format!("{}/lines", cart.path);
    again.post(&lines, json!({"sku": "BULK-0002", "quantity": 1})).ok().await;

    // Beside a living one: both have all carts, and what one acknowledged the other shows.
    let third = ground.launch("third").start();
    let other = Client::of(&third.url).with_token(again.token.as_deref().unwrap());
    assert_eq!(other.read(&cart.path).await["lines"].as_array().unwrap().len(), 2);
    both_answer(&[&again, &other]).await;

    // Who is left has the shop as soon as the other one has ended.
    let began = Instant::now();
    ended_in_order(second).await;
    assert!(began.elapsed() < AT_ONCE, "it was long in leaving: {:?}", began.elapsed());
    let began = Instant::now();
    other.post(&lines, json!({"sku": "BULK-0003", "quantity": 1})).ok().await;
    assert!(began.elapsed() < AT_ONCE, "it waited for one that had ended: {:?}", began.elapsed());
    assert_eq!(other.read(&cart.path).await["lines"].as_array().unwrap().len(), 3);
}

/// Carts of all shards are opened, changed and read through one process after the other.
async fn both_answer(clients: &[&Client]) {
    for count in 0..40 {
        let [one, other] = [0, 1].map(|place| clients[(count + place) % clients.len()]);
        let cart = one.cart().await;
        let lines = cart.at("/lines");
        other.post(&lines, json!({"sku": "BULK-0001", "quantity": 1})).ok().await;
        one.post(&lines, json!({"sku": "BULK-0002", "quantity": 1})).ok().await;
        for client in [one, other] {
            assert_eq!(client.read(&cart.path).await["lines"].as_array().unwrap().len(), 2);
        }
    }
}

/// `kill -9` under load, again and again, and at last a process that sleeps past its lease.
async fn nothing_is_lost(ground: Ground) {
    ground.stock();
    let mut server = ground.launch("first").start();
    let mut cut_off = 0;
    let rounds = times(2, 20);
    for round in 0..rounds {
        let url = server.url.clone();
        let carts = [Ledger::open(&url).await, Ledger::open(&url).await];
        load(&url, &carts, async || {
            acknowledged(&carts, 40 + round * 97 % 400).await;
            blocking(|| server.kill()).await;
        })
        .await;
        cut_off += carts.iter().map(|cart| cart.unanswered()).sum::<usize>();
        let launch = ground.launch("first");
        server = blocking(|| launch.start()).await;
        for cart in &carts {
            cart.check(&server.url).await;
            cart.repeat(&server.url).await;
        }
    }
    assert!(cut_off > rounds, "{cut_off} requests were cut off: the kills prove nothing");
    sleeps_past_its_lease(&ground, server).await;
}

/// Stopped in the middle of load: another one takes over, and when the first one wakes it tells
/// nobody anything that is not so.
async fn sleeps_past_its_lease(ground: &Ground, mut sleeper: Server) {
    let url = sleeper.url.clone();
    let carts = [Ledger::open(&url).await, Ledger::open(&url).await];
    let mut successor = None;
    load(&url, &carts, async || {
        acknowledged(&carts, 60).await;
        sleeper.signal(Signal::STOP);
        let launch = ground.launch("second");
        let started = blocking(|| launch.start()).await;
        // The successor changes the very cart before the sleeper wakes.
        carts[0].check(&started.url).await;
        carts[0].repeat(&started.url).await;
        successor = Some(started);
        sleeper.signal(Signal::CONT);
        let ended = blocking(move || sleeper.wait()).await;
        assert_eq!(ended.code, Some(1), "{ended:#?}");
        assert!(ended.err.contains("have taken this one's place"), "{ended:#?}");
        assert!(!ended.err.contains("panicked"), "{ended:#?}");
    })
    .await;
    let successor = successor.expect("it was started");
    for cart in &carts {
        cart.check(&successor.url).await;
        cart.repeat(&successor.url).await;
    }
}

/// What another process writes to the catalog is soon what this one shows, in memory or not.
async fn an_import_is_seen(ground: Ground) {
    ground.stock();
    let server = ground.launch("first").start();
    let visitor = Client::of(&server.url);
    let page = async |slug: &str| visitor.get(&format!("/v1/products/{slug}")).send().await;
    let title = async |slug: &str| page(slug).await.json_or_null()["title"].clone();
    let listed = async || {
        let list = visitor.read("/v1/products?limit=50").await;
        let titles = list["items"].as_array().unwrap().iter().map(|item| item["title"].clone());
        titles.collect::<Vec<_>>()
    };
    assert_eq!(title("bulk-01").await, "Screws 01");
    page("bolts").await.is(404);
    let mut records: Vec<_> = goods::bulk().into_iter().skip(1).take(2).collect();
    records[0]["title"] = json!("Better screws");
    for (n, variant) in records[1]["variants"].as_array_mut().unwrap().iter_mut().enumerate() {
        variant["sku"] = json!(format!("BOLT-{n}"));
    }
    records[1]["slug"] = json!("bolts");
    records[1]["title"] = json!("Bolts");
    let records = goods::lines(&records);
    ground.import(&records);
    let began = Instant::now();
    until("the change is shown", async || title("bulk-01").await == "Better screws").await;
    until("the new one is shown", async || title("bolts").await == "Bolts").await;
    until("both are listed", async || {
        let titles = listed().await;
        ["Better screws", "Bolts"].iter().all(|title| titles.iter().any(|found| found == title))
    })
    .await;
    println!("what was imported is shown {:.1?} after the import has ended", began.elapsed());
    assert!(began.elapsed() < SHOWN_MAX, "{:?}", began.elapsed());
    let cart = visitor.guest().await.cart().await;
    cart.add("BOLT-7", 1).ok().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_beside_the_shop_is_seen_on_postgres() {
    let Some(ground) = on_postgres() else { return };
    let Some(redis) = or_skip("Redis", Redis::start()) else { return };
    an_import_is_seen(ground.set(format!("cache.url={}", redis.url())).keeping(redis)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_beside_the_shop_is_seen_on_aws() {
    let Some(ground) = on_aws() else { return };
    ground.done(&["setup", "aws"]);
    an_import_is_seen(ground).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_follow_each_other_on_postgres() {
    let Some(ground) = on_postgres() else { return };
    one_after_the_other(ground).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_follow_each_other_on_redis() {
    let Some(ground) = on_redis() else { return };
    one_after_the_other(ground).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_follow_each_other_on_aws() {
    let Some(ground) = on_aws() else { return };
    let planned = ground.done(&["setup", "aws", "--plan"]);
    assert!(planned.contains("to be done"), "{planned}");
    assert_eq!(planned, ground.done(&["setup", "aws", "--plan"]), "a plan changes nothing");
    let done = ground.done(&["setup", "aws"]);
    assert!(planned.lines().count() > 1, "{planned}");
    assert_eq!(done.lines().last(), Some("done"), "{done}");
    for command in [&["setup", "aws", "--plan"][..], &["setup", "aws"]] {
        assert_eq!(ground.done(command), "everything is there\n", "{command:?}");
    }
    one_after_the_other(ground).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_on_postgres() {
    let Some(ground) = on_postgres() else { return };
    nothing_is_lost(ground).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_on_redis() {
    let Some(ground) = on_redis() else { return };
    nothing_is_lost(ground).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_on_aws() {
    let Some(ground) = on_aws() else { return };
    ground.done(&["setup", "aws"]);
    nothing_is_lost(ground).await;
}
