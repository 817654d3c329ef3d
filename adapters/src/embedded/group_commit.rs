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
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use barrow_engine::entity::EntityKey;
use barrow_engine::ports::{CasOutcome, CasReply, CasResult, Expected, Row, StoreError};
use barrow_engine::time::Timestamp;
use crossbeam_channel::{Receiver, Sender, TrySendError};
use tokio::sync::oneshot;

use super::heads::{Head, Heads};
use super::health::Health;

/// The most writes in one batch: beyond a thousand the sync is no longer what a write costs.
const BATCH_WRITES_MAX: usize = 1_024;

/// The most bytes in one batch: what a plain disk takes in some hundredths of a second.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The most writes that wait; more means seconds of waiting, so they are refused at once.
const QUEUE_WRITES_MAX: usize = 8_192;

/// The most bytes that wait.
const QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What the commit thread writes to.
pub(super) trait Table: Send + 'static {
    fn read(&self, key: EntityKey) -> Result<Option<Row>, StoreError>;

    /// Makes all of it durable at once, or fails: then the outcome is unknown.
    fn commit(&mut self, changes: &[Change]) -> Result<(), String>;
}

/// A row that takes another's place.
#[derive(Debug)]
pub(super) struct Change {
    pub key: EntityKey,
    /// Where the replaced row stands in the due index.
    pub due_before: Option<Timestamp>,
    pub row: Row,
}

struct Request {
    key: EntityKey,
    expected: Expected,
    row: Row,
    reply: CasReply,
}

impl Request {
    /// What it weighs in a batch and in the queue: its blob, and the rest roughly.
    fn bytes(&self) -> usize {
        self.row.blob.len() + 128
    }
}

/// The queue in front of the commit thread. Dropping it ends the thread, after what is queued.
pub(super) struct GroupCommit {
    sender: Option<Sender<Request>>,
    queued_bytes: Arc<AtomicUsize>,
    commits: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl GroupCommit {
    pub fn start(table: impl Table, health: Arc<Health>) -> std::io::Result<GroupCommit> {
        let (sender, receiver) = crossbeam_channel::bounded(QUEUE_WRITES_MAX);
        let queued_bytes = Arc::new(AtomicUsize::new(0));
        let queued = Arc::clone(&queued_bytes);
        let commits = Arc::new(AtomicU64::new(0));
        let committer = Committer {
            table,
            heads: Heads::default(),
            health,
            receiver,
            queued_bytes: queued,
            commits: Arc::clone(&commits),
        };
        let thread = std::thread::Builder::new()
            .name("barrow-commit".to_owned())
            .spawn(move || committer.run())?;
        Ok(GroupCommit { sender: Some(sender), queued_bytes, commits, thread: Some(thread) })
    }

    /// Counts the batches that were written; each cost one sync.
    pub fn commits(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.commits)
    }

    pub async fn cas(&self, key: EntityKey, expected: Expected, row: Row) -> CasResult {
        let (told, answer) = oneshot::channel();
        // A caller that went away does not want to know.
        self.submit(key, expected, row, CasReply::new(|result| drop(told.send(result))));
        answer.await.expect("a reply is told even when it is dropped")
    }

    pub fn submit(&self, key: EntityKey, expected: Expected, row: Row, reply: CasReply) {
        let request = Request { key, expected, row, reply };
        let bytes = request.bytes();
        if self.queued_bytes.fetch_add(bytes, Ordering::Relaxed) > QUEUE_BYTES_MAX {
            self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
            return request.reply.send(Err(StoreError::Throttled));
        }
        let sender = self.sender.as_ref().expect("it is taken only when dropped");
        let (request, error) = match sender.try_send(request) {
            Ok(()) => return,
            Err(TrySendError::Full(request)) => (request, StoreError::Throttled),
            Err(TrySendError::Disconnected(request)) => {
                let why = "the commit thread has ended".to_owned();
                (request, StoreError::Unavailable(why))
            }
        };
        self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
        request.reply.send(Err(error));
    }
}

impl Drop for GroupCommit {
    fn drop(&mut self) {
        self.sender = None;
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
    receiver: Receiver<Request>,
    queued_bytes: Arc<AtomicUsize>,
    commits: Arc<AtomicU64>,
}

impl<T: Table> Committer<T> {
    fn run(mut self) {
        let _end = TellOfPanic(Arc::clone(&self.health));
        let mut batch = Vec::new();
        while let Ok(first) = self.receiver.recv() {
            self.collect(first, &mut batch);
            self.commit(&mut batch);
        }
    }

    /// Takes the first request and what has queued up behind it.
    fn collect(&self, first: Request, batch: &mut Vec<Request>) {
        let mut bytes = first.bytes();
        batch.push(first);
        while batch.len() < BATCH_WRITES_MAX && bytes < BATCH_BYTES_MAX {
            let Ok(next) = self.receiver.try_recv() else { break };
            bytes += next.bytes();
            batch.push(next);
        }
        self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
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
        let committed = if changes.is_empty() { Ok(()) } else { self.table.commit(&changes) };
        self.health.commit_ended();
        self.commits.fetch_add(u64::from(!changes.is_empty()), Ordering::Relaxed);
        match &committed {
            Ok(()) => changes.iter().for_each(|change| self.heads.put(change.key, &change.row)),
            Err(reason) => self.health.fail(format!("a write failed: {reason}")),
        }
        for (reply, result) in replies {
            reply.send(match &committed {
                Ok(()) => result,
                Err(reason) => Err(StoreError::OutcomeUnknown(reason.clone())),
            });
        }
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
        found.written = Some(row);
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

/// Ends the store's life if the commit thread ends by a panic.
struct TellOfPanic(Arc<Health>);

impl Drop for TellOfPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail("the commit thread has panicked".to_owned());
        }
    }
}

#[cfg(test)]
#[path = "group_commit_tests.rs"]
mod tests;
