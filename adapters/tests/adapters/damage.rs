//! Damaged files are refused or recovered from; they are never served as if they were whole.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use barrow_adapters::embedded::OpenError;
use barrow_engine::ports::{EntityStore, ProductStore, Row, StoreError};
use bytes::Bytes;
use proptest::prelude::*;
use tempfile::TempDir;

use crate::support::{collection, copy_folder, key, open, row, try_open, write_new};

/// Writes in the sample, one batch each: collection 1, collection 2, and so on.
const WRITES: u32 = 40;

/// A closed store whose journal holds the writes and nothing behind them.
fn sample() -> &'static Path {
    static SAMPLE: OnceLock<TempDir> = OnceLock::new();
    let dir = SAMPLE.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let products = open(dir.path()).products();
        for n in 1..=WRITES {
            put_one(&*products, n);
        }
        drop(products);
        // Opening it once more cuts off the zeros that the journal was made with.
        drop(open(dir.path()));
        dir
    });
    dir.path()
}

fn put_one(products: &dyn ProductStore, n: u32) {
    runtime().block_on(products.put_collections(vec![collection(n)])).unwrap();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

fn journal(dir: &Path) -> PathBuf {
    let entries = std::fs::read_dir(dir.join("db")).unwrap();
    let mut journals = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jnl"));
    journals.next().expect("a store has a journal")
}

/// A copy of the sample whose journal was changed.
fn damaged(change: impl FnOnce(&mut Vec<u8>)) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy_folder(sample(), dir.path());
    let path = journal(dir.path());
    let mut bytes = std::fs::read(&path).unwrap();
    change(&mut bytes);
    std::fs::write(&path, bytes).unwrap();
    dir
}

fn journal_bytes() -> usize {
    std::fs::read(journal(sample())).unwrap().len()
}

/// How many of the writes are there; they must be the first ones, each as it was written.
fn writes_found(dir: &Path) -> Result<u32, OpenError> {
    let read = |products: &dyn ProductStore| {
        let mut found = runtime().block_on(products.collections()).expect("they are read");
        found.sort_by_key(|one| one.id);
        found
    };
    let products = try_open(dir)?.products();
    let mut found = 0;
    for (one, n) in read(&*products).into_iter().zip(1..) {
        assert_eq!(one, collection(n), "each is as it was written, and none before it is missing");
        found = n;
    }
    // What was recovered goes on working, and stays.
    put_one(&*products, WRITES + 1);
    drop(products);
    assert_eq!(read(&*open(dir).products()).len() as u32, found + 1);
    Ok(found)
}

#[test]
fn the_undamaged_sample_holds_all() {
    assert_eq!(writes_found(damaged(|_| {}).path()).unwrap(), WRITES);
}

#[test]
fn a_torn_tail_loses_the_last_write_only() {
    let torn = damaged(|bytes| bytes.truncate(bytes.len() - 1));
    assert_eq!(writes_found(torn.path()).unwrap(), WRITES - 1);
    let zeroed = damaged(|bytes| {
        let end = bytes.len();
        bytes[end - 30..end - 10].fill(0);
        bytes.extend_from_slice(&[0; 100_000]);
    });
    assert_eq!(writes_found(zeroed.path()).unwrap(), WRITES - 1, "pages that never reached it");
    let garbage = damaged(|bytes| bytes.extend((0..5_000u32).map(|i| ((i * i) >> 3) as u8)));
    assert_eq!(writes_found(garbage.path()).unwrap(), WRITES, "what follows is no write");
}

#[test]
fn a_write_behind_damage_refuses_the_start() {
    // In the midst of what a write says, not of its head.
    let middle = journal_bytes() / 2 + 40;
    let refused = writes_found(damaged(|bytes| bytes[middle] ^= 0x10).path());
    let message = refused.expect_err("acknowledged writes would be lost").to_string();
    assert!(message.contains("whole writes lie behind it"), "{message}");
    let hole = damaged(|bytes| bytes[middle..middle + 64].fill(0));
    assert!(matches!(writes_found(hole.path()), Err(OpenError::Damaged { .. })));
}

