//! R6: a command with a key takes effect once.

use super::*;
use barrow_tests::scripted_store::Fate;

#[tokio::test(start_paused = true)]
async fn a_repeat_is_answered_with_the_state_now_and_the_version_then() {
    let node = Node::start();
    assert_eq!(node.append_keyed(1, 10, 99).await.unwrap().replayed, None);
    node.append(1, 11).await.unwrap();
    let repeat = node.append_keyed(1, 10, 99).await.unwrap();
    assert_eq!(repeat, Reply { version: 2, view: vec![10, 11], replayed: Some(1) });
    assert_eq!(node.append_keyed(1, 12, 99).await, Err(CommandError::KeyReused));
}

#[tokio::test(start_paused = true)]
async fn keys_outlive_passivation_and_restart() {
    let node = Node::start();
    node.append_keyed(1, 10, 99).await.unwrap();
    assert!(node.runtime.drain(Duration::from_secs(10)).await);
    let restarted = Node::start_on(node.store.clone(), RuntimeSettings::default());
    let repeat = restarted.append_keyed(1, 10, 99).await.unwrap();
    assert_eq!((repeat.view, repeat.replayed), (vec![10], Some(1)));
}

#[tokio::test(start_paused = true)]
async fn a_repeat_after_an_unknown_outcome_takes_effect_once() {
    for applied in [true, false] {
        let node = Node::start();
        node.append(1, 1).await.unwrap();
        let first = if applied { Fate::ReplyLost } else { Fate::RequestLost };
        node.store.next_writes([vec![first], vec![Fate::Unavailable; 100]].concat());
        assert_eq!(node.append_keyed(1, 2, 5).await, Err(CommandError::OutcomeUnknown));
        node.store.heal();
        let repeat = node.append_keyed(1, 2, 5).await.unwrap();
        assert_eq!(repeat.view, [1, 2], "applied before: {applied}");
        assert_eq!(repeat.replayed.is_some(), applied);
    }
}

#[tokio::test(start_paused = true)]
async fn a_keyed_command_that_changes_nothing_is_remembered_too() {
    let node = Node::start();
    let key = Some(IdempotencyKey { key_hash: 3, payload_hash: 3 });
    let nothing = || node.runtime.execute(1, ProbeCommand::Nothing, (), key, None);
    assert_eq!(nothing().await.unwrap().replayed, None);
    assert_eq!(nothing().await.unwrap().replayed, Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_decided_anew_each_time() {
    let node = Node::start();
    let key = Some(IdempotencyKey { key_hash: 3, payload_hash: 3 });
    let send = |command| node.runtime.execute(1, command, (), key, None);
    assert_eq!(send(ProbeCommand::Refuse).await, Err(CommandError::Rejected(Refused)));
    assert_eq!(send(ProbeCommand::Append(1)).await.unwrap().replayed, None);
}

#[tokio::test(start_paused = true)]
async fn a_full_memory_refuses_rather_than_forget() {
    let node = Node::start();
    for n in 0..1_024 {
        node.append_keyed(1, n, n).await.unwrap();
    }
    assert_eq!(node.append_keyed(1, 5_000, 5_000).await, Err(CommandError::KeyMemoryFull));
    assert_eq!(node.append_keyed(1, 0, 0).await.unwrap().replayed, Some(1));
    assert!(node.append(1, 1).await.is_ok(), "without a key nothing has to be remembered");
    tokio::time::sleep(Duration::from_secs(301)).await;
    assert!(node.append_keyed(1, 5_000, 5_000).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_command_that_insists_on_a_version_is_refused_at_another() {
    let node = Node::start();
    node.append(1, 1).await.unwrap();
    let at = |version| node.runtime.execute(1, ProbeCommand::Append(2), (), None, Some(version));
    assert_eq!(at(0).await, Err(CommandError::VersionMismatch { current: 1 }));
    assert_eq!(at(1).await.unwrap().version, 2);
    // A repeat comes first: what it insisted on was true then.
    let key = Some(IdempotencyKey { key_hash: 9, payload_hash: 9 });
    let keyed = || node.runtime.execute(1, ProbeCommand::Append(3), (), key, Some(2));
    assert_eq!(keyed().await.unwrap().version, 3);
    assert_eq!(keyed().await.unwrap().replayed, Some(3));
}
