//! Timers and effects are part of the row: they run for entities that nobody loads.

use barrow_engine::ports::{Row, WriteId};
use barrow_engine::time::Timestamp;
use bytes::Bytes;

use super::*;
use barrow_tests::probe::{EXPIRES_AT, EXPIRING_ITEM, TIMER_ITEM};
use barrow_tests::scripted_store::Fate;

#[tokio::test(start_paused = true)]
async fn a_timer_fires_for_an_entity_that_nobody_loads() {
    let node = Node::start();
    let at = node.now_plus(Duration::from_secs(600));
    node.send(1, ProbeCommand::Later { at, item: 1 }).await.unwrap();
    assert_eq!(node.store.row(key(1)).unwrap().due, Some(at));
    assert!(node.runtime.drain(Duration::from_secs(5)).await);
    let node = Node::start_on(node.store.clone(), RuntimeSettings::default());
    // The new node's clock starts anew: make it as late as the timer.
    node.clock.jump(600_000);
    until("the timer fired", || node.store.applied.lock().len() >= 2).await;
    assert_eq!(node.read(1).await, [1, TIMER_ITEM]);
    assert_eq!(node.store.row(key(1)).unwrap().due, None);
}

#[tokio::test(start_paused = true)]
async fn a_timer_that_moves_later_is_not_rewritten_and_fires_once_when_it_is_due() {
    let node = Node::start();
    let early = node.now_plus(Duration::from_secs(10));
    let late = node.now_plus(Duration::from_secs(30));
    node.send(1, ProbeCommand::Later { at: early, item: 1 }).await.unwrap();
    node.send(1, ProbeCommand::Later { at: late, item: 2 }).await.unwrap();
    assert_eq!(node.store.row(key(1)).unwrap().due, Some(early));
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert_eq!(node.read(1).await, [1, 2], "it looked, and it was too early");
    assert_eq!(node.store.row(key(1)).unwrap().due, Some(late));
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(node.read(1).await, [1, 2, TIMER_ITEM]);
    assert_eq!(node.store.row(key(1)).unwrap().due, None);
}

#[tokio::test(start_paused = true)]
async fn an_effect_reaches_its_target_once() {
    let node = Node::start();
    node.send(1, ProbeCommand::Tell { target: 2, item: 5 }).await.unwrap();
    until("the target has it", || node.store.row(key(2)).is_some()).await;
    until("the source is done", || node.store.row(key(1)).unwrap().due.is_none()).await;
    assert_eq!(node.read(2).await, [5]);
}

#[tokio::test(start_paused = true)]
async fn an_effect_does_not_leave_before_it_is_durable() {
    let node = Node::start();
    let held = node.store.hold_next_write();
    let told = node.send_soon(1, ProbeCommand::Tell { target: 2, item: 5 });
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(node.store.row(key(2)).is_none());
    held.add_permits(1);
    told.await.unwrap().unwrap();
    until("the target has it", || node.store.row(key(2)).is_some()).await;
}

#[tokio::test(start_paused = true)]
async fn a_pending_effect_goes_out_after_a_restart_though_nobody_loads_its_source() {
    let node = Node::start();
    let never = Arc::new(tokio::sync::Semaphore::new(0));
    node.store.next_writes([Fate::Applied, Fate::Held(never)]);
    node.send(1, ProbeCommand::Tell { target: 2, item: 5 }).await.unwrap();
    settle().await;
    assert!(node.store.row(key(2)).is_none(), "the target's write is on the way");
    let restarted = Node::start_on(Arc::new(node.store.copy()), RuntimeSettings::default());
    until("the target has it", || restarted.store.row(key(2)).is_some()).await;
    assert_eq!(restarted.read(2).await, [5]);
}

#[tokio::test(start_paused = true)]
async fn a_pending_effect_goes_out_however_far_the_clock_went_back() {
    let node = Node::start();
    let never = Arc::new(tokio::sync::Semaphore::new(0));
    node.store.next_writes([Fate::Applied, Fate::Held(never)]);
    node.clock.jump(3_600_000);
    node.send(1, ProbeCommand::Tell { target: 2, item: 5 }).await.unwrap();
    settle().await;
    assert!(node.store.row(key(2)).is_none(), "the target's write is on the way");
    // The new node's clock is an hour behind the one by which the row was written.
    let restarted = Node::start_on(Arc::new(node.store.copy()), RuntimeSettings::default());
    until("the target has it", || restarted.store.row(key(2)).is_some()).await;
    assert_eq!(restarted.read(2).await, [5]);
}

