//! Consumers and nodes that die, and events that nobody can be told.

use std::sync::Arc;
use std::time::Duration;

use barrow_actors::deliveries::{Consumer, DeliverySettings, RetrySettings};
use barrow_engine::ports::DeadLetterQuery;

use super::ground::{Ground, Stores, eventually, hasty};
use super::witness::{Fate, Witness};

/// A node that dies while it handles the third of five events, before its effect or after it,
/// holding the lane's lease: another one goes on, each event has its effect once and in order.
async fn a_node_dies(ground: Ground, fate: Fate) {
    let [dying, living] = ground.nodes.clone();
    let witness = Arc::new(Witness::new("witness", move |event, tries| {
        match (event.position.version(), tries) {
            (3, 0) => fate,
            _ => Fate::Handles,
        }
    }));
    let consumers: Vec<Arc<dyn Consumer>> = vec![witness.clone()];
    // Its own patience outlasts its lease, so that nothing but the lease ends its hold.
    let patient = DeliverySettings { lease: Duration::from_secs(3), ..DeliverySettings::default() };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (told, (to, started)) = (consumers.clone(), tokio::sync::oneshot::channel());
    let begun = runtime.spawn(async move {
        let deliveries = dying.deliver(told, patient).await;
        to.send(()).unwrap();
        std::future::pending::<()>().await;
        drop(deliveries);
    });
    started.await.unwrap();
    living.tell("SKU-1", 0, 5).await;
    eventually("it is at the third", async || witness.tries() >= 3).await;
    // With all its tasks, and nothing settled after that.
    begun.abort();
    runtime.shutdown_background();
    let deliveries = living.deliver(consumers, hasty()).await;
    eventually("another goes on", async || {
        witness.effects().get("SKU-1").is_some_and(|versions| versions.len() == 5)
    })
    .await;
    assert_eq!(witness.effects()["SKU-1"], [1, 2, 3, 4, 5], "{fate:?}: each once, in order");
    let repeats = u32::from(fate == Fate::HangsAfter);
    assert!(witness.repeats() >= repeats, "what had its effect came again: at least once");
    assert!(deliveries.stop(Duration::from_secs(30)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_dies_holding_a_lease_loses_nothing() {
    for fate in [Fate::HangsBefore, Fate::HangsAfter] {
        a_node_dies(Ground::sqlite().await, fate).await;
        let Some(ground) = Ground::postgres().await else { continue };
        a_node_dies(ground, fate).await;
    }
}

async fn letters(stores: &Stores) -> Vec<barrow_engine::ports::DeadLetter> {
    let query = DeadLetterQuery { consumer: None, after: None, limit: 100 };
    stores.outbox.dead_letters(&query).await.unwrap()
}

/// The second event of one SKU fails whenever it is tried, that of another is refused for good.
async fn dead_letters(ground: Ground) {
    let witness = Arc::new(Witness::new("witness", |event, _| {
        match (event.aggregate.id.as_str(), event.position.version()) {
            ("failing", 2) => Fate::Fails,
            ("refused", 1) => Fate::Refuses,
            _ => Fate::Handles,
        }
    }));
    let stores = ground.nodes[0].clone();
    let retry = RetrySettings { attempts_max: 3, ..hasty().retry };
    let settings = DeliverySettings { retry, ..hasty() };
    let consumers: Vec<Arc<dyn Consumer>> = vec![witness.clone()];
    let deliveries = stores.deliver(consumers, settings).await;
    for sku in ["failing", "refused", "fine"] {
        stores.tell(sku, 0, 4).await;
    }
    eventually("both are dead letters", async || letters(&stores).await.len() == 2).await;
    eventually("others go on", async || {
        witness.effects().get("fine").is_some_and(|versions| versions.len() == 4)
    })
    .await;
    assert_eq!(witness.effects()["failing"], [1], "those behind it wait");
    assert!(!witness.effects().contains_key("refused"));
    let found = letters(&stores).await;
    let of = |sku: &str| found.iter().find(|it| it.event.aggregate.id == sku).unwrap();
    assert_eq!((of("failing").attempts, of("failing").error.as_str()), (3, "503"));
    assert_eq!((of("refused").attempts, of("refused").error.as_str()), (1, "410 Gone"));

    // Told again while nothing is mended, it is a dead letter again.
    assert_eq!(deliveries.replay(of("refused").id).await, Ok(true));
    eventually("it is one again", async || letters(&stores).await.len() == 2).await;
    witness.mend();
    for letter in letters(&stores).await {
        assert_eq!(deliveries.replay(letter.id).await, Ok(true));
    }
    eventually("all were told", async || {
        witness.effects().values().map(Vec::len).sum::<usize>() == 12
    })
    .await;
    for (sku, versions) in witness.effects() {
        assert_eq!(versions, [1, 2, 3, 4], "{sku}: in order");
    }
    assert_eq!(letters(&stores).await, []);
    let [observed] = deliveries.observe()[..] else { panic!("it has one consumer") };
    assert_eq!(observed.buried, 3, "{observed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_can_be_told_waits_and_is_told_when_it_can_be() {
    dead_letters(Ground::sqlite().await).await;
    let Some(ground) = Ground::postgres().await else { return };
    dead_letters(ground).await;
}
