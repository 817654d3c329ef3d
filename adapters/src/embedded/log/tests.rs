//! The log against a model, with damage, and when it is full.

use std::collections::BTreeMap;

use barrow_engine::entity::{EntityKey, EntityKind};
use barrow_engine::ports::{Row, WriteId};
use barrow_engine::time::Timestamp;
use bytes::Bytes;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

/// Room for 15 frames of one block.
const SMALL: usize = 16 * BLOCK;

fn key(id: u128) -> EntityKey {
    EntityKey::new(EntityKind::Probe, id)
}

fn change(id: u128, version: u64, blob_bytes: usize) -> Change {
    let due = version.is_multiple_of(2).then_some(Timestamp(version as i64));
    let blob = Bytes::from(vec![version as u8; blob_bytes]);
    Change {
        key: key(id),
        due_before: None,
        row: Row { version, write_id: WriteId(id), due, expires: None, blob },
    }
}

fn health() -> Arc<Health> {
    Arc::new(Health::new(Box::new(|_| {})))
}

fn open(folder: &Path, through: u64) -> Result<(Log, Found), LogError> {
    Log::open(folder, through, health())
}

fn made() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    Log::create(folder.path(), SMALL).unwrap();
    folder
}

#[derive(Debug, Clone)]
enum Step {
    Append {
        id: u128,
        changes: usize,
        blob_bytes: usize,
    },
    /// The tables have got everything but so many of the newest writes.
    Release {
        but: u64,
    },
    /// Without an orderly end, as after a crash.
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let append = (0..5u128, 1..4usize, 0..12_000usize)
        .prop_map(|(id, changes, blob_bytes)| Step::Append { id, changes, blob_bytes });
    let step = prop_oneof![
        8 => append,
        3 => (0..4u64).prop_map(|but| Step::Release { but }),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 1..80)
}

/// What the log and the tables behind it hold.
#[derive(Default)]
struct Model {
    tables: BTreeMap<EntityKey, Row>,
    through: u64,
    log: Vec<(u64, Vec<(EntityKey, Row)>)>,
}

impl Model {
    fn release(&mut self, through: u64) {
        for (sequence, rows) in &self.log {
            if *sequence <= through {
                self.tables.extend(rows.iter().cloned());
            }
        }
        self.through = self.through.max(through);
        self.log.retain(|(sequence, _)| *sequence > through);
    }

    fn newest(&self) -> u64 {
        self.log.last().map_or(self.through, |(sequence, _)| *sequence)
    }

