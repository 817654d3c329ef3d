//! Activation, passivation, the warm tier, the end.

use super::*;

fn impatient() -> RuntimeSettings {
    RuntimeSettings { idle_timeout: Duration::from_secs(5), ..RuntimeSettings::default() }
}

#[tokio::test(start_paused = true)]
async fn many_who_ask_for_a_sleeping_entity_wake_it_once() {
    let node = Node::start();
    node.append(1, 1).await.unwrap();
    let node = Node::start_on(node.store.clone(), RuntimeSettings::default());
    let reads: Vec<_> = (0..100).map(|_| node.read_soon(1)).collect();
    for read in reads {
        assert_eq!(read.await.unwrap().unwrap().view, [1]);
    }
    assert_eq!(node.runtime.observe().activations, 1);
}

#[tokio::test(start_paused = true)]
async fn an_idle_entity_is_passivated_and_comes_back_from_the_warm_tier() {
    let node = Node::with(impatient());
    node.append(1, 1).await.unwrap();
    until("it is passivated", || node.runtime.observe().hot == 0).await;
    assert_eq!(node.append(1, 2).await.unwrap().view, [1, 2]);
    let seen = node.runtime.observe();
    assert_eq!((seen.activations, seen.warm_activations, seen.passivations), (2, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn beyond_the_limit_the_least_recently_used_go() {
    let node = Node::with(RuntimeSettings { hot_max: 10, ..RuntimeSettings::default() });
    for id in 0..30 {
        node.append(id, 1).await.unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    until("memory is given back", || node.runtime.observe().hot <= 10).await;
    let before = node.runtime.observe().activations;
    assert_eq!(node.read(29).await, [1]);
    assert_eq!(node.runtime.observe().activations, before, "the newest one stayed");
    assert_eq!(node.read(0).await, [1], "and the oldest one comes back");
    assert_eq!(node.runtime.observe().activations, before + 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_never_written_is_not_kept() {
    let node = Node::start();
    for id in 0..50 {
        assert!(node.read(id).await.is_empty());
    }
    until("they are gone", || node.runtime.observe().hot == 0).await;
}

#[tokio::test(start_paused = true)]
async fn passivation_never_loses_what_was_sent_to_it() {
    let node = Node::with(RuntimeSettings {
        idle_timeout: Duration::from_millis(20),
        sweep_interval: Duration::from_millis(7),
        ..RuntimeSettings::default()
    });
    for round in 0..200u64 {
        assert!(node.append(1, round).await.is_ok(), "round {round}");
        tokio::time::sleep(Duration::from_millis(15 + round % 20)).await;
    }
    assert_eq!(node.read(1).await, (0..200).collect::<Vec<_>>());
    assert!(node.runtime.observe().passivations > 10);
}

#[tokio::test(start_paused = true)]
async fn a_drain_finishes_what_was_admitted_and_refuses_what_comes_later() {
    let node = Node::start();
    let held = node.store.hold_next_write();
    let first = node.send_soon(1, ProbeCommand::Append(1));
    settle().await;
    let second = node.send_soon(1, ProbeCommand::Append(2));
    settle().await;
    let runtime = node.runtime.clone();
    let drained = tokio::spawn(async move { runtime.drain(Duration::from_secs(20)).await });
    settle().await;
    let late = node.append(1, 3).await;
    assert!(matches!(late, Err(CommandError::Unavailable { .. })), "{late:?}");
    held.add_permits(1);
    assert_eq!(first.await.unwrap().unwrap().version, 1);
    assert_eq!(second.await.unwrap().unwrap().version, 2);
    assert!(drained.await.unwrap());
    let restarted = Node::start_on(node.store.clone(), RuntimeSettings::default());
    assert_eq!(restarted.read(1).await, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_follower_sees_the_state_and_then_the_newest_durable_one() {
    let node = Node::with(impatient());
    node.append(1, 1).await.unwrap();
    let mut feed = node.runtime.subscribe(1, ()).await.unwrap();
    assert_eq!(feed.next().await.unwrap().view, [1]);
    let held = node.store.hold_next_write();
    let change = node.send_soon(1, ProbeCommand::Append(2));
    settle().await;
    let early = tokio::time::timeout(Duration::from_millis(100), feed.next()).await;
    assert!(early.is_err(), "a follower saw what was not durable");
    held.add_permits(1);
    change.await.unwrap().unwrap();
    assert_eq!(feed.next().await.unwrap().view, [1, 2]);
    for item in 3..=9 {
        node.append(1, item).await.unwrap();
    }
    assert_eq!(feed.next().await.unwrap().version, 9, "a slow one gets only the newest");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(node.runtime.observe().hot, 1, "it is not passivated while it is followed");
    node.runtime.drain(Duration::from_secs(5)).await;
    assert!(feed.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn followers_of_one_entity_are_bounded() {
    let node = Node::start();
    node.append(1, 1).await.unwrap();
    let mut feeds = Vec::new();
    for _ in 0..8 {
        feeds.push(node.runtime.subscribe(1, ()).await.unwrap());
    }
    assert!(matches!(
        node.runtime.subscribe(1, ()).await.map(drop),
        Err(CommandError::Overloaded { .. })
    ));
    feeds.pop();
    assert!(node.runtime.subscribe(1, ()).await.is_ok());
}
