//! A backup is proven by restoring it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use barrow_adapters::embedded::{BackupError, EmbeddedStore, OpenError, restore, verify_backup};
use barrow_engine::entity::Shard;
use barrow_engine::ports::{CasOutcome, EntityStore, Expected, ProductStore, Row};
use barrow_engine::time::Timestamp;

use crate::support::{collection, key, open, present, product, row, try_open, write_new};

async fn filled(dir: &Path) -> EmbeddedStore {
    let store = open(dir);
    for id in 1..=50 {
        write_new(&*store.entities(), id).await;
    }
    let products = (1..=300).map(|id| product(id, &format!("p{id}"))).collect();
    let outcomes = store.products().put(products).await.unwrap();
    assert!(outcomes.iter().all(Result::is_ok));
    store.products().put_collections(vec![collection(5)]).await.unwrap();
    store
}

#[tokio::test]
async fn what_was_backed_up_is_restored() {
    let dir = tempfile::tempdir().unwrap();
    let (file, target) = (dir.path().join("shop.backup"), dir.path().join("restored"));
    let store = filled(&dir.path().join("data")).await;
    let mut told = Vec::new();
    let report = store.backup(&file, &mut |progress| told.push(progress)).unwrap();
    assert_eq!(report.bytes, std::fs::metadata(&file).unwrap().len());
    assert_eq!(
        told.last().map(|last| (last.entries, last.bytes)),
        Some((report.entries, report.bytes))
    );
    assert_eq!(verify_backup(&file).unwrap(), report);
    // Later changes are not in it.
    write_new(&*store.entities(), 51).await;

    assert_eq!(restore(&file, &target, &mut |_| {}).unwrap(), report);
    let restored = open(&target);
    for id in 1..=50 {
        assert_eq!(restored.entities().load(key(id)).await, Ok(Some(row(1, id))));
    }
    assert_eq!(restored.entities().load(key(51)).await, Ok(None));
    let entities = restored.entities();
    let shards: Vec<_> = Shard::all().collect();
    let due = entities.due(&shards, Timestamp::MAX, 100).await.unwrap();
    assert_eq!(due.len(), 50 / 3, "the due index is restored");
    let products = restored.products();
    assert_eq!(products.count().await, Ok(300));
    assert_eq!(products.scan(None, 1_000).await.unwrap().len(), 300);
    let slug = product(7, "p7").slug;
    assert_eq!(products.by_slug(&slug).await, Ok(Some(product(7, "p7").id)));
    let sku = product(1, "p1").variants[0].sku.clone();
    assert_eq!(products.by_sku(&sku).await, Ok(Some(product(1, "p1").id)));
    assert_eq!(products.collections().await, Ok(vec![collection(5)]));
    // A backup of the restored store is the same to the byte.
    let again = restored.backup(&dir.path().join("again.backup"), &mut |_| {}).unwrap();
    assert_eq!(again, report);
}

/// Two rows are written one after the other, for ever: a backup never shows the second ahead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_while_serving_is_one_moment() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(open(&dir.path().join("data")));
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
        tokio::spawn(async move { write_in_turn(&store, &stop).await })
    };
    for round in 0..5 {
        let file = dir.path().join(format!("{round}.backup"));
        while version(&*store.entities(), 2).await < (round + 1) * 5 {
            tokio::task::yield_now().await;
        }
        store.backup(&file, &mut |_| {}).unwrap();
        let target = dir.path().join(format!("restored-{round}"));
        restore(&file, &target, &mut |_| {}).unwrap();
        let restored = open(&target).entities();
        let (first, second) = (version(&*restored, 1).await, version(&*restored, 2).await);
        assert!(first == second || first == second + 1, "{first} and {second} are two moments");
        assert!(second >= (round + 1) * 5, "what was acknowledged before is in it");
    }
    stop.store(true, Ordering::SeqCst);
    writer.await.unwrap();
}

async fn write_in_turn(store: &EmbeddedStore, stop: &AtomicBool) {
    let mut expected = [Expected::Absent; 2];
    for version in 1.. {
        for (index, expected) in expected.iter_mut().enumerate() {
            let new = row(version, u128::from(version) * 10 + index as u128);
            let key = key(index as u128 + 1);
            let outcome = store.entities().cas(key, *expected, new.clone()).await;
            assert_eq!(outcome, Ok(CasOutcome::Written));
            *expected = present(&new);
        }
        if stop.load(Ordering::SeqCst) {
            return;
        }
    }
}

async fn version(entities: &dyn EntityStore, id: u128) -> u64 {
    let row: Option<Row> = entities.load(key(id)).await.unwrap();
    row.map_or(0, |row| row.version)
}

#[tokio::test]
async fn a_damaged_backup_is_never_restored() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("shop.backup");
    filled(&dir.path().join("data")).await.backup(&file, &mut |_| {}).unwrap();
    let bytes = std::fs::read(&file).unwrap();
    let target = dir.path().join("restored");
    let check = |damaged: &[u8], what: &str| {
        std::fs::write(&file, damaged).unwrap();
        let refused = restore(&file, &target, &mut |_| {});
        assert!(matches!(refused, Err(BackupError::Damaged { .. })), "{what}: {refused:?}");
        assert!(!target.exists(), "{what}: nothing was written");
    };
    for length in [0, 4, 11, 12, 13, 100, bytes.len() / 2, bytes.len() - 1] {
        check(&bytes[..length], "cut short");
    }
    for part in 0..40 {
        let mut flipped = bytes.clone();
        flipped[bytes.len() * part / 40] ^= 0x04;
        check(&flipped, "a flipped bit");
    }
    check(&[&bytes[..], b"more"].concat(), "something behind it");
    check(b"a file that is no backup at all", "no backup");
}

#[tokio::test]
async fn nothing_is_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let store = filled(&data).await;
    let file = dir.path().join("shop.backup");
    store.backup(&file, &mut |_| {}).unwrap();
    let again = store.backup(&file, &mut |_| {});
    assert!(matches!(again, Err(BackupError::Exists(_))), "{again:?}");
    let into_itself = restore(&file, &data, &mut |_| {});
    assert!(matches!(into_itself, Err(BackupError::NotEmpty(_))), "{into_itself:?}");
    let missing = restore(&dir.path().join("none"), &dir.path().join("x"), &mut |_| {});
    assert!(matches!(missing, Err(BackupError::Io { .. })), "{missing:?}");
    let nowhere = store.backup(&dir.path().join("no/such/folder"), &mut |_| {});
    assert!(matches!(nowhere, Err(BackupError::Io { .. })), "{nowhere:?}");
}

#[test]
fn a_restore_that_was_cut_off_does_not_open() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("RESTORING"), "").unwrap();
    assert!(matches!(try_open(dir.path()), Err(OpenError::RestoreUnfinished(_))));
}