    fn rows_in_log(&self) -> BTreeMap<EntityKey, Row> {
        self.log.iter().flat_map(|(_, rows)| rows.iter().cloned()).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is written, moved on and cut off by crashes: what the tables do not have is
    /// found, the newest of each row, and nothing that they have.
    #[test]
    fn what_is_not_in_the_tables_is_found(steps in steps()) {
        let folder = made();
        let mut model = Model::default();
        let (mut log, _) = open(folder.path(), 0).unwrap();
        for (index, step) in steps.into_iter().enumerate() {
            match step {
                Step::Append { id, changes, blob_bytes } => {
                    let changes: Vec<Change> = (0..changes as u128)
                        .map(|n| change(id + n, index as u64 + 1, blob_bytes))
                        .collect();
                    // Nobody moves rows on in this test unless told to: not into a full log.
                    if log.room.files.lock().spare.is_empty() {
                        model.release(model.newest());
                        log.room().release(model.through);
                    }
                    let appended = log.append(&changes).unwrap();
                    prop_assert_eq!(appended.sequence, model.newest() + 1);
                    let rows = changes.into_iter().map(|change| (change.key, change.row));
                    model.log.push((appended.sequence, rows.collect()));
                }
                Step::Release { but } => {
                    model.release(model.newest().saturating_sub(but));
                    log.room().release(model.through);
                }
                Step::Reopen => {
                    let (opened, found) = open(folder.path(), model.through).unwrap();
                    prop_assert_eq!(&found.rows, &model.rows_in_log());
                    prop_assert_eq!(found.through, model.newest());
                    model.release(found.through);
                    log = opened;
                }
            }
        }
        let (_, found) = open(folder.path(), model.through).unwrap();
        prop_assert_eq!(found.rows, model.rows_in_log());
        prop_assert_eq!(found.through, model.newest());
    }
}

/// A log with so many writes of one row each; then the file that has the first is damaged.
fn damaged_log(writes: u128, blob_bytes: usize, damage: impl FnOnce(&mut Vec<u8>)) -> TempDir {
    let folder = made();
    let (mut log, _) = open(folder.path(), 0).unwrap();
    for id in 1..=writes {
        log.append(&[change(id, 1, blob_bytes)]).unwrap();
    }
    drop(log);
    let path = folder.path().join(format!("{}.log", SEGMENTS - 1));
    let mut content = fs::read(&path).unwrap();
    damage(&mut content);
    fs::write(&path, content).unwrap();
    folder
}

/// What a start makes of twenty writes, over two files.
fn found_after(damage: impl FnOnce(&mut Vec<u8>)) -> Result<Found, LogError> {
    let folder = damaged_log(20, 100, damage);
    let (_, found) = open(folder.path(), 0)?;
    assert!(found.rows.iter().all(|(key, row)| *row == change(key.id, 1, 100).row));
    assert_eq!(found.rows.len() as u64, found.through, "nothing is left out");
    Ok(found)
}

#[test]
fn a_gap_refuses_the_start() {
    assert_eq!(found_after(|_| {}).unwrap().through, 20);
    for at in [BLOCK, BLOCK + 9, 3 * BLOCK + 50, SMALL - BLOCK + 20] {
        let refused = found_after(|content| content[at] ^= 4);
        let Err(LogError::Damaged(reason)) = refused else { panic!("byte {at} was not missed") };
        assert!(reason.contains("whole writes lie behind it"), "{reason}");
    }
    assert!(matches!(
        found_after(|content| content.truncate(9 * BLOCK)),
        Err(LogError::Damaged(_))
    ));
    assert!(matches!(found_after(|content| content[20] ^= 1), Err(LogError::Damaged(_))));
}

proptest! {
    /// A file that ends anywhere, or has other bytes from anywhere on, holds the writes before.
    #[test]
    fn a_torn_tail_is_dropped(cut in BLOCK..=11 * BLOCK, garbage: u8) {
        let folder = damaged_log(10, 4_000, |content| {
            content[cut..].fill(garbage);
            if garbage == 0 {
                content.truncate(cut);
            }
        });
        let (mut log, found) = open(folder.path(), 0).unwrap();
        let whole = (cut / BLOCK - 1) as u64;
        prop_assert!((whole..=whole + 1).contains(&found.through), "{} {cut}", found.through);
        // The end goes on being written, and what was torn never comes back.
        let appended = log.append(&[change(77, 1, 10)]).unwrap();
        prop_assert_eq!(appended.sequence, found.through + 1);
        drop(log);
        let (_, again) = open(folder.path(), found.through).unwrap();
        prop_assert_eq!(again.through, found.through + 1);
        prop_assert_eq!(again.rows.len(), 1);
    }
}

#[test]
fn a_full_log_waits_for_the_tables() {
    let folder = made();
    let (mut log, _) = open(folder.path(), 0).unwrap();
    let room = log.room();
    let full = (SEGMENTS * 15) as u64;
    for id in 0..full {
        log.append(&[change(u128::from(id), 1, 10)]).unwrap();
    }
    let writer = std::thread::spawn(move || log.append(&[change(1_000, 1, 10)]).unwrap().sequence);
    room.release(14);
    assert!(room.files.lock().spare.is_empty(), "the oldest file has one that is needed");
    room.release(15);
    assert_eq!(writer.join().unwrap(), full + 1);
    let (_, found) = open(folder.path(), 15).unwrap();
    assert_eq!(found.rows.len() as u64, full + 1 - 15);
}

#[test]
fn a_full_log_of_a_dead_store_is_an_error() {
    let folder = made();
    let health = health();
    let (mut log, _) = Log::open(folder.path(), 0, Arc::clone(&health)).unwrap();
    for id in 0..(SEGMENTS * 15) as u128 {
        log.append(&[change(id, 1, 10)]).unwrap();
    }
    let writer = std::thread::spawn(move || log.append(&[change(99, 1, 10)]).err());
    health.fail("the disk is gone".to_owned());
    assert_eq!(writer.join().unwrap(), Some("the disk is gone".to_owned()));
}

#[test]
fn a_missing_file_is_refused() {
    let folder = made();
    fs::remove_file(folder.path().join("0.log")).unwrap();
    assert!(matches!(open(folder.path(), 0), Err(LogError::Damaged(_))));
}

/// The stored form is fixed: logs of older builds must stay readable.
#[test]
fn the_format_is_golden() {
    let row = Row {
        version: 3,
        write_id: WriteId(5),
        due: None,
        expires: None,
        blob: Bytes::from_static(b"xy"),
    };
    let changes = [Change { key: key(7), due_before: None, row }];
    let mut bytes = Vec::new();
    frame::encode(&mut bytes, &changes, 9);
    frame::seal(&mut bytes, 1);
    assert_eq!(bytes.len(), BLOCK);
    let mut golden = vec![130, 195, 28, 167, 10, 238, 129, 31];
    golden.extend_from_slice(&[9, 0, 0, 0, 0, 0, 0, 0, 49, 0, 0, 0, 1, 0, 0, 0]);
    golden.extend_from_slice(&key(7).to_bytes());
    golden.extend_from_slice(&[28, 0, 0, 0, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0, 5]);
    golden.extend_from_slice(&[0; 15]);
    golden.extend_from_slice(b"xy");
    golden.resize(BLOCK, 0);
    assert_eq!(bytes, golden);
    assert!(frame::Frame::read(&golden, 1, &(9..=9)).is_some());
    assert!(frame::Frame::read(&golden, 2, &(9..=9)).is_none(), "of another file");
    assert!(frame::Frame::read(&golden, 1, &(10..=90)).is_none(), "of another time");
}
