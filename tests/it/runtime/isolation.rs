//! What one entity's trouble costs the others, and the bounds on what may wait.

use std::sync::atomic::Ordering;

use barrow_tests::scripted_store::Fate;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_poisoned_entity_rests_and_the_others_do_not_notice() {
    let node = Node::start();
    node.append(1, 1).await.unwrap();
    node.append(2, 1).await.unwrap();
    assert_eq!(node.send(1, ProbeCommand::Panic).await, Err(CommandError::OutcomeUnknown));
    let resting = node.runtime.read(1, ()).await;
    assert!(matches!(resting, Err(CommandError::Unavailable { .. })), "{resting:?}");
    assert_eq!(node.append(2, 2).await.unwrap().view, [1, 2]);
    tokio::time::sleep(Duration::from_millis(101)).await;
    assert_eq!(node.read(1).await, [1], "after its rest it is there again");
    assert_eq!(node.runtime.observe().failures, 1);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_load_that_broke() {
    let node = Node::start();
    node.store.loads_panic.store(true, Ordering::Relaxed);
    assert_eq!(node.append(1, 1).await, Err(CommandError::Unreadable));
    let resting = node.runtime.read(1, ()).await;
    assert!(matches!(resting, Err(CommandError::Unavailable { .. })), "{resting:?}");
    node.store.loads_panic.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(101)).await;
    assert_eq!(node.append(1, 1).await.unwrap().view, [1]);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_write_that_broke() {
    let node = Node::start();
    node.append(1, 1).await.unwrap();
    node.store.next_writes([Fate::Panics, Fate::Panics]);
    assert_eq!(node.append(1, 2).await.unwrap().view, [1, 2], "its repeats told");
    node.store.next_writes(std::iter::repeat_n(Fate::Panics, 1_000));
    assert_eq!(node.append(1, 3).await, Err(CommandError::OutcomeUnknown));
    node.store.heal();
    assert_eq!(node.read(1).await, [1, 2, 3], "the row decides what is true");
}

#[tokio::test(start_paused = true)]
async fn each_failure_in_a_row_doubles_the_rest() {
    let node = Node::start();
    node.append(1, 1).await.unwrap();
    let mut rests = Vec::new();
    for _ in 0..5 {
        drop(node.send(1, ProbeCommand::Panic).await);
        settle().await;
        match node.runtime.read(1, ()).await {
            Err(CommandError::Unavailable { retry_after }) => {
                rests.push(retry_after.as_millis() as u64);
                tokio::time::sleep(retry_after + Duration::from_millis(1)).await;
            }
            other => panic!("it should rest: {other:?}"),
        }
    }
    assert_eq!(rests, [100, 200, 400, 800, 1_600]);
}

#[tokio::test(start_paused = true)]
async fn one_entitys_queue_is_bounded_and_does_not_take_the_others_permits() {
    let node = Node::with(RuntimeSettings { queue_max: 10, ..RuntimeSettings::default() });
    node.append(1, 0).await.unwrap();
    let held = node.store.hold_next_write();
    let waiting: Vec<_> =
        (0..10).map(|item| node.send_soon(1, ProbeCommand::Append(item))).collect();
    settle().await;
    let refused = node.append(1, 99).await;
    assert!(matches!(refused, Err(CommandError::Overloaded { .. })), "{refused:?}");
    assert!(node.append(2, 1).await.is_ok());
    held.add_permits(1);
    for reply in waiting {
        assert!(reply.await.unwrap().is_ok());
    }
    assert!(node.append(1, 100).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_in_all_is_bounded() {
    let node = Node::with(RuntimeSettings { in_flight_max: 5, ..RuntimeSettings::default() });
    let held: Vec<_> = (0..5).map(|_| node.store.hold_next_write()).collect();
    let waiting: Vec<_> = (0..5).map(|id| node.send_soon(id, ProbeCommand::Append(1))).collect();
    settle().await;
    assert!(matches!(node.append(9, 1).await, Err(CommandError::Overloaded { .. })));
    assert_eq!(node.runtime.observe().in_flight, 5);
    held.iter().for_each(|held| held.add_permits(1));
    for reply in waiting {
        assert!(reply.await.unwrap().is_ok());
    }
    settle().await;
    assert_eq!(node.runtime.observe().in_flight, 0, "every permit came back");
    assert!(node.append(9, 1).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_takes_nothing_with_it() {
    let node = Node::start();
    let held = node.store.hold_next_write();
    let gone = node.send_soon(1, ProbeCommand::Append(1));
    settle().await;
    gone.abort();
    held.add_permits(1);
    assert_eq!(node.read(1).await, [1], "what was admitted is done");
    settle().await;
    assert_eq!(node.runtime.observe().in_flight, 0);
}
