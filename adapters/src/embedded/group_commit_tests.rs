//! The commit thread against a model, and against a disk that fails.

#![expect(clippy::await_holding_lock, reason = "the gate holds up the commit thread, no task")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use barrow_engine::entity::EntityKind;
use barrow_engine::ports::WriteId;
use bytes::Bytes;
use parking_lot::Mutex;
use proptest::prelude::*;

use super::super::commit_queue::{BATCH_WRITES_MAX, QUEUE_WRITES_MAX};
use super::*;

/// A table in memory that can be told to wait, to fail or to panic.
#[derive(Clone, Default)]
struct Memory {
    rows: Arc<Mutex<BTreeMap<EntityKey, Row>>>,
    commits: Arc<AtomicUsize>,
    fails: Arc<AtomicBool>,
    panics: Arc<AtomicBool>,
    gate: Arc<Mutex<()>>,
}

impl Table for Memory {
    fn read(&self, key: EntityKey) -> Result<Option<Row>, StoreError> {
        Ok(self.rows.lock().get(&key).cloned())
    }

    fn commit(&mut self, changes: Vec<Change>) -> Result<(), String> {
        let _gate = self.gate.lock();
        assert!(!self.panics.load(Ordering::SeqCst), "told to panic");
        if self.fails.load(Ordering::SeqCst) {
            return Err("no space left on device".to_owned());
        }
        self.commits.fetch_add(1, Ordering::SeqCst);
        let mut rows = self.rows.lock();
        for change in changes {
            let before = rows.insert(change.key, change.row.clone());
            let due_before = before.and_then(|row| row.due);
            assert_eq!(change.due_before, due_before, "the index entry to remove is the old one");
        }
        Ok(())
    }
}

fn started(memory: &Memory) -> (GroupCommit, Arc<Health>, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let health = Arc::new(Health::new(Box::new(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
    })));
    let commit = GroupCommit::start(memory.clone(), Arc::clone(&health)).expect("a thread");
    (commit, health, calls)
}

fn key(id: u128) -> EntityKey {
    EntityKey::new(EntityKind::Probe, id)
}

fn row(version: u64, write_id: u128) -> Row {
    let due = write_id.is_multiple_of(3).then_some(Timestamp(write_id as i64));
    Row {
        version,
        write_id: WriteId(write_id),
        due,
        expires: None,
        blob: Bytes::from_static(b"blob"),
    }
}

fn present(version: u64, write_id: u128) -> Expected {
    Expected::Present { version, write_id: WriteId(write_id) }
}

/// Waits until that many writes are queued behind the one that is being written.
fn wait_for_queue(commit: &GroupCommit, writes: usize) {
    while commit.queue.len() < writes {
        std::thread::yield_now();
    }
}

#[derive(Debug, Clone)]
struct Step {
    id: u128,
    /// Against what the row will be by then: the true one, an old one, or none.
    condition: u8,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..3u128, 0..6u8).prop_map(|(id, condition)| Step { id, condition });
    proptest::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is sent, in one batch or in many: the outcomes are those of one write after
    /// another, in the order sent.
    #[test]
    fn a_batch_is_as_if_one_after_another(steps in steps(), in_one_batch: bool) {
        let memory = Memory::default();
        let (commit, _, _) = started(&memory);
        let mut model: BTreeMap<EntityKey, Row> = BTreeMap::new();
        let mut expected_outcomes = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let outcomes = runtime.block_on(async {
            let gate = in_one_batch.then(|| memory.gate.lock());
            // This one keeps the thread busy while the others queue up.
            let blocker = commit.cas(key(99), Expected::Absent, row(1, 1));
            let mut calls: Vec<std::pin::Pin<Box<dyn Future<Output = CasResult> + '_>>> =
                vec![Box::pin(blocker)];
            model.insert(key(99), row(1, 1));
            expected_outcomes.push(Ok(CasOutcome::Written));
            for (index, step) in steps.iter().enumerate() {
                let found = model.get(&key(step.id)).cloned();
                let version = found.as_ref().map_or(0, |row| row.version);
                let expected = match (step.condition, &found) {
                    (0, _) => Expected::Absent,
                    (1, _) => present(version, 77_777),
                    (2, Some(row)) => present(version.wrapping_sub(1), row.write_id.0),
                    (_, Some(row)) => present(version, row.write_id.0),
                    (_, None) => Expected::Absent,
                };
                let new = row(version + 1, 100 + index as u128);
                let is_met = expected.holds(found.as_ref());
                expected_outcomes.push(Ok(if is_met {
                    model.insert(key(step.id), new.clone());
                    CasOutcome::Written
                } else {
                    CasOutcome::Conflict(found)
                }));
                calls.push(Box::pin(commit.cas(key(step.id), expected, new)));
            }
            let all = futures::future::join_all(calls);
            let open_gate = async move { drop(gate) };
            futures::join!(all, open_gate).0
        });
        prop_assert_eq!(outcomes, expected_outcomes);
        prop_assert_eq!(&*memory.rows.lock(), &model);
    }
}

