//! R1 to R4: what is written, and what may be said before it is.

use std::sync::atomic::Ordering;

use super::*;
use barrow_tests::scripted_store::Fate;

#[tokio::test(start_paused = true)]
async fn r3_no_reply_of_any_kind_leaves_before_what_it_was_decided_on_is_durable() {
    let node = Node::start();
    node.append(1, 10).await.unwrap();
    let held = node.store.hold_next_write();
    let accepted = node.send_soon(1, ProbeCommand::Append(11));
    settle().await;
    let rejected = node.send_soon(1, ProbeCommand::Refuse);
    let nothing = node.send_soon(1, ProbeCommand::Nothing);
    let read = node.read_soon(1);
    settle().await;
    let all = [&accepted, &rejected, &nothing, &read];
    assert!(all.iter().all(|reply| !reply.is_finished()), "a reply left before the write");
    held.add_permits(1);
    assert_eq!(accepted.await.unwrap().unwrap().view, [10, 11]);
    assert_eq!(rejected.await.unwrap(), Err(CommandError::Rejected(Refused)));
    assert_eq!(nothing.await.unwrap().unwrap().version, 2);
    assert_eq!(read.await.unwrap().unwrap().view, [10, 11]);
}

#[tokio::test(start_paused = true)]
async fn one_write_is_in_flight_and_what_comes_meanwhile_rides_in_the_next() {
    let node = Node::start();
    let held = node.store.hold_next_write();
    let first = node.send_soon(1, ProbeCommand::Append(0));
    settle().await;
    let others: Vec<_> =
        (1..=20).map(|item| node.send_soon(1, ProbeCommand::Append(item))).collect();
    settle().await;
    assert_eq!(node.store.applied.lock().len(), 0);
    held.add_permits(1);
    assert_eq!(first.await.unwrap().unwrap().version, 1);
    for (reply, version) in others.into_iter().zip(2..) {
        assert_eq!(reply.await.unwrap().unwrap().version, version);
    }
    assert_eq!(node.store.applied.lock().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_and_a_change_of_nothing_cost_no_write() {
    let node = Node::start();
    node.append(1, 1).await.unwrap();
    assert_eq!(node.send(1, ProbeCommand::Refuse).await, Err(CommandError::Rejected(Refused)));
    assert_eq!(node.send(1, ProbeCommand::Nothing).await.unwrap().version, 1);
    assert_eq!(node.store.applied.lock().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn r2_a_write_of_unknown_outcome_is_repeated_under_the_same_id() {
    for fate in [Fate::ReplyLost, Fate::RequestLost, Fate::Unavailable] {
        let node = Node::start();
        node.store.next_writes([fate.clone(), fate.clone()]);
        let reply = node.append(1, 5).await;
        assert_eq!(reply.unwrap().view, [5], "{fate:?}");
        assert_eq!(node.store.applied.lock().len(), 1, "{fate:?}");
        assert_eq!(node.append(1, 6).await.unwrap().view, [5, 6], "{fate:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn r2_an_outcome_that_stays_unknown_is_said_and_the_actor_is_dropped() {
    let node = Node::start();
    node.append(1, 1).await.unwrap();
    node.store.next_writes(vec![Fate::RequestLost; 100]);
    assert_eq!(node.append(1, 2).await, Err(CommandError::OutcomeUnknown));
    assert_eq!(node.runtime.observe().unknown, 1);
    assert_eq!(node.read(1).await, [1], "what was not durable is not seen");
}

#[tokio::test(start_paused = true)]
async fn a_write_that_was_refused_for_certain_is_said_to_have_changed_nothing() {
    let node = Node::start();
    node.store.next_writes(vec![Fate::Unavailable; 100]);
    assert!(matches!(node.append(1, 2).await, Err(CommandError::Unavailable { .. })));
    assert_eq!(node.store.applied.lock().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn r1_a_stale_owner_never_overwrites() {
    let node = Node::start();
    node.append(1, 1).await.unwrap();
    // Another node took over and wrote: the version even came back to what this one expects.
    let other = Node::start_on(node.store.clone(), RuntimeSettings::default());
    other.append(1, 2).await.unwrap();
    let mut row = node.store.row(key(1)).unwrap();
    row.version = 1;
    node.store.rows.lock().insert(key(1), row.clone());
    assert_eq!(node.append(1, 3).await, Err(CommandError::OutcomeUnknown));
    assert_eq!(node.store.row(key(1)), Some(row), "the other's row stands");
    assert_eq!(node.runtime.observe().overtaken, 1);
    assert_eq!(node.read(1).await, [1, 2], "and is what is seen from then on");
}

#[tokio::test(start_paused = true)]
async fn r2_the_next_activation_waits_for_the_formers_write() {
    let node = Node::start();
    node.append(1, 1).await.unwrap();
    let held = node.store.hold_next_write();
    let first = node.send_soon(1, ProbeCommand::Append(2));
    settle().await;
    // The actor dies while its write is on the way.
    let panicked = node.send_soon(1, ProbeCommand::Panic);
    assert_eq!(panicked.await.unwrap(), Err(CommandError::OutcomeUnknown));
    assert_eq!(first.await.unwrap(), Err(CommandError::OutcomeUnknown));
    tokio::time::sleep(Duration::from_secs(5)).await;
    let read = node.read_soon(1);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(!read.is_finished(), "it was read while a write was under way");
    held.add_permits(1);
    assert_eq!(read.await.unwrap().unwrap().view, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn r3_r4_without_a_lease_nothing_is_answered() {
    let node = Node::start();
    node.append(1, 1).await.unwrap();
    let held = node.store.hold_next_write();
    let in_flight = node.send_soon(1, ProbeCommand::Append(2));
    settle().await;
    node.lease.renew(Duration::ZERO);
    held.add_permits(1);
    assert_eq!(in_flight.await.unwrap(), Err(CommandError::OutcomeUnknown));
    let read = node.runtime.read(1, ()).await;
    assert!(matches!(read, Err(CommandError::Unavailable { .. })), "{read:?}");
    node.lease.renew(Duration::MAX);
    assert_eq!(node.read(1).await, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_row_of_a_newer_build_is_refused_and_left_alone() {
    let node = Node::start();
    node.append(1, 1).await.unwrap();
    let mut row = node.store.row(key(1)).unwrap();
    let mut blob = row.blob.to_vec();
    blob[0] = 200;
    row.blob = blob.into();
    let node = Node::start();
    node.store.rows.lock().insert(key(1), row.clone());
    assert_eq!(node.append(1, 2).await, Err(CommandError::Unreadable));
    assert_eq!(node.store.row(key(1)), Some(row));
}

/// Also in the middle of a try: a store that went silent has time-outs of its own.
#[tokio::test(start_paused = true)]
async fn who_waits_for_a_silent_store_is_answered_at_the_deadline() {
    let node = Node::start();
    let deadline = RuntimeSettings::default().write_deadline;
    node.store.loads_hang.store(true, Ordering::Relaxed);
    let began = node.clock.uptime();
    let read = node.runtime.read(1, ()).await;
    assert!(matches!(read, Err(CommandError::Unavailable { .. })), "{read:?}");
    assert_eq!(node.clock.uptime() - began, deadline);
    node.store.loads_hang.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(node.read(1).await, [0; 0], "it is activated anew");
}

/// R2: the caller is told at the deadline; the next activation waits for the try all the same.
#[tokio::test(start_paused = true)]
async fn r2_a_try_that_outlasts_the_deadline_is_told_and_waited_for() {
    let node = Node::start();
    node.append(1, 1).await.unwrap();
    node.store.next_writes([Fate::Unavailable]);
    let held = node.store.hold_next_write();
    let began = node.clock.uptime();
    assert_eq!(node.append(1, 2).await, Err(CommandError::OutcomeUnknown));
    assert_eq!(node.clock.uptime() - began, RuntimeSettings::default().write_deadline);
    let read = node.read_soon(1);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!read.is_finished(), "it was read while a write was under way");
    held.add_permits(1);
    assert_eq!(read.await.unwrap().unwrap().view, [1, 2], "the try took effect before the read");
}
