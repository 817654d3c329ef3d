//! Which entities of a shard want to be woken, and when.
//!
//! The index is a key range beside the rows, written in the same batch as the row it speaks of:
//! shard, due, entity, in the order in which they are asked for. What is not in the tables yet
//! is told by [`super::unflushed`]. All shards are asked
//! for every second, and almost always nothing is due; so a lower bound of each shard's earliest
//! due is kept in memory, and an idle shard costs no look at the disk.

use std::ops::Range;

use barrow_engine::entity::{EntityKey, SHARDS, Shard};
use barrow_engine::ports::{DueEntity, StoreError};
use barrow_engine::time::Timestamp;
use parking_lot::Mutex;

const KEY_LEN: usize = 2 + 8 + EntityKey::LEN;

/// The place of an entity in the index.
pub(super) type DueKey = [u8; KEY_LEN];

pub(super) fn due_key(key: EntityKey, due: Timestamp) -> DueKey {
    let mut bytes = [0; KEY_LEN];
    bytes[..10].copy_from_slice(&due_start(key.shard(), due));
    bytes[10..].copy_from_slice(&key.to_bytes());
    bytes
}

/// The entities of a shard that are due at that time or later.
pub(super) fn due_range(shard: Shard, from: Timestamp) -> Range<DueKey> {
    let bound = |start: [u8; 10], rest| {
        let mut key = [rest; KEY_LEN];
        key[..10].copy_from_slice(&start);
        key
    };
    // No entity's key is all ones, so nothing of the shard lies behind the end.
    bound(due_start(shard, from), 0)..bound(due_start(shard, Timestamp::MAX), u8::MAX)
}

/// Where the entities of a shard that are due at that time begin.
fn due_start(shard: Shard, due: Timestamp) -> [u8; 10] {
    let mut bytes = [0; 10];
    bytes[..2].copy_from_slice(&shard.index().to_be_bytes());
    bytes[2..].copy_from_slice(&sortable(due.as_millis()).to_be_bytes());
    bytes
}

/// Maps signed to unsigned so that the order stays.
fn sortable(millis: i64) -> u64 {
    (millis as u64) ^ (1 << 63)
}

pub(super) fn decode_due_key(bytes: &[u8]) -> Result<DueEntity, StoreError> {
    let bytes: &[u8; KEY_LEN] = bytes.try_into().map_err(|_| unreadable_due())?;
    let (_, rest) = bytes.split_first_chunk::<2>().ok_or_else(unreadable_due)?;
    let (due, key) = rest.split_first_chunk::<8>().ok_or_else(unreadable_due)?;
    let millis = (u64::from_be_bytes(*due) ^ (1 << 63)) as i64;
    let key = EntityKey::from_bytes(key).ok_or_else(unreadable_due)?;
    Ok(DueEntity { key, due: Timestamp::from_millis(millis) })
}

pub(super) fn unreadable_due() -> StoreError {
    StoreError::Damaged("an entry of the due index cannot be read".to_owned())
}

/// For each shard, a time before which nothing is due.
pub(super) struct DueBounds {
    shards: Vec<Mutex<Bound>>,
}

struct Bound {
    earliest: Timestamp,
    /// Counts the writes, so that a scan notices those that came in between.
    writes: u64,
}

/// What a scan of the index starts from.
pub(super) struct Scan {
    pub from: Timestamp,
    writes: u64,
}

impl DueBounds {
    /// Nothing is known yet: the first look at each shard goes to the disk.
    pub fn new() -> DueBounds {
        let unknown = || Mutex::new(Bound { earliest: Timestamp::MIN, writes: 0 });
        DueBounds { shards: (0..SHARDS).map(|_| unknown()).collect() }
    }

    /// Takes note of a due that is in the index by now. To be called before the write is
    /// acknowledged: then whoever asks after the acknowledgement finds it.
    pub fn written(&self, shard: Shard, due: Timestamp) {
        let mut bound = self.bound(shard).lock();
        bound.earliest = bound.earliest.min(due);
        bound.writes += 1;
    }

    /// `None` if nothing is due at or before that time.
    pub fn begin_scan(&self, shard: Shard, before: Timestamp) -> Option<Scan> {
        let bound = self.bound(shard).lock();
        let scan = Scan { from: bound.earliest, writes: bound.writes };
        (bound.earliest <= before).then_some(scan)
    }

    /// Raises the bound to what the scan found to be the earliest that is left, unless a write
    /// came in between that the scan may not have seen.
    pub fn end_scan(&self, shard: Shard, scan: Scan, earliest: Timestamp) {
        let mut bound = self.bound(shard).lock();
        if bound.writes == scan.writes {
            bound.earliest = earliest;
        }
    }

    fn bound(&self, shard: Shard) -> &Mutex<Bound> {
        &self.shards[usize::from(shard.index())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barrow_engine::entity::EntityKind;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_sort_by_due_and_are_read_back(a: i64, b: i64, id: u128) {
            let key = EntityKey::new(EntityKind::Probe, id);
            let (first, second) = (due_key(key, Timestamp(a)), due_key(key, Timestamp(b)));
            prop_assert_eq!(first.cmp(&second), a.cmp(&b));
            let read = decode_due_key(&first);
            prop_assert_eq!(read, Ok(DueEntity { key, due: Timestamp(a) }));
            prop_assert!(first.as_slice() >= due_start(key.shard(), Timestamp(a)).as_slice());
        }
    }

    #[test]
    fn a_write_during_a_scan_is_not_forgotten() {
        let shard = Shard::new(3).expect("a shard");
        let bounds = DueBounds::new();
        let scan = bounds.begin_scan(shard, Timestamp(100)).expect("nothing is known yet");
        assert_eq!(scan.from, Timestamp::MIN);
        bounds.end_scan(shard, scan, Timestamp(500));
        assert!(bounds.begin_scan(shard, Timestamp(499)).is_none(), "known to be idle");
        let scan = bounds.begin_scan(shard, Timestamp(500)).expect("something may be due");
        bounds.written(shard, Timestamp(700));
        bounds.end_scan(shard, scan, Timestamp::MAX);
        let scan = bounds.begin_scan(shard, Timestamp(700)).expect("the write counts");
        bounds.end_scan(shard, scan, Timestamp(700));
        bounds.written(shard, Timestamp(600));
        assert!(bounds.begin_scan(shard, Timestamp(599)).is_none());
        assert!(bounds.begin_scan(shard, Timestamp(600)).is_some());
    }
}
