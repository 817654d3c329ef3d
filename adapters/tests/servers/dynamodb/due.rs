//! What is due, in lanes that several nodes share: how many requests a look at it takes.

use barrow_adapters::dynamodb::DynamoEntityStore;
use barrow_engine::entity::{EntityKey, Shard};
use barrow_engine::ports::{CasOutcome, EntityStore, Expected};
use barrow_engine::time::Timestamp;

use super::entities::{behind_a_front, key, row};
use super::in_process;

/// Entities of one shard, each due a millisecond before the former.
async fn write_due(store: &DynamoEntityStore, shard: Shard, count: usize) -> Vec<EntityKey> {
    let keys: Vec<_> = (0..).map(key).filter(|key| key.shard() == shard).take(count).collect();
    for (index, key) in keys.iter().enumerate() {
        let row = row(1, 1, Some(-(index as i64)));
        assert_eq!(store.cas(*key, Expected::Absent, row).await, Ok(CasOutcome::Written));
    }
    keys
}

/// More entities are due than the index hands out in one page.
#[tokio::test]
async fn due_is_paged() {
    let server = in_process();
    let (front, store) = behind_a_front(&server.endpoint()).await;
    let shard = key(0).shard();
    let keys = write_due(&store, shard, 1_100).await;
    front.seen();
    let all = store.due(&[shard], Timestamp::MAX, 5_000).await.unwrap();
    assert_eq!(front.seen(), ["Query"; 2]);
    assert!(all.is_sorted_by_key(|entity| entity.due));
    let found: Vec<_> = all.iter().rev().map(|entity| entity.key).collect();
    assert_eq!(found, keys, "each is found once");
    let some = store.due(&[shard], Timestamp::MAX, 1_050).await.unwrap();
    assert_eq!(some, all[..1_050]);
    assert_eq!(store.due(&[shard], Timestamp(-1_099), 5_000).await.unwrap(), all[..1]);
}

/// A node that owns all shards looks at all of them each second.
#[tokio::test]
async fn a_look_at_all_shards_is_one_request_a_lane() {
    let server = in_process();
    let (front, store) = behind_a_front(&server.endpoint()).await;
    let all: Vec<Shard> = Shard::all().collect();
    let later = row(1, 1, Some(5_000));
    assert_eq!(store.cas(key(1), Expected::Absent, later).await, Ok(CasOutcome::Written));
    front.seen();
    assert_eq!(store.due(&all, Timestamp(4_999), 1_000).await, Ok(vec![]));
    assert_eq!(front.seen(), ["Query"; 16]);
    assert_eq!(store.due(&all, Timestamp(5_000), 1_000).await.unwrap().len(), 1);
    assert_eq!(front.seen(), ["Query"; 16]);
    // Half of the neighbours, half of the lanes.
    assert_eq!(store.due(&all[..512], Timestamp(0), 1_000).await, Ok(vec![]));
    assert_eq!(front.seen(), ["Query"; 8]);
    assert_eq!(store.due(&[], Timestamp(0), 1_000).await, Ok(vec![]));
    assert_eq!(front.seen(), [""; 0]);
}

/// What another node left lying before ours, in the same lane.
#[tokio::test]
async fn entities_of_other_nodes_do_not_hide_ours() {
    let server = in_process();
    let (front, store) = behind_a_front(&server.endpoint()).await;
    let theirs = key(0).shard();
    let neighbour = Shard::new(theirs.index() ^ 1).unwrap();
    let their_keys = write_due(&store, theirs, 1_100).await;
    let mine = (0..).map(key).find(|key| key.shard() == neighbour).unwrap();
    let late = row(1, 1, Some(7));
    assert_eq!(store.cas(mine, Expected::Absent, late).await, Ok(CasOutcome::Written));
    front.seen();
    let found = store.due(&[neighbour], Timestamp(7), 1).await.unwrap();
    assert_eq!(found.iter().map(|it| it.key).collect::<Vec<_>>(), [mine]);
    assert_eq!(front.seen(), ["Query"; 2]);
    let both = store.due(&[theirs, neighbour], Timestamp(7), 5_000).await.unwrap();
    assert_eq!(both.len(), their_keys.len() + 1);
}
