//! Every file of a store in turn: a bit is flipped, the tail is cut. The store does not open, or
//! refuses the row, or gives the row that was written; it never gives another.

use std::path::{Path, PathBuf};

use barrow_adapters::embedded::OpenError;
use barrow_engine::ports::{CasOutcome, EntityStore, Expected, Row, StoreError};
use bytes::Bytes;

use crate::support::{copy_folder, key, open, row, try_open};

/// Enough for the tables to be flushed, more than once.
const ROWS: u128 = 700;

fn large_row(id: u128) -> Row {
    Row { blob: Bytes::from(vec![id as u8; 4_000]), ..row(1, id) }
}

async fn fill(dir: &Path) {
    let store = open(dir);
    let entities = store.entities();
    for ids in (1..=ROWS).collect::<Vec<_>>().chunks(50) {
        let writes = ids.iter().map(|id| entities.cas(key(*id), Expected::Absent, large_row(*id)));
        for outcome in futures::future::join_all(writes).await {
            assert_eq!(outcome, Ok(CasOutcome::Written));
        }
    }
    // Alone in its batch, so that a torn tail costs this one at most.
    let last = entities.cas(key(ROWS + 1), Expected::Absent, large_row(ROWS + 1)).await;
    assert_eq!(last, Ok(CasOutcome::Written));
    let is_table = |path: &PathBuf| path.parent().is_some_and(|folder| folder.ends_with("tables"));
    while !files(dir).iter().any(|path| is_table(path) && path.metadata().unwrap().len() > 100_000)
    {
        std::thread::yield_now();
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Where what was written ends; behind it may lie zeros.
fn written(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    /// The store did not open.
    is_refused: bool,
    /// Rows that the store says it cannot read.
    withheld: usize,
    /// Rows at the end that are not there.
    missing: u128,
}

/// Opens a copy of the store with one file changed, and holds every row to what was written.
async fn found(dir: &Path, file: &Path, change: impl FnOnce(&mut Vec<u8>)) -> Found {
    let copy = tempfile::tempdir().unwrap();
    copy_folder(dir, copy.path());
    let path = copy.path().join(file.strip_prefix(dir).unwrap());
    let mut bytes = std::fs::read(&path).unwrap();
    change(&mut bytes);
    std::fs::write(&path, bytes).unwrap();
    let store = match try_open(copy.path()) {
        Ok(store) => store,
        Err(OpenError::Locked(..)) => panic!("{file:?}: nobody has it"),
        Err(_) => return Found { is_refused: true, ..Found::default() },
    };
    let entities = store.entities();
    let mut found = Found::default();
    for id in 1..=ROWS + 1 {
        match entities.load(key(id)).await {
            Ok(Some(row)) => {
                assert_eq!(row, large_row(id), "{file:?}: another row than was written");
                assert_eq!(found.missing, 0, "{file:?}: row {id} is there, and not one before");
            }
            Ok(None) => found.missing += 1,
            Err(StoreError::Damaged(_)) => found.withheld += 1,
            Err(other) => panic!("{file:?}: damage is not told as such: {other}"),
        }
    }
    found
}

#[test]
fn no_damage_of_any_file_is_served() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(fill(dir.path()));
    let (mut refused, mut withheld, mut tries) = (0, 0, 0);
    for file in files(dir.path()) {
        let length = written(&std::fs::read(&file).unwrap());
        if length == 0 {
            continue;
        }
        let mut tell = |found: Found| {
            tries += 1;
            refused += usize::from(found.is_refused);
            withheld += usize::from(found.withheld > 0);
        };
        for place in [0, 25, 50, 75, 99] {
            let flip = |bytes: &mut Vec<u8>| bytes[(length - 1) * place / 100] ^= 1 << (place % 8);
            let found = runtime.block_on(found(dir.path(), &file, flip));
            assert!(found.missing <= 1, "{file:?}: a bit at {place} % cost {}", found.missing);
            tell(found);
        }
        for cut in [1, length.div_ceil(2)] {
            let truncate = |bytes: &mut Vec<u8>| bytes.truncate(length - cut);
            tell(runtime.block_on(found(dir.path(), &file, truncate)));
        }
    }
    // What holds no data, the lock, does no harm.
    assert!((refused + withheld) * 2 > tries, "{refused} and {withheld} of {tries} were noticed");
    assert!(withheld > 0, "the rows in tables were met");
}
