//! Rows that are in the log and not yet in the tables.

use std::path::Path;

use barrow_adapters::embedded::OpenError;
use barrow_engine::ports::{CasOutcome, EntityStore, Expected, Row};
use bytes::Bytes;
use tempfile::TempDir;

use crate::support::{copy_folder, key, open, present, row, try_open, write_new};

const ROWS: u128 = 30;

/// What a crash leaves right after some rows were acknowledged.
async fn crashed() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let entities = store.entities();
    for id in 1..=ROWS {
        let first = write_new(&*entities, id).await;
        // Due at another time, or no longer, or now.
        let second = row(2, 100 + id);
        let outcome = entities.cas(key(id), present(&first), second).await;
        assert_eq!(outcome, Ok(CasOutcome::Written));
    }
    let copy = tempfile::tempdir().unwrap();
    copy_folder(dir.path(), copy.path());
    copy
}

async fn holds_all(entities: &dyn EntityStore) {
    for id in 1..=ROWS {
        let newest = row(2, 100 + id);
        assert_eq!(entities.load(key(id)).await, Ok(Some(newest.clone())), "row {id}");
        let shard = key(id).shard();
        let due = entities.due(&[shard], barrow_engine::time::Timestamp::MAX, 100).await;
        let due = due.unwrap().into_iter().find(|entity| entity.key == key(id));
        assert_eq!(due.map(|entity| entity.due), newest.due, "the index fits row {id}");
    }
}

#[tokio::test]
async fn a_crash_loses_nothing_that_was_acknowledged() {
    let dir = crashed().await;
    holds_all(&*open(dir.path()).entities()).await;
    // Now they are in the tables; the log is empty.
    holds_all(&*open(dir.path()).entities()).await;
}

/// A crash while what the log holds is moved to the tables, and one after: each start finds the
/// same, and what is written then stands behind it.
#[tokio::test]
async fn what_was_moved_is_not_moved_back() {
    let dir = crashed().await;
    let again = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let entities = store.entities();
    let third = Row { blob: Bytes::from_static(b"third"), ..row(3, 300) };
    let outcome = entities.cas(key(7), present(&row(2, 107)), third.clone()).await;
    assert_eq!(outcome, Ok(CasOutcome::Written));
    copy_folder(dir.path(), again.path());
    let entities = open(again.path()).entities();
    assert_eq!(entities.load(key(7)).await, Ok(Some(third)));
    assert_eq!(entities.load(key(8)).await, Ok(Some(row(2, 108))));
}

#[tokio::test]
async fn a_backup_holds_what_is_only_in_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("store"));
    let written = write_new(&*store.entities(), 5).await;
    let backup = dir.path().join("a.backup");
    store.backup(&backup, &mut |_| {}).unwrap();
    let restored = dir.path().join("restored");
    barrow_adapters::embedded::restore(&backup, &restored, &mut |_| {}).unwrap();
    let entities = open(&restored).entities();
    assert_eq!(entities.load(key(5)).await, Ok(Some(written.clone())));
    let outcome = entities.cas(key(5), present(&written), row(2, 9)).await;
    assert_eq!(outcome, Ok(CasOutcome::Written));
}

/// More than the log has room for, while the tables are slow to take it.
#[tokio::test]
async fn more_is_written_than_the_log_holds() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let entities = store.entities();
    let large = |id: u128| Row { blob: Bytes::from(vec![id as u8; 300_000]), ..row(1, id) };
    let all: Vec<u128> = (0..400).collect();
    for ids in all.chunks(40) {
        let writes = ids.iter().map(|id| entities.cas(key(*id), Expected::Absent, large(*id)));
        for outcome in futures::future::join_all(writes).await {
            assert_eq!(outcome, Ok(CasOutcome::Written));
        }
    }
    drop((store, entities));
    let entities = open(dir.path()).entities();
    for id in all {
        assert_eq!(entities.load(key(id)).await, Ok(Some(large(id))));
    }
}

/// Folders of builds that had no log.
#[tokio::test]
async fn a_store_without_a_log_gets_one() {
    let dir = tempfile::tempdir().unwrap();
    let written = write_new(&*open(dir.path()).entities(), 3).await;
    let mark = |format: &str, as_format: &str| {
        let path = dir.path().join("STORE");
        let text = std::fs::read_to_string(&path).unwrap();
        let other = text.replace(format, as_format);
        assert_ne!(other, text);
        std::fs::write(path, other).unwrap();
    };
    std::fs::remove_dir_all(dir.path().join("log")).unwrap();
    assert!(matches!(try_open(dir.path()), Err(OpenError::Damaged { .. })), "it had one");
    mark("\"format\": 2", "\"format\": 1");
    assert_eq!(open(dir.path()).entities().load(key(3)).await, Ok(Some(written)));
    assert!(Path::exists(&dir.path().join("log/0.log")));
    // From now on it has to be there.
    std::fs::remove_dir_all(dir.path().join("log")).unwrap();
    assert!(matches!(try_open(dir.path()), Err(OpenError::Damaged { .. })));
}
