//! One sync for many writes.
//!
//! A sync of the disk costs milliseconds, however little it carries. So the writes of all
//! entities go to one thread: it takes what has queued up while the last sync ran, checks each
//! write's condition (against the rows, and against the writes before it in the same batch),
//! writes all that hold as one batch, syncs once, and only then answers all of them. Nothing is
//! acknowledged, and nobody is shown a row, before it is durable.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use barrow_engine::entity::EntityKey;
use barrow_engine::ports::{CasOutcome, CasReply, CasResult, Expected, Row, StoreError};
use barrow_engine::time::Timestamp;

use super::commit_queue::{CommitQueue, Request};
use super::heads::{Head, Heads};
use super::health::{Health, TellOfPanic};
use crate::submitted::outcome_of;

/// So many writes in a batch are a crowd: then the next batch begins an interval after this one
/// began. A sync costs the processor as much as several writes; where many come, twice as many
/// share it. A writer who is alone never waits.
const CROWD: usize = 4;
const CROWD_INTERVAL: Duration = Duration::from_micros(500);

/// What the commit thread writes to.
pub(super) trait Table: Send + 'static {
    fn read(&self, key: EntityKey) -> Result<Option<Row>, StoreError>;

    /// Makes all of it durable at once, or fails: then the outcome is unknown.
    fn commit(&mut self, changes: Vec<Change>) -> Result<(), String>;
}

/// A row that takes another's place.
#[derive(Debug)]
pub(super) struct Change {
    pub key: EntityKey,
    /// Where the replaced row stands in the due index.
    pub due_before: Option<Timestamp>,
    pub row: Row,
}

/// The commit thread and the queue in front of it. Dropping it ends the thread, after what is
/// queued.
pub(super) struct GroupCommit {
    queue: Arc<CommitQueue>,
    commits: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl GroupCommit {
    pub fn start(table: impl Table, health: Arc<Health>) -> std::io::Result<GroupCommit> {
        let queue = Arc::new(CommitQueue::default());
        let commits = Arc::new(AtomicU64::new(0));
        let committer = Committer {
            table,
            heads: Heads::default(),
            health,
            queue: Arc::clone(&queue),
            commits: Arc::clone(&commits),
        };
        let thread = std::thread::Builder::new()
            .name("barrow-commit".to_owned())
            .spawn(move || committer.run())?;
        Ok(GroupCommit { queue, commits, thread: Some(thread) })
    }

    /// Counts the batches that were written; each cost one sync.
    pub fn commits(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.commits)
    }

    pub async fn cas(&self, key: EntityKey, expected: Expected, row: Row) -> CasResult {
        outcome_of(|reply| self.submit(key, expected, row, reply)).await
    }

    pub fn submit(&self, key: EntityKey, expected: Expected, row: Row, reply: CasReply) {
        self.queue.push(Request { key, expected, row, reply });
    }
}

impl Drop for GroupCommit {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take() {
            // A panic in there was told to the health of the store already.
            let _ = thread.join();
        }
    }
}

struct Committer<T> {
    table: T,
    heads: Heads,
    health: Arc<Health>,
    queue: Arc<CommitQueue>,
    commits: Arc<AtomicU64>,
}

/// However the thread ends, nobody waits for it any longer.
impl<T> Drop for Committer<T> {
    fn drop(&mut self) {
        self.queue.abandon();
    }
}

impl<T: Table> Committer<T> {
    fn run(mut self) {
        let _end = TellOfPanic::new(&self.health, "the commit thread has panicked");
        let mut batch = Vec::new();
        loop {
            self.queue.take(&mut batch);
            let writes = batch.len();
            if writes == 0 {
                return;
            }
            let began = Instant::now();
            self.commit(&mut batch);
            if writes >= CROWD {
                std::thread::sleep(CROWD_INTERVAL.saturating_sub(began.elapsed()));
            }
        }
    }

    fn commit(&mut self, batch: &mut Vec<Request>) {
        if let Err(reason) = self.health.check() {
            for request in batch.drain(..) {
                request.reply.send(Err(StoreError::Unavailable(reason.to_owned())));
            }
            return;
        }
        self.health.commit_begins();
        let mut rows =
            BatchRows { table: &self.table, heads: &mut self.heads, rows: HashMap::default() };
        let replies: Vec<(CasReply, CasResult)> = batch
            .drain(..)
            .map(|request| {
                let result = rows.decide(request.key, request.expected, request.row);
                (request.reply, result)
            })
            .collect();
        let changes = rows.into_changes();
        let committed = self.write(changes);
        self.health.commit_ended();
        for (reply, result) in replies {
            reply.send(match &committed {
                Ok(()) => result,
                Err(reason) => Err(StoreError::OutcomeUnknown(reason.clone())),
            });
        }
    }

    /// One write, one sync.
    fn write(&mut self, changes: Vec<Change>) -> Result<(), String> {
        if changes.is_empty() {
            return Ok(());
        }
        let heads: Vec<_> =
            changes.iter().map(|change| (change.key, Head::of(&change.row))).collect();
        if let Err(reason) = self.table.commit(changes) {
            self.health.fail(format!("a write failed: {reason}"));
            return Err(reason);
        }
        self.commits.fetch_add(1, Ordering::Relaxed);
        heads.into_iter().for_each(|(key, head)| self.heads.put(key, head));
        Ok(())
    }
}

/// The rows as the writes of this batch leave them.
struct BatchRows<'a, T> {
    table: &'a T,
    heads: &'a mut Heads,
    rows: HashMap<EntityKey, BatchRow, ahash::RandomState>,
}

struct BatchRow {
    /// Of the stored row.
    before: Option<Head>,
    /// What takes its place.
    written: Option<Row>,
}

impl<T: Table> BatchRows<'_, T> {
    fn decide(&mut self, key: EntityKey, expected: Expected, row: Row) -> CasResult {
        let found = match self.rows.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let before = match self.heads.get(key) {
                    Some(head) => Some(head),
                    None => self.table.read(key)?.as_ref().map(Head::of),
                };
                entry.insert(BatchRow { before, written: None })
            }
        };
        let current = found.written.as_ref().map(Head::of).or(found.before);
        if !Head::fits(current, expected) {
            // Nobody is shown a row by its head alone.
            return Ok(CasOutcome::Conflict(match &found.written {
                Some(row) => Some(row.clone()),
                None => self.table.read(key)?,
            }));
        }
        // Shown to whom this write refuses, who would find no hint in the stored row either.
        found.written = Some(Row { expires: None, ..row });
        Ok(CasOutcome::Written)
    }

    fn into_changes(self) -> Vec<Change> {
        let changed = |(key, BatchRow { before, written })| {
            let due_before = before.and_then(|head: Head| head.due);
            Some(Change { key, due_before, row: written? })
        };
        self.rows.into_iter().filter_map(changed).collect()
    }
}

#[cfg(test)]
#[path = "group_commit_tests.rs"]
mod tests;
