//! What a write's condition is compared with, for the rows written lately: reading the whole row
//! from the database for it cost a third of the commit thread's time.

use std::collections::HashMap;

use barrow_engine::entity::EntityKey;
use barrow_engine::ports::{Expected, Row, WriteId};
use barrow_engine::time::Timestamp;

/// As many of either generation: some ten megabytes in all.
const HEADS_MAX: usize = 65_536;

/// A row without its blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    version: u64,
    write_id: WriteId,
    pub due: Option<Timestamp>,
}

impl Head {
    pub fn of(row: &Row) -> Head {
        Head { version: row.version, write_id: row.write_id, due: row.due }
    }

    /// Whether this row, or none, is what a write demands (R1).
    pub fn fits(found: Option<Head>, expected: Expected) -> bool {
        let found = found.map_or(Expected::Absent, |Head { version, write_id, .. }| {
            Expected::Present { version, write_id }
        });
        found == expected
    }
}

/// The heads of rows in the order of their use, roughly: when the young generation is full it
/// becomes the old one, and what was not used since goes.
#[derive(Default)]
pub(super) struct Heads {
    young: HashMap<EntityKey, Head, ahash::RandomState>,
    old: HashMap<EntityKey, Head, ahash::RandomState>,
}

impl Heads {
    /// The head of a stored row; `None` says nothing of whether there is one.
    pub fn get(&self, key: EntityKey) -> Option<Head> {
        self.young.get(&key).or_else(|| self.old.get(&key)).copied()
    }

    /// The row is durable.
    pub fn put(&mut self, key: EntityKey, head: Head) {
        if self.young.len() >= HEADS_MAX && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, head);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barrow_engine::entity::EntityKind;
    use bytes::Bytes;

    fn row(version: u64) -> Row {
        let write_id = WriteId(version.into());
        Row { version, write_id, due: None, expires: None, blob: Bytes::new() }
    }

    #[test]
    fn the_newest_is_found_and_memory_is_bounded() {
        let key = |id: usize| EntityKey::new(EntityKind::Probe, id as u128);
        let mut heads = Heads::default();
        for version in 1..=3 {
            for id in 0..HEADS_MAX {
                heads.put(key(id), Head::of(&row(version)));
            }
            assert!((0..HEADS_MAX).all(|id| heads.get(key(id)) == Some(Head::of(&row(version)))));
        }
        heads.put(key(HEADS_MAX), Head::of(&row(9)));
        heads.put(key(0), Head::of(&row(9)));
        assert_eq!(heads.get(key(0)), Some(Head::of(&row(9))), "not the one of the old generation");
        for id in HEADS_MAX..4 * HEADS_MAX {
            heads.put(key(id), Head::of(&row(1)));
        }
        assert_eq!(heads.get(key(1)), None);
        assert!(heads.young.len() + heads.old.len() <= 2 * HEADS_MAX);
    }

    #[test]
    fn version_and_write_id_both_count() {
        let head = Some(Head::of(&row(3)));
        let present = |version, id| Expected::Present { version, write_id: WriteId(id) };
        assert!(Head::fits(head, present(3, 3)) && Head::fits(None, Expected::Absent));
        for expected in [present(3, 4), present(4, 3), Expected::Absent] {
            assert!(!Head::fits(head, expected));
        }
        assert!(!Head::fits(None, present(3, 3)));
    }
}
