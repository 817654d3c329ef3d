//! What is durable in the log and not yet in the tables.
//!
//! It comes in two generations: the young one takes what is written, the old one is being moved
//! to the tables. Whoever reads a row or the due index looks here first.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use barrow_engine::entity::EntityKey;
use barrow_engine::ports::Row;
use barrow_engine::time::Timestamp;
use parking_lot::{Condvar, Mutex};

use super::due_index::{DueKey, due_key};
use super::group_commit::Change;
use super::health::Health;

/// The longest that a row stays out of the tables while little is written. A cart that is
/// changed several times meanwhile is written to them once.
const MOVE_AFTER: Duration = Duration::from_secs(1);

/// How often who waits for the tables looks whether the store still lives.
const LOOK: Duration = Duration::from_millis(100);

/// Rows, and changes of the due index, up to a write of the log.
#[derive(Default)]
pub(super) struct Generation {
    pub rows: HashMap<EntityKey, Unmoved, ahash::RandomState>,
    /// Entries of the due index that are there now, or no longer.
    dues: BTreeMap<DueKey, bool>,
    /// The newest write of the log in it.
    pub through: u64,
}

pub(super) struct Unmoved {
    pub row: Row,
    /// Where the row that the tables will have by then stands in the due index.
    pub due_before: Option<Timestamp>,
}

impl Generation {
    /// Takes a row in the place of one that was due at another time, or of none.
    fn add(&mut self, Change { key, due_before, row }: Change) {
        if due_before != row.due {
            if let Some(before) = due_before {
                self.dues.insert(due_key(key, before), false);
            }
            if let Some(next) = row.due {
                self.dues.insert(due_key(key, next), true);
            }
        }
        match self.rows.entry(key) {
            Entry::Occupied(mut entry) => entry.get_mut().row = row,
            Entry::Vacant(entry) => drop(entry.insert(Unmoved { row, due_before })),
        }
    }

    /// What a start found in the log, with each row's due as the tables have it.
    pub fn of(changes: impl Iterator<Item = Change>, through: u64) -> Generation {
        let mut generation = Generation { through, ..Generation::default() };
        changes.for_each(|change| generation.add(change));
        generation
    }
}

#[derive(Default)]
pub(super) struct Unflushed {
    state: Mutex<State>,
    /// There is something to move, or it is urgent, or the end.
    wanted: Condvar,
    has_moved: Condvar,
}

#[derive(Default)]
struct State {
    young: Generation,
    old: Arc<Generation>,
    /// The newest write of the log that was added, and that is in the tables.
    added: u64,
    moved: u64,
    /// When the young generation got its first row.
    since: Option<Instant>,
    is_urgent: bool,
    is_over: bool,
}

impl Unflushed {
    /// Takes what the log holds now. `soon`: it should be moved without waiting for more.
    pub fn add(&self, changes: Vec<Change>, through: u64, soon: bool) {
        let mut state = self.state.lock();
        let is_first = state.since.is_none();
        if is_first {
            state.since = Some(Instant::now());
        }
        state.is_urgent |= soon;
        state.young.through = through;
        state.added = through;
        changes.into_iter().for_each(|change| state.young.add(change));
        if is_first || soon {
            self.wanted.notify_one();
        }
    }

    pub fn row(&self, key: EntityKey) -> Option<Row> {
        let state = self.state.lock();
        let found = state.young.rows.get(&key).or_else(|| state.old.rows.get(&key));
        found.map(|unmoved| unmoved.row.clone())
    }

    /// What has changed in that part of the due index. To be asked before the table is read.
    pub fn dues(&self, range: Range<DueKey>) -> BTreeMap<DueKey, bool> {
        let state = self.state.lock();
        let part = |generation: &Generation| -> BTreeMap<DueKey, bool> {
            generation.dues.range(range.clone()).map(|(key, is_there)| (*key, *is_there)).collect()
        };
        let mut dues = part(&state.old);
        dues.extend(part(&state.young));
        dues
    }

    /// The next generation to move, as soon as it is time for it; `None` at the end. Until
    /// [`Unflushed::moved`] it is read from here.
    pub fn next(&self) -> Option<Arc<Generation>> {
        let mut state = self.state.lock();
        loop {
            match state.since {
                Some(since)
                    if state.is_urgent || state.is_over || since.elapsed() >= MOVE_AFTER =>
                {
                    state.since = None;
                    state.is_urgent = false;
                    state.old = Arc::new(std::mem::take(&mut state.young));
                    return Some(Arc::clone(&state.old));
                }
                Some(since) => drop(self.wanted.wait_until(&mut state, since + MOVE_AFTER)),
                None if state.is_over => return None,
                None => self.wanted.wait(&mut state),
            }
        }
    }

    /// The tables have it.
    pub fn moved(&self) {
        let moved = {
            let mut state = self.state.lock();
            state.moved = state.old.through;
            std::mem::take(&mut state.old)
        };
        self.has_moved.notify_all();
        // Not under the lock: it may be some ten thousand rows.
        drop(moved);
    }

    /// Waits until the tables have all that was added before. Blocking.
    pub fn move_all(&self, health: &Health) -> Result<(), String> {
        let mut state = self.state.lock();
        let added = state.added;
        state.is_urgent |= state.since.is_some();
        self.wanted.notify_one();
        while state.moved < added {
            health.check()?;
            self.has_moved.wait_for(&mut state, LOOK);
        }
        Ok(())
    }

    /// What is left is moved, and [`Unflushed::next`] ends.
    pub fn end(&self) {
        self.state.lock().is_over = true;
        self.wanted.notify_one();
    }
}