#[test]
fn a_closed_journal_must_be_whole() {
    let dir = damaged(|_| {});
    let path = journal(dir.path());
    let name: u64 = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
    // The newest journal is an empty one now, and the damaged one was closed before it.
    std::fs::write(path.with_file_name(format!("{}.jnl", name + 1)), [0; 64]).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert!(matches!(try_open(dir.path()), Err(OpenError::Damaged { .. })));
    std::fs::write(path.with_file_name(format!("{}.jnl", name + 3)), [0; 64]).unwrap();
    std::fs::write(&path, &bytes).unwrap();
    let message = try_open(dir.path()).err().expect("a gap").to_string();
    assert!(message.contains("a journal is missing"), "{message}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_journal_cut_anywhere_holds_a_prefix(cut in 0.0..1.0f64) {
        let length = (journal_bytes() as f64 * cut) as usize;
        let dir = damaged(|bytes| bytes.truncate(length));
        let found = writes_found(dir.path()).expect("a torn tail is recovered from");
        let share = f64::from(found) / f64::from(WRITES);
        prop_assert!((share - cut).abs() < 0.1, "{found} writes in {cut} of the journal");
    }

    #[test]
    fn a_flipped_bit_is_refused_or_costs_the_last_write(place in 0.0..1.0f64, bit in 0..8u32) {
        let at = (journal_bytes() as f64 * place) as usize;
        let dir = damaged(|bytes| bytes[at] ^= 1 << bit);
        match writes_found(dir.path()) {
            Ok(found) => prop_assert!(found >= WRITES - 1, "{found} of {WRITES} at byte {at}"),
            Err(error) => prop_assert!(matches!(error, OpenError::Damaged { .. }), "{error}"),
        }
    }
}

/// Rows in table files: a block that is read is compared with its checksum.
#[test]
fn a_flipped_bit_in_a_table_is_never_served() {
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(fill_tables(dir.path()));
    let mut refused = 0;
    for table in tables(dir.path()) {
        let bytes = std::fs::read(&table).unwrap();
        for part in 1..8 {
            let copy = tempfile::tempdir().unwrap();
            copy_folder(dir.path(), copy.path());
            let mut bytes = bytes.clone();
            let at = bytes.len() * part / 8;
            bytes[at] ^= 0x08;
            std::fs::write(copy.path().join(table.strip_prefix(dir.path()).unwrap()), bytes)
                .unwrap();
            let Ok(store) = try_open(copy.path()) else {
                refused += 1;
                continue;
            };
            refused += runtime().block_on(count_refused(&*store.entities()));
        }
    }
    assert!(refused > 0, "the damage was met");
}

fn large_row(id: u128) -> Row {
    Row { blob: Bytes::from(vec![id as u8; 4_000]), ..row(1, id) }
}

const LARGE_ROWS: u128 = 600;

/// More than fits into the memory of the table, so that the first part is flushed.
async fn fill_tables(dir: &Path) {
    let store = open(dir);
    let entities = store.entities();
    let writes = (1..=LARGE_ROWS)
        .map(|id| entities.cas(key(id), barrow_engine::ports::Expected::Absent, large_row(id)));
    for outcome in futures::future::join_all(writes).await {
        outcome.expect("it is written");
    }
    write_new(&*entities, 10_000).await;
    while tables(dir).is_empty() {
        std::thread::yield_now();
    }
}

/// The table files of the rows.
fn tables(dir: &Path) -> Vec<PathBuf> {
    let folder = dir.join("db/keyspaces/1/tables");
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let files = entries.map(|entry| entry.unwrap().path());
    files.filter(|path| std::fs::metadata(path).is_ok_and(|m| m.len() > 100_000)).collect()
}

async fn count_refused(entities: &dyn EntityStore) -> usize {
    let mut refused = 0;
    for id in 1..=LARGE_ROWS {
        match entities.load(key(id)).await {
            Ok(found) => assert_eq!(found, Some(large_row(id)), "a row is right or refused"),
            Err(StoreError::Damaged(_)) => refused += 1,
            Err(other) => panic!("damage is not told as such: {other}"),
        }
    }
    refused
}
