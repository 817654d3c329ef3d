//! The promises of an entity store.

use std::sync::Arc;

use bytes::Bytes;

use super::{LAG_STEP, Names, Wait, concurrently, eventually};
use crate::entity::{EntityKey, EntityKind, Shard};
use crate::ports::{CasOutcome, DueEntity, EntityStore, Expected, Row, WriteId};
use crate::time::Timestamp;

/// More rows than a store that is shared with other runs has due in one shard.
const DUE_LIMIT: usize = 10_000;

struct Suite<'a> {
    store: &'a dyn EntityStore,
    names: Names,
}

/// Runs every promise that needs one caller.
pub async fn entity_store(store: &dyn EntityStore, seed: u64, wait: Wait<'_>) {
    let suite = Suite { store, names: Names { seed } };
    suite.rows_are_kept_as_written().await;
    suite.a_write_needs_its_condition().await;
    suite.a_repeat_shows_its_write_id().await;
    suite.a_version_that_comes_back_does_not_help().await;
    suite.blobs_of_every_size().await;
    suite.due_follows_the_row(wait).await;
    suite.due_is_ordered_and_limited(wait).await;
    suite.due_of_many_shards(wait).await;
    assert!(!store.durability().is_empty(), "a store says what an acknowledged write survives");
}

impl Suite<'_> {
    fn key(&self, index: u64) -> EntityKey {
        EntityKey::new(EntityKind::Probe, self.names.number(index))
    }

    fn row(&self, index: u64, version: u64, due: Option<i64>) -> Row {
        Row {
            version,
            write_id: WriteId(self.names.number(1_000_000 + index)),
            due: due.map(Timestamp),
            expires: None,
            blob: Bytes::from(format!("blob {index} of {:x}", self.names.seed)),
        }
    }

    async fn cas(&self, key: EntityKey, expected: Expected, row: &Row) -> CasOutcome {
        let outcome = self.store.cas(key, expected, row.clone()).await;
        outcome.unwrap_or_else(|error| panic!("cas of {key} failed: {error}"))
    }

    async fn load(&self, key: EntityKey) -> Option<Row> {
        let row = self.store.load(key).await;
        row.unwrap_or_else(|error| panic!("load of {key} failed: {error}"))
    }

    async fn write(&self, key: EntityKey, expected: Expected, row: &Row) {
        let outcome = self.cas(key, expected, row).await;
        assert_eq!(outcome, CasOutcome::Written, "a write whose condition holds is written");
    }

    async fn rows_are_kept_as_written(&self) {
        let key = self.key(1);
        assert_eq!(self.load(key).await, None, "an entity that was never written has no row");
        let first = self.row(1, 1, None);
        self.write(key, Expected::Absent, &first).await;
        assert_eq!(self.load(key).await, Some(first.clone()), "a row is loaded as it was written");
        let second = self.row(2, 2, Some(4_102_444_800_123));
        self.write(key, present(&first), &second).await;
        assert_eq!(self.load(key).await, Some(second.clone()), "a load sees the newest write");
        let third = self.row(3, 3, None);
        self.write(key, present(&second), &third).await;
        assert_eq!(self.load(key).await, Some(third.clone()), "a due can be taken away again");
        let fourth = self.row(4, 4, None);
        let expiring = Row { expires: Some(Timestamp(4_102_444_800_123)), ..fourth.clone() };
        self.write(key, present(&third), &expiring).await;
        let found = Some(fourth.clone());
        assert_eq!(self.load(key).await, found, "when a row expires is not given back");
        let refused = self.cas(key, present(&third), &self.row(5, 4, None)).await;
        assert_eq!(refused, CasOutcome::Conflict(found), "nor with a refusal");
        let fifth = self.row(6, 5, None);
        self.write(key, present(&fourth), &fifth).await;
        assert_eq!(self.load(key).await, Some(fifth), "a hint can be taken away again");
        let other = EntityKey::new(EntityKind::Probe, key.id ^ 1);
        assert_eq!(self.load(other).await, None, "a neighbour of a key is another entity");
    }

    async fn a_write_needs_its_condition(&self) {
        let key = self.key(10);
        let first = self.row(10, 1, None);
        let refused = self.cas(key, present(&first), &self.row(11, 2, None)).await;
        assert_eq!(refused, CasOutcome::Conflict(None), "there was no row to replace");
        self.write(key, Expected::Absent, &first).await;
        let other = self.row(12, 1, None);
        let refused = self.cas(key, Expected::Absent, &other).await;
        let found = CasOutcome::Conflict(Some(first.clone()));
        assert_eq!(refused, found, "a row that is there is not absent, and is shown");
        for expected in [
            Expected::Present { version: 2, write_id: first.write_id },
            Expected::Present { version: 1, write_id: other.write_id },
            Expected::Present { version: 0, write_id: first.write_id },
        ] {
            let refused = self.cas(key, expected, &self.row(13, 2, None)).await;
            assert_eq!(refused, found, "version and write id must both be right: {expected:?}");
        }
        assert_eq!(self.load(key).await, Some(first), "a refused write changes nothing");
    }

    async fn a_repeat_shows_its_write_id(&self) {
        let key = self.key(20);
        let first = self.row(20, 1, None);
        self.write(key, Expected::Absent, &first).await;
        let second = self.row(21, 2, Some(7));
        self.write(key, present(&first), &second).await;
        match self.cas(key, present(&first), &second).await {
            CasOutcome::Written => {}
            CasOutcome::Conflict(found) => {
                let id = found.map(|row| row.write_id);
                assert_eq!(id, Some(second.write_id), "a repeated write finds its own id");
            }
        }
        assert_eq!(self.load(key).await, Some(second.clone()), "a repeat changes nothing");
        self.write(key, present(&second), &self.row(22, 3, None)).await;
    }

    /// R1: the version alone is no proof.
    async fn a_version_that_comes_back_does_not_help(&self) {
        let key = self.key(30);
        let mine = self.row(30, 1, None);
        let theirs = self.row(31, 1, None);
        self.write(key, Expected::Absent, &theirs).await;
        let outcome = self.cas(key, present(&mine), &self.row(32, 2, None)).await;
        let found = CasOutcome::Conflict(Some(theirs));
        assert_eq!(outcome, found, "a stale owner never overwrites a row of the same version");
    }

    async fn blobs_of_every_size(&self) {
        for (index, bytes) in
            [(40, 0), (41, 1), (42, 600), (43, 5_000), (44, 65_537), (45, 300_000)]
        {
            let key = self.key(index);
            let blob: Vec<u8> = (0..bytes).map(|i| (i * 31 + index as usize) as u8).collect();
            let row = Row { blob: Bytes::from(blob), ..self.row(index, 1, None) };
            self.write(key, Expected::Absent, &row).await;
            assert_eq!(self.load(key).await, Some(row), "a blob of {bytes} bytes is kept");
        }
    }

    async fn due(&self, shard: Shard, before: i64, limit: usize) -> Vec<DueEntity> {
        self.due_among(&[shard], before, limit).await
    }

    async fn due_among(&self, shards: &[Shard], before: i64, limit: usize) -> Vec<DueEntity> {
        let due = self.store.due(shards, Timestamp(before), limit).await;
        due.unwrap_or_else(|error| panic!("due of {shards:?} failed: {error}"))
    }

    /// When this entity is found to be due, at or before that time.
    async fn due_of(&self, key: EntityKey, before: i64) -> Option<Timestamp> {
        let found = self.due(key.shard(), before, DUE_LIMIT).await;
        found.into_iter().find(|entity| entity.key == key).map(|entity| entity.due)
    }

    async fn due_follows_the_row(&self, wait: Wait<'_>) {
        let key = self.key(50);
        let first = self.row(50, 1, Some(5_000));
        self.write(key, Expected::Absent, &first).await;
        eventually(wait, "an entity is found at its due", || async {
            self.due_of(key, 5_000).await == Some(Timestamp(5_000))
        })
        .await;
        assert_eq!(self.due_of(key, 4_999).await, None, "an entity is not found before its due");
        let other = Shard::new((key.shard().index() + 1) % crate::entity::SHARDS);
        let elsewhere = self.due(other.expect("within the shards"), 9_000, DUE_LIMIT).await;
        let strays = elsewhere.iter().filter(|entity| entity.key == key).count();
        assert_eq!(strays, 0, "an entity is found in its own shard only");

        let second = self.row(51, 2, Some(-7_000));
        self.write(key, present(&first), &second).await;
        eventually(wait, "a due that moved is found at its new time", || async {
            self.due_of(key, -7_000).await == Some(Timestamp(-7_000))
        })
        .await;
        let refused = self.cas(key, present(&first), &self.row(52, 2, Some(1))).await;
        assert_eq!(refused, CasOutcome::Conflict(Some(second.clone())), "the write is stale");

        let third = self.row(53, 3, Some(4_102_444_800_000));
        self.write(key, present(&second), &third).await;
        eventually(wait, "a due that moved on is gone from its old time", || async {
            self.due_of(key, 4_000_000_000_000).await.is_none()
        })
        .await;
        self.write(key, present(&third), &self.row(54, 4, None)).await;
        eventually(wait, "an entity without a due is never found", || async {
            self.due_of(key, i64::MAX).await.is_none()
        })
        .await;
    }

    async fn due_is_ordered_and_limited(&self, wait: Wait<'_>) {
        let shard = self.key(60).shard();
        let keys: Vec<EntityKey> =
            (60..).map(|index| self.key(index)).filter(|k| k.shard() == shard).take(4).collect();
        // Two share their due; nothing is said of their order.
        let dues = [9_000, 1_000, 5_000, 5_000];
        for (key, due) in keys.iter().zip(dues) {
            self.write(*key, Expected::Absent, &self.row(60, 1, Some(due))).await;
        }
        eventually(wait, "all that are due are found", || async {
            let found = self.due(shard, 9_000, DUE_LIMIT).await;
            keys.iter().all(|key| found.iter().any(|entity| entity.key == *key))
        })
        .await;
        let found = self.due(shard, 9_000, DUE_LIMIT).await;
        assert!(found.is_sorted_by_key(|entity| entity.due), "the earliest due comes first");
        let two = self.due(shard, 9_000, 2).await;
        let first_two: Vec<_> = found.iter().take(2).map(|entity| entity.due).collect();
        let answered: Vec<_> = two.iter().map(|entity| entity.due).collect();
        assert_eq!(answered, first_two, "a limit keeps the earliest");
        assert!(self.due(shard, 9_000, 0).await.is_empty(), "a limit of none finds none");
        for key in &keys {
            let row = self.load(*key).await.expect("it was written above");
            self.write(*key, present(&row), &self.row(61, 2, None)).await;
        }
    }

    /// Many shards are asked for at once: their entities come, and no others.
    async fn due_of_many_shards(&self, wait: Wait<'_>) {
        // Before all that anybody else has due.
        const FIRST: i64 = -9_000_000_000_000;
        let keys: Vec<EntityKey> = (0..60).map(|index| self.key(5_000 + index)).collect();
        for (key, due) in keys.iter().zip(FIRST..) {
            self.write(*key, Expected::Absent, &self.row(70, 1, Some(due))).await;
        }
        let ours = |key: &EntityKey| key.shard().index() % 3 != 1;
        let asked: Vec<Shard> = Shard::all().filter(|it| it.index() % 3 != 1).collect();
        let last = FIRST + 49;
        let is_due = |found: &[DueEntity], key| found.iter().any(|entity| entity.key == key);
        eventually(wait, "what is due in many shards is found", || async {
            let found = self.due_among(&asked, last, DUE_LIMIT).await;
            keys[..50].iter().filter(|key| ours(key)).all(|key| is_due(&found, *key))
        })
        .await;
        let found = self.due_among(&asked, last, DUE_LIMIT).await;
        assert!(found.is_sorted_by_key(|entity| entity.due), "the earliest due comes first");
        assert!(found.iter().all(|it| it.due <= Timestamp(last)), "what is due later is not found");
        assert!(
            found.iter().all(|it| asked.contains(&it.key.shard())),
            "nothing of other shards is found"
        );
        let none = self.due_among(&[], last, DUE_LIMIT).await;
        assert!(none.is_empty(), "nothing is due in no shard");
        // Those that were handled make room for the rest; others may share the store.
        let mut left = keys.iter().filter(|key| ours(key)).count();
        for _ in 0..1_000 {
            let page = self.due_among(&asked, FIRST + 59, 7).await;
            assert!(page.len() <= 7, "a limit holds for all shards together");
            for entity in page.iter().filter(|entity| keys.contains(&entity.key)) {
                let row = self.load(entity.key).await.expect("what is due was written");
                if row.due.is_some() {
                    self.write(entity.key, present(&row), &self.row(71, 2, None)).await;
                    left -= 1;
                }
            }
            if left == 0 {
                break;
            }
            wait(LAG_STEP).await;
        }
        for key in keys {
            let row = self.load(key).await.expect("it was written above");
            assert_eq!(row.due.is_none(), ours(&key), "each of the asked shards had its turn");
            if row.due.is_some() {
                self.write(key, present(&row), &self.row(72, 2, None)).await;
            }
        }
    }
}