#[tokio::test]
async fn what_queues_up_is_one_commit() {
    let memory = Memory::default();
    let (commit, _, _) = started(&memory);
    let gate = memory.gate.lock();
    let calls = (0..500).map(|id| commit.cas(key(id), Expected::Absent, row(1, id)));
    let open_gate = async {
        wait_for_queue(&commit, 400);
        drop(gate);
    };
    let (outcomes, ()) = futures::join!(futures::future::join_all(calls), open_gate);
    assert!(outcomes.iter().all(|outcome| *outcome == Ok(CasOutcome::Written)));
    let commits = memory.commits.load(Ordering::SeqCst);
    assert!(commits <= 101, "{commits} commits for 500 writes that were sent at once");
}

#[tokio::test]
async fn a_refusal_alone_costs_no_commit() {
    let memory = Memory::default();
    let (commit, _, _) = started(&memory);
    let outcome = commit.cas(key(1), present(1, 1), row(2, 2)).await;
    assert_eq!(outcome, Ok(CasOutcome::Conflict(None)));
    assert_eq!(memory.commits.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let memory = Memory::default();
    let (commit, _, _) = started(&memory);
    let gate = memory.gate.lock();
    let count = QUEUE_WRITES_MAX as u128 + BATCH_WRITES_MAX as u128 + 1;
    let mut calls = futures::stream::FuturesUnordered::new();
    for id in 0..count {
        calls.push(commit.cas(key(id), Expected::Absent, row(1, id)));
    }
    use futures::StreamExt;
    // All others wait for the gate, so the first answer is a refusal.
    assert_eq!(calls.next().await, Some(Err(StoreError::Throttled)));
    drop(gate);
    let (mut written, mut throttled) = (0, 1);
    while let Some(outcome) = calls.next().await {
        match outcome {
            Ok(CasOutcome::Written) => written += 1,
            Err(StoreError::Throttled) => throttled += 1,
            other => panic!("neither written nor refused: {other:?}"),
        }
    }
    assert_eq!(memory.rows.lock().len(), written, "what was refused was not written");
    assert_eq!(written + throttled, count as usize);
    assert_eq!(commit.queue.bytes(), 0, "the queue's weight is kept right");
}

#[tokio::test]
async fn a_queue_of_large_rows_refuses_at_once() {
    let memory = Memory::default();
    let (commit, _, _) = started(&memory);
    let gate = memory.gate.lock();
    let large = Bytes::from(vec![7; 1024 * 1024]);
    let calls = (0..80).map(|id| {
        let large = Row { blob: large.clone(), ..row(1, id) };
        commit.cas(key(id), Expected::Absent, large)
    });
    let open_gate = async move { drop(gate) };
    let (outcomes, ()) = futures::join!(futures::future::join_all(calls), open_gate);
    let throttled = outcomes.iter().filter(|o| **o == Err(StoreError::Throttled)).count();
    assert!((1..=16).contains(&throttled), "{throttled} of 80 MiB refused, 64 may wait");
    assert_eq!(commit.queue.bytes(), 0);
}

#[tokio::test]
async fn after_a_failed_write_nothing_is_acknowledged() {
    let memory = Memory::default();
    let (commit, health, calls) = started(&memory);
    let written = commit.cas(key(1), Expected::Absent, row(1, 1)).await;
    assert_eq!(written, Ok(CasOutcome::Written));
    memory.fails.store(true, Ordering::SeqCst);
    let in_flight = (2..10).map(|id| commit.cas(key(id), Expected::Absent, row(1, id)));
    for outcome in futures::future::join_all(in_flight).await {
        let is_open = matches!(outcome, Err(StoreError::OutcomeUnknown(_)));
        let is_refused = matches!(outcome, Err(StoreError::Unavailable(_)));
        assert!(is_open || is_refused, "{outcome:?}");
    }
    assert!(health.check().is_err());
    memory.fails.store(false, Ordering::SeqCst);
    let later = commit.cas(key(11), Expected::Absent, row(1, 11)).await;
    assert!(matches!(later, Err(StoreError::Unavailable(_))), "a disk that failed once: {later:?}");
    assert_eq!(memory.rows.lock().len(), 1);
    assert_eq!(calls.load(Ordering::SeqCst), 1, "the process is told once");
}

#[tokio::test]
async fn a_panic_of_the_commit_thread_ends_the_store() {
    let memory = Memory::default();
    let (commit, health, calls) = started(&memory);
    memory.panics.store(true, Ordering::SeqCst);
    let outcome = commit.cas(key(1), Expected::Absent, row(1, 1)).await;
    assert!(matches!(outcome, Err(StoreError::OutcomeUnknown(_))), "{outcome:?}");
    while health.check().is_ok() {
        std::thread::yield_now();
    }
    drop(commit);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn dropping_it_writes_what_is_queued() {
    let memory = Memory::default();
    let (commit, _, _) = started(&memory);
    let gate = memory.gate.lock();
    for id in 0..20 {
        let mut call = Box::pin(commit.cas(key(id), Expected::Absent, row(1, id)));
        // Sent, then given up: the outcome stays open for the caller.
        assert!(futures::poll!(&mut call).is_pending());
    }
    drop(gate);
    drop(commit);
    assert_eq!(memory.rows.lock().len(), 20);
}
