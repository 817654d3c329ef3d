//! After a crash every acknowledged write is there, and nothing half.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use barrow_engine::entity::{EntityKey, Shard};
use barrow_engine::ports::{CasOutcome, EntityStore, Expected, Row};
use barrow_engine::time::Timestamp;
use bytes::Bytes;
use parking_lot::Mutex;
use proptest::prelude::*;

use crate::support::{copy_folder, key, open, present, row};

/// Writers go on while the folder is copied again and again; each copy is opened as if the
/// machine had stopped there.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_copy_of_the_living_folder_holds_all_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let entities = store.entities();
    let acknowledged: Arc<Mutex<BTreeMap<EntityKey, Row>>> = Arc::default();
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..16u128)
        .map(|id| {
            let (entities, acknowledged) = (Arc::clone(&entities), Arc::clone(&acknowledged));
            let stop = Arc::clone(&stop);
            tokio::spawn(async move { keep_writing(&*entities, id, &acknowledged, &stop).await })
        })
        .collect();
    let mut newest = 0;
    for _ in 0..3 {
        while versions(&acknowledged) < newest + 500 {
            tokio::task::yield_now().await;
        }
        let before = acknowledged.lock().clone();
        let copy = tempfile::tempdir().unwrap();
        copy_folder(dir.path(), copy.path());
        newest = versions(&acknowledged);
        let revived = open(copy.path()).entities();
        for (key, row) in before {
            let found = revived.load(key).await.unwrap().expect("an acknowledged row is there");
            assert!(found.version >= row.version, "{key}: {} < {}", found.version, row.version);
            if found.version == row.version {
                assert_eq!(found, row);
            }
        }
        assert_index_fits(&*revived).await;
    }
    stop.store(true, Ordering::SeqCst);
    futures::future::join_all(writers).await.into_iter().for_each(|writer| writer.unwrap());
}

fn versions(acknowledged: &Mutex<BTreeMap<EntityKey, Row>>) -> u64 {
    acknowledged.lock().values().map(|row| row.version).sum()
}

async fn keep_writing(
    entities: &dyn EntityStore,
    id: u128,
    acknowledged: &Mutex<BTreeMap<EntityKey, Row>>,
    stop: &AtomicBool,
) {
    let mut expected = Expected::Absent;
    for version in 1.. {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let blob = Bytes::from(vec![version as u8; 600]);
        let write_id = u128::from(version) * 100 + id;
        let row = Row { blob, ..row(version, write_id) };
        let outcome = entities.cas(key(id), expected, row.clone()).await;
        assert_eq!(outcome, Ok(CasOutcome::Written));
        expected = present(&row);
        acknowledged.lock().insert(key(id), row);
    }
}

/// Row and due index were written as one.
async fn assert_index_fits(entities: &dyn EntityStore) {
    let mut indexed = BTreeMap::new();
    let shards: Vec<_> = Shard::all().collect();
    for entity in entities.due(&shards, Timestamp::MAX, 10_000).await.unwrap() {
        let before = indexed.insert(entity.key, entity.due);
        assert_eq!(before, None, "an entity has one due");
    }
    for id in 0..16 {
        let due = entities.load(key(id)).await.unwrap().and_then(|row| row.due);
        assert_eq!(indexed.remove(&key(id)), due);
    }
    assert!(indexed.is_empty(), "nothing is due that is not there: {indexed:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Random writers with right and wrong conditions, restarts in between: the store does what
    /// a table in memory does.
    #[test]
    fn the_store_does_what_a_model_does(
        steps in proptest::collection::vec((0..5u128, 0..8u8, any::<bool>()), 1..80),
        restarts in proptest::collection::btree_set(0..80usize, 0..3),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(check_against_model(steps, restarts.into_iter().collect()))?;
    }
}

async fn check_against_model(
    steps: Vec<(u128, u8, bool)>,
    restarts: Vec<usize>,
) -> Result<(), TestCaseError> {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let mut model: BTreeMap<EntityKey, Row> = BTreeMap::new();
    for (index, (id, condition, has_due)) in steps.into_iter().enumerate() {
        if restarts.contains(&index) {
            drop(store);
            store = open(dir.path());
        }
        let key = key(id);
        let found = model.get(&key).cloned();
        let expected = match (condition, &found) {
            (0, _) => Expected::Absent,
            (1, Some(row)) => {
                Expected::Present { version: row.version + 1, write_id: row.write_id }
            }
            (_, Some(row)) => present(row),
            (_, None) => Expected::Absent,
        };
        let due = has_due.then_some(Timestamp(index as i64 % 7));
        let version = found.as_ref().map_or(1, |row| row.version + 1);
        let new = Row { due, ..row(version, 1_000 + index as u128) };
        let outcome = store.entities().cas(key, expected, new.clone()).await;
        if expected.holds(found.as_ref()) {
            prop_assert_eq!(outcome, Ok(CasOutcome::Written));
            model.insert(key, new);
        } else {
            prop_assert_eq!(outcome, Ok(CasOutcome::Conflict(found)));
        }
        prop_assert_eq!(store.entities().load(key).await, Ok(model.get(&key).cloned()));
        let due = store.entities().due(&[key.shard()], Timestamp(3), 100).await?;
        let mut expected: Vec<_> = model
            .iter()
            .filter(|(other, _)| other.shard() == key.shard())
            .filter_map(|(key, row)| row.due.map(|due| (due, *key)))
            .filter(|(due, _)| *due <= Timestamp(3))
            .collect();
        expected.sort();
        let due: Vec<_> = due.into_iter().map(|entity| (entity.due, entity.key)).collect();
        prop_assert_eq!(due, expected);
    }
    Ok(())
}
