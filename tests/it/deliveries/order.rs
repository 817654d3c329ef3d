//! Each consumer is told of all, in the order of each aggregate, though most tries fail.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use barrow_actors::deliveries::{Consumer, DeliverySettings, EventCounter};
use barrow_engine::events::{Event, EventKind};
use barrow_engine::ports::Entropy;
use barrow_tests::host::SeededEntropy;

use super::ground::{Ground, eventually, hasty};
use super::witness::{Fate, Witness};

const SKUS: u64 = 30;
const EVENTS: u64 = 8;

/// What two nodes deliver, of what four writers write meanwhile.
async fn all_are_told_in_order(ground: Ground, seed: u64) {
    println!("seed {seed}");
    let entropy = Arc::new(SeededEntropy::new(seed));
    let bid = move |_: &Event, tries: u32| match entropy.next_u64() % 10 {
        // So that it comes to an end.
        _ if tries > 5 => Fate::Handles,
        0..4 => Fate::Handles,
        4..6 => Fate::Fails,
        6..8 => Fate::FailsAfterwards,
        8 => Fate::Panics,
        _ => Fate::HangsBefore,
    };
    let rare = |event: &Event, tries: u32| match (event.position.version() + u64::from(tries)) % 7 {
        0 => Fate::Fails,
        _ => Fate::Handles,
    };
    let unsteady = Arc::new(Witness::new("unsteady", bid));
    let steady = Arc::new(Witness::new("steady", rare));
    let consumers = || -> Vec<Arc<dyn Consumer>> { vec![unsteady.clone(), steady.clone()] };
    // Who hangs is given up soon.
    let settings = DeliverySettings { handle_max: Duration::from_millis(50), ..hasty() };
    let mut nodes = Vec::new();
    for stores in &ground.nodes {
        nodes.push(stores.deliver(consumers(), settings).await);
    }
    let writers = (0..4_u64).map(|writer| {
        let stores = ground.nodes[writer as usize % 2].clone();
        tokio::spawn(async move {
            for n in 0..EVENTS {
                for sku in (0..SKUS).filter(|sku| sku % 4 == writer) {
                    stores.tell(&format!("SKU-{sku}"), n, 1).await;
                }
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let all: Vec<u64> = (1..=EVENTS).collect();
    let expected: BTreeMap<String, Vec<u64>> =
        (0..SKUS).map(|sku| (format!("SKU-{sku}"), all.clone())).collect();
    let count = |witness: &Witness| witness.effects().values().map(Vec::len).sum::<usize>();
    for witness in [&unsteady, &steady] {
        eventually("all were told", async || count(witness) >= (SKUS * EVENTS) as usize).await;
        assert_eq!(witness.effects(), expected, "seed {seed}: each once, in order");
        assert_eq!(witness.overlaps(), 0, "by one at a time");
    }
    assert!(unsteady.tries() as u64 > SKUS * EVENTS * 3 / 2, "many tries failed");
    assert!(unsteady.repeats() > 0, "some came again, and had no second effect");
    eventually("nothing is left", async || {
        let figures = ground.nodes[0].outbox.figures().await.unwrap();
        figures.iter().all(|it| it.lanes == 0)
    })
    .await;
    for node in nodes {
        assert!(node.stop(Duration::from_secs(30)).await, "it stops");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_tell_all_in_order_on_sqlite() {
    for seed in [1, 2] {
        all_are_told_in_order(Ground::sqlite().await, seed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_tell_all_in_order_on_postgres() {
    for seed in [3, 4] {
        let Some(ground) = Ground::postgres().await else { return };
        all_are_told_in_order(ground, seed).await;
    }
}

/// Its own events a node hears of at once, those of others when it looks.
async fn woken(ground: Ground) {
    let counter = Arc::new(EventCounter::default());
    let never = DeliverySettings { poll_interval: Duration::from_secs(86_400), ..hasty() };
    let [own, other] = &ground.nodes;
    let deliveries = own.deliver(vec![counter.clone()], never).await;
    let told = |kind: EventKind| counter.counts().find(|it| it.0 == kind).unwrap().1;
    for n in 0..5 {
        own.tell("SKU-1", 2 * n, 2).await;
        eventually("it is told without looking", async || {
            told(EventKind::StockBack) > n && told(EventKind::StockOut) > n
        })
        .await;
    }
    assert!(deliveries.stop(Duration::from_secs(30)).await);
    let deliveries = own.deliver(vec![counter.clone()], hasty()).await;
    other.tell("SKU-1", 10, 1).await;
    eventually("another's is found", async || told(EventKind::StockBack) == 6).await;
    let [observed] = deliveries.observe()[..] else { panic!("it has one consumer") };
    assert_eq!((observed.consumer, observed.failed, observed.lost), ("metrics", 0, 0));
}

#[tokio::test]
async fn a_node_hears_its_own_events_at_once_and_finds_those_of_others() {
    woken(Ground::sqlite().await).await;
    let Some(ground) = Ground::postgres().await else { return };
    woken(ground).await;
}