/// Several callers race for the same rows: one wins each round, and nothing is lost.
pub async fn entity_store_race(store: Arc<dyn EntityStore>, seed: u64) {
    const WRITERS: u64 = 8;
    const ROUNDS: u64 = 20;
    let names = Names { seed };
    let key = EntityKey::new(EntityKind::Probe, names.number(2_000_000));
    let writers = (0..WRITERS).map(|writer| {
        let store = Arc::clone(&store);
        async move {
            let mut won = 0;
            for round in 0..ROUNDS {
                let found = store.load(key).await.expect("the row loads");
                let write_id = WriteId(names.number(3_000_000 + writer * ROUNDS + round));
                let version = found.as_ref().map_or(1, |row| row.version + 1);
                let due = version.is_multiple_of(3).then_some(Timestamp(version as i64));
                let row = Row {
                    version,
                    write_id,
                    due,
                    expires: None,
                    blob: Bytes::from_static(b"race"),
                };
                let expected = found.as_ref().map_or(Expected::Absent, present);
                match store.cas(key, expected, row).await.expect("the write has an outcome") {
                    CasOutcome::Written => won += 1,
                    CasOutcome::Conflict(found) => {
                        let found = found.expect("the row is never removed");
                        assert!(found.version >= version, "who refused the write was there first");
                    }
                }
            }
            won
        }
    });
    let won: u64 = concurrently(writers.collect()).await.into_iter().sum();
    let last = store.load(key).await.expect("the row loads").expect("somebody won");
    assert_eq!(last.version, won, "each write that was acknowledged counted once");
    let write_id = WriteId(names.number(4_000_000));
    let end = Row { version: won + 1, write_id, due: None, expires: None, blob: Bytes::new() };
    let outcome = store.cas(key, present(&last), end).await.expect("the write has an outcome");
    assert_eq!(outcome, CasOutcome::Written, "nobody else writes any more");
}

fn present(row: &Row) -> Expected {
    Expected::Present { version: row.version, write_id: row.write_id }
}