#[tokio::test(start_paused = true)]
async fn effects_survive_lost_receipts_and_stay_in_order() {
    let node = Node::start();
    for item in 0..12 {
        node.send(1, ProbeCommand::Tell { target: 2, item }).await.unwrap();
        node.store.next_writes([Fate::ReplyLost, Fate::Unavailable, Fate::RequestLost]);
    }
    until("all are delivered", || node.store.row(key(1)).unwrap().due.is_none()).await;
    assert_eq!(node.read(2).await, (0..12).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn more_effects_than_may_be_pending_are_refused() {
    let node = Node::start();
    let mut refused = None;
    let target_down = node.store.hold_next_write();
    let first = node.send_soon(2, ProbeCommand::Append(1));
    settle().await;
    for item in 0..40 {
        if let Err(error) = node.send(1, ProbeCommand::Tell { target: 2, item }).await {
            refused = Some((item, error));
            break;
        }
    }
    let (item, error) = refused.expect("the outbox is bounded");
    assert_eq!(item, 16);
    assert!(matches!(error, CommandError::Overloaded { .. }), "{error:?}");
    target_down.add_permits(1);
    first.await.unwrap().unwrap();
    until("all are delivered", || node.store.row(key(1)).unwrap().due.is_none()).await;
    assert_eq!(node.read(2).await, [1].into_iter().chain(0..16).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_target_that_refuses_at_once_is_tried_again_each_second_and_not_more_often() {
    let node = Node::start();
    // The target rests after a failure, and refuses without delay.
    node.append(2, 1).await.unwrap();
    for _ in 0..6 {
        drop(node.send(2, ProbeCommand::Panic).await);
        tokio::time::sleep(Duration::from_millis(1_700)).await;
    }
    drop(node.send(2, ProbeCommand::Panic).await);
    node.send(1, ProbeCommand::Tell { target: 2, item: 5 }).await.unwrap();
    settle().await;
    assert_eq!(node.runtime.observe().effects_failed, 1);
    until("it is delivered", || node.runtime.observe().effects == 1).await;
    assert!(node.runtime.observe().effects_failed < 10);
    assert_eq!(node.read(2).await, [1, 5]);
}

/// A store may remove a row that has expired: never one with something still to happen.
#[tokio::test(start_paused = true)]
async fn a_row_with_a_pending_effect_or_a_later_timer_does_not_expire() {
    let node = Node::start();
    let row = |id| node.store.row(key(id)).unwrap();
    node.append(1, 7).await.unwrap();
    assert_eq!(row(1).expires, None);
    node.append(1, EXPIRING_ITEM).await.unwrap();
    assert_eq!(row(1).expires, Some(EXPIRES_AT));
    let target = Arc::new(tokio::sync::Semaphore::new(0));
    node.store.next_writes([Fate::Applied, Fate::Held(target.clone())]);
    node.send(1, ProbeCommand::Tell { target: 2, item: 5 }).await.unwrap();
    settle().await;
    assert!(row(1).due.is_some(), "the effect is on the way");
    assert_eq!(row(1).expires, None, "and would be lost with the row");
    target.add_permits(1);
    until("it is delivered", || row(1).due.is_none()).await;
    assert_eq!(row(1).expires, Some(EXPIRES_AT));

    let before = Timestamp(EXPIRES_AT.0 - 1);
    for (id, at, expires) in [(3, before, Some(EXPIRES_AT)), (4, EXPIRES_AT, None)] {
        node.append(id, EXPIRING_ITEM).await.unwrap();
        node.send(id, ProbeCommand::Later { at, item: 1 }).await.unwrap();
        assert_eq!((row(id).due, row(id).expires), (Some(at), expires));
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_node_asks_once_a_second_and_only_under_a_valid_lease() {
    let node = Node::start();
    settle().await;
    assert_eq!(*node.store.looks.lock(), [1_024], "all shards at once");
    tokio::time::sleep(Duration::from_millis(5_500)).await;
    assert_eq!(*node.store.looks.lock(), [1_024; 6]);
    node.lease.renew(Duration::ZERO);
    tokio::time::sleep(Duration::from_millis(5_500)).await;
    assert_eq!(*node.store.looks.lock(), [1_024; 6], "without a lease it could wake nothing");
}

/// Rows that nobody can read stay due for ever. They fill the answer, and hide nobody.
#[tokio::test(start_paused = true)]
async fn entities_that_cannot_be_woken_do_not_hide_others() {
    let node = Node::start();
    settle().await;
    let unreadable = |due| Row {
        version: 1,
        write_id: WriteId(1),
        due: Some(Timestamp(due)),
        expires: None,
        blob: Bytes::from_static(b"no probe"),
    };
    // One shard has more of them than a whole answer.
    let crowded = key(0).shard();
    let stuck = (10..).map(key).filter(|it| it.shard() == crowded).take(1_500);
    for (key, due) in stuck.zip(-5_000..) {
        node.store.rows.lock().insert(key, unreadable(due));
    }
    let at = node.now_plus(Duration::from_secs(3));
    let others = (10..).filter(|id| key(*id).shard() != crowded).take(20).collect::<Vec<_>>();
    for id in &others {
        node.send(*id, ProbeCommand::Later { at, item: 1 }).await.unwrap();
    }
    until("the others fired", || {
        others.iter().all(|id| node.store.row(key(*id)).unwrap().due.is_none())
    })
    .await;
    let looks = node.store.looks.lock();
    let longest = looks.split(|shards| *shards == 1_024).map(<[_]>::len).max();
    assert_eq!(longest, Some(20), "by halves, down to the shard itself");
}
