//! Opening a data directory: one process at a time, and nothing missing.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use barrow_adapters::embedded::{EmbeddedOptions, EmbeddedStore, OpenError};
use barrow_engine::entity::Shard;
use barrow_engine::ports::{CasOutcome, EntityStore, Expected, ProductStore, Row, StoreError};
use barrow_engine::time::Timestamp;
use bytes::Bytes;

use crate::support::{collection, key, open, product, row, try_open, write_new};

#[test]
fn a_directory_in_use_is_refused_and_free_again_after() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let refused = try_open(dir.path()).err().expect("it is in use").to_string();
    let pid = format!("(process {})", std::process::id());
    assert!(refused.contains("in use") && refused.contains(&pid), "{refused}");
    // A handle is enough to hold it.
    let entities = store.entities();
    drop(store);
    assert!(matches!(try_open(dir.path()), Err(OpenError::Locked(..))));
    drop(entities);
    open(dir.path());
}

#[tokio::test]
async fn everything_is_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let first = write_new(&*store.entities(), 3).await;
    let chair = product(7, "chair");
    store.products().put(vec![chair.clone()]).await.unwrap()[0].clone().unwrap();
    let sku = chair.variants[0].sku.clone();
    store.products().put_collections(vec![collection(5)]).await.unwrap();
    drop(store);

    let store = open(dir.path());
    assert_eq!(store.entities().load(key(3)).await, Ok(Some(first.clone())));
    let due = store.entities().due(&[key(3).shard()], first.due.unwrap(), 10).await.unwrap();
    assert_eq!(due.len(), 1, "what is due is known after a start too");
    assert_eq!(store.products().get(chair.id).await, Ok(Some(chair.clone())));
    assert_eq!(store.products().by_sku(&sku).await, Ok(Some(chair.id)));
    assert_eq!(store.products().count().await, Ok(1));
    assert_eq!(store.products().collections().await, Ok(vec![collection(5)]));
}

#[tokio::test]
async fn what_was_acknowledged_is_due_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let entities = open(dir.path()).entities();
    for id in 1..200u128 {
        let due = Timestamp(1_000 - id as i64);
        let shard = key(id).shard();
        // A look at the idle shard first, so that it is known to be idle.
        let before = entities.due(&[shard], due, 1_000).await.unwrap();
        assert!(before.iter().all(|entity| entity.key != key(id)));
        let row = Row { due: Some(due), ..row(1, id) };
        let outcome = entities.cas(key(id), Expected::Absent, row).await;
        assert_eq!(outcome, Ok(CasOutcome::Written));
        let after = entities.due(&[shard], due, 1_000).await.unwrap();
        assert!(after.iter().any(|entity| entity.key == key(id) && entity.due == due));
    }
    let shards: Vec<_> = Shard::all().collect();
    let all = entities.due(&shards, Timestamp(1_000), 1_000).await.unwrap();
    assert_eq!(all.len(), 199);
    let earliest = entities.due(&shards, Timestamp(1_000), 50).await.unwrap();
    assert_eq!(earliest, all[..50], "the embedded store knows the earliest of all shards");
}

/// A node looks at all its shards each second.
#[tokio::test]
async fn a_look_at_idle_shards_reads_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let entities = open(dir.path()).entities();
    let shards: Vec<_> = Shard::all().collect();
    let reads = || entities.due_index_reads().load(Ordering::Relaxed);
    assert_eq!(entities.due(&shards, Timestamp(99), 1_000).await, Ok(vec![]));
    assert_eq!(reads(), 1_024, "after a start nothing is known");
    let row = Row { due: Some(Timestamp(100)), ..row(1, 1) };
    let outcome = entities.cas(key(1), Expected::Absent, row).await;
    assert_eq!(outcome, Ok(CasOutcome::Written));
    assert_eq!(entities.due(&shards, Timestamp(99), 1_000).await, Ok(vec![]));
    assert_eq!(reads(), 1_024, "what is due later is no reason to look");
    assert_eq!(entities.due(&shards, Timestamp(100), 1_000).await.unwrap().len(), 1);
    assert_eq!(reads(), 1_025, "the shard that has something is read, and no other");
}

#[tokio::test]
async fn a_row_that_fits_nowhere_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let entities = open(dir.path()).entities();
    let huge = Row { blob: Bytes::from(vec![0; 400_000]), ..row(1, 1) };
    let refused = entities.cas(key(1), Expected::Absent, huge).await;
    assert!(matches!(refused, Err(StoreError::TooLarge { bytes: 400_000, .. })), "{refused:?}");
    assert_eq!(entities.load(key(1)).await, Ok(None));
}

#[test]
fn a_store_of_a_newer_build_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    std::fs::write(dir.path().join("STORE"), r#"{"format": 3, "keyspaces": []}"#).unwrap();
    assert!(matches!(try_open(dir.path()), Err(OpenError::Format { found: 3, .. })));
}

#[test]
fn missing_parts_are_refused() {
    let parts = [
        "db/version",
        "db/keyspaces/0",
        "db/keyspaces/3",
        "db/keyspaces/1/current",
        "log",
        "log/3.log",
    ];
    for part in parts {
        let dir = tempfile::tempdir().unwrap();
        drop(open(dir.path()));
        let path = dir.path().join(part);
        if path.is_dir() {
            std::fs::remove_dir_all(&path).unwrap();
        } else {
            std::fs::remove_file(&path).unwrap();
        }
        let refused = try_open(dir.path());
        assert!(matches!(refused, Err(OpenError::Damaged { .. })), "{part} was not missed");
    }
}

#[test]
fn a_missing_journal_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    for entry in std::fs::read_dir(dir.path().join("db")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "jnl") {
            std::fs::remove_file(path).unwrap();
        }
    }
    assert!(matches!(try_open(dir.path()), Err(OpenError::Damaged { .. })));
}

/// Making a store was cut off before it was complete: it is made anew, nothing was in it.
#[test]
fn a_store_that_was_never_complete_is_made() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    assert!(!dir.path().join("db.making").exists());
    // All of it was there but the mark.
    std::fs::remove_file(dir.path().join("STORE")).unwrap();
    drop(open(dir.path()));
    // Only a part of the database was there: a journal, but not its version.
    std::fs::remove_file(dir.path().join("STORE")).unwrap();
    let (made, making) = (dir.path().join("db"), dir.path().join("db.making"));
    std::fs::rename(&made, &making).unwrap();
    std::fs::remove_file(making.join("version")).unwrap();
    drop(open(dir.path()));
    assert!(dir.path().join("STORE").exists() && made.exists() && !making.exists());
}

/// The products of a large catalog pass through; they are never all held.
#[tokio::test]
async fn many_products_are_imported_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let options = EmbeddedOptions {
        memtable_bytes: 256 * 1024,
        ..EmbeddedOptions::new(Box::new(|reason| panic!("{reason}")))
    };
    let store = EmbeddedStore::open(dir.path(), options).unwrap();
    let products: Arc<dyn ProductStore> = store.products();
    for batch in 0..10u128 {
        let ids = batch * 500..(batch + 1) * 500;
        let batch: Vec<_> = ids.map(|id| product(id * 7 % 5_003, &format!("p{id}"))).collect();
        let outcomes = products.put(batch).await.unwrap();
        assert!(outcomes.iter().all(Result::is_ok));
    }
    assert_eq!(products.count().await, Ok(5_000));
    let mut seen = 0;
    let mut after = None;
    loop {
        let page = products.scan(after, 300).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen += page.len();
    }
    assert_eq!(seen, 5_000);
}
