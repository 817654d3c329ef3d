//! The faulty store breaks what it is told to break, and nothing else; the retrying one hides
//! only what certainly changed nothing.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use barrow_adapters::decorators::{Faults, Faulty, Measured, Rate, Retries, Retrying};
use barrow_adapters::host::{Sleeper, SystemClock, SystemEntropy, TokioSleeper};
use barrow_adapters::simulated::SimulatedEntityStore;
use barrow_engine::entity::{EntityKey, Shard};
use barrow_engine::ports::{CasOutcome, Clock, DueEntity, EntityStore, Expected, Row, StoreError};
use barrow_engine::time::Timestamp;
use parking_lot::Mutex;

use crate::support::{key, row};

/// The paused time of the runtime as a clock.
struct PausedClock(tokio::time::Instant);

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.elapsed().as_millis() as i64)
    }

    fn uptime(&self) -> Duration {
        self.0.elapsed()
    }
}

fn faulty(seed: u64, faults: Faults) -> (Arc<SimulatedEntityStore>, Faulty<dyn EntityStore>) {
    let inner = Arc::new(SimulatedEntityStore::new());
    let clock = Arc::new(PausedClock(tokio::time::Instant::now()));
    let store: Arc<dyn EntityStore> = Arc::clone(&inner) as _;
    (inner, Faulty::new(store, clock, Arc::new(TokioSleeper), seed, faults))
}

async fn cas(store: &dyn EntityStore, id: u128) -> Result<CasOutcome, StoreError> {
    store.cas(key(id), Expected::Absent, row(1, id)).await
}

#[tokio::test(start_paused = true)]
async fn each_fault_is_what_it_says() {
    let never = Faults::default();
    let (inner, store) = faulty(1, Faults { unavailable: Rate::ALWAYS, ..never });
    assert!(matches!(cas(&store, 1).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.load(key(1)).await, Err(StoreError::Unavailable(_))));
    store.set_faults(Faults { throttled: Rate::ALWAYS, ..never });
    assert_eq!(cas(&store, 1).await, Err(StoreError::Throttled));
    store.set_faults(Faults { request_lost: Rate::ALWAYS, ..never });
    assert!(matches!(cas(&store, 1).await, Err(StoreError::OutcomeUnknown(_))));
    assert!(inner.rows().is_empty(), "none of these wrote anything");
    store.set_faults(Faults { reply_lost: Rate::ALWAYS, ..never });
    assert!(matches!(cas(&store, 1).await, Err(StoreError::OutcomeUnknown(_))));
    assert_eq!(inner.rows()[&key(1)], row(1, 1), "the write took effect all the same");
    store.set_faults(never);
    assert_eq!(cas(&store, 2).await, Ok(CasOutcome::Written));
}

#[tokio::test(start_paused = true)]
async fn a_late_write_lands_after_its_caller_was_answered() {
    let late_max = Duration::from_secs(60);
    let (inner, store) = faulty(7, Faults { late: Rate::ALWAYS, late_max, ..Faults::default() });
    assert!(matches!(cas(&store, 1).await, Err(StoreError::OutcomeUnknown(_))));
    assert_eq!((inner.rows().len(), store.late_writes()), (0, 1));
    tokio::time::sleep(late_max).await;
    assert_eq!(store.load(key(1)).await, Ok(Some(row(1, 1))), "it has landed meanwhile");
    assert_eq!(store.late_writes(), 0);

    // A late write keeps its condition: who was faster wins.
    assert!(matches!(cas(&store, 2).await, Err(StoreError::OutcomeUnknown(_))));
    store.set_faults(Faults::default());
    let faster = Row { write_id: barrow_engine::ports::WriteId(99), ..row(1, 2) };
    let outcome = store.cas(key(2), Expected::Absent, faster.clone()).await;
    assert_eq!(outcome, Ok(CasOutcome::Written));
    store.settle().await;
    assert_eq!((inner.rows()[&key(2)].clone(), store.late_writes()), (faster, 0));
}

#[tokio::test(start_paused = true)]
async fn latency_passes_in_the_time_of_the_runtime() {
    let latency_max = Duration::from_secs(3_600);
    let (_, store) = faulty(3, Faults { latency_max, ..Faults::default() });
    let began = tokio::time::Instant::now();
    for id in 0..20 {
        cas(&store, id).await.unwrap();
    }
    let passed = began.elapsed();
    let (least, most) = (latency_max * 10, latency_max * 40);
    assert!(passed > least && passed < most, "{passed:?} for 40 ways of at most an hour");
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_breaks_the_same() {
    let faults = Faults {
        latency_max: Duration::from_millis(50),
        unavailable: Rate::percent(10),
        throttled: Rate::percent(10),
        request_lost: Rate::percent(10),
        reply_lost: Rate::percent(10),
        late: Rate::percent(10),
        late_max: Duration::from_secs(1),
    };
    let mut runs = Vec::new();
    for seed in [5, 5, 6] {
        let (inner, store) = faulty(seed, faults);
        let mut outcomes = Vec::new();
        for id in 0..300 {
            outcomes.push(cas(&store, id).await);
        }
        runs.push((outcomes, inner.rows()));
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
    let (outcomes, _) = &runs[0];
    let count = |wanted: fn(&Result<CasOutcome, StoreError>) -> bool| {
        outcomes.iter().filter(|outcome| wanted(outcome)).count()
    };
    let written = count(|outcome| outcome.is_ok());
    let unknown = count(|outcome| matches!(outcome, Err(StoreError::OutcomeUnknown(_))));
    assert!((130..230).contains(&written), "{written} of 300 went well");
    assert!((40..110).contains(&unknown), "{unknown} of 300 are unknown");
}

/// Answers what it was told to, one after another; then it works.
struct Scripted {
    answers: Mutex<Vec<StoreError>>,
    calls: Mutex<u32>,
}

impl Scripted {
    fn step<T>(&self, value: T) -> Result<T, StoreError> {
        *self.calls.lock() += 1;
        let mut answers = self.answers.lock();
        if answers.is_empty() { Ok(value) } else { Err(answers.remove(0)) }
    }
}

#[async_trait]
impl EntityStore for Scripted {
    async fn load(&self, _: EntityKey) -> Result<Option<Row>, StoreError> {
        self.step(None)
    }

    async fn cas(&self, _: EntityKey, _: Expected, _: Row) -> Result<CasOutcome, StoreError> {
        self.step(CasOutcome::Written)
    }

    async fn due(&self, _: &[Shard], _: Timestamp, _: usize) -> Result<Vec<DueEntity>, StoreError> {
        self.step(vec![])
    }

    fn durability(&self) -> &'static str {
        "none"
    }
}

/// Remembers how long it was asked to sleep.
#[derive(Default)]
struct Recorded(Mutex<Vec<Duration>>);

#[async_trait]
impl Sleeper for Recorded {
    async fn sleep(&self, duration: Duration) {
        self.0.lock().push(duration);
    }
}

/// What the caller sees of these answers to a write, and how many calls were made.
async fn retried(answers: Vec<StoreError>) -> (Result<CasOutcome, StoreError>, u32) {
    let scripted = Arc::new(Scripted { answers: Mutex::new(answers), calls: Mutex::new(0) });
    let sleeper = Arc::new(Recorded::default());
    let store: Arc<dyn EntityStore> = Arc::clone(&scripted) as _;
    let retries = Retries::default();
    let retrying = Retrying::new(store, retries, Arc::new(SystemEntropy), sleeper.clone());
    let outcome = cas(&retrying, 1).await;
    let (sleeps, calls) = (sleeper.0.lock().clone(), *scripted.calls.lock());
    assert_eq!(sleeps.len() as u32 + 1, calls, "it waits between two calls");
    assert!(sleeps.iter().all(|sleep| *sleep <= retries.delay_max));
    (outcome, calls)
}

#[tokio::test]
async fn only_what_changed_nothing_is_tried_again() {
    let away = || StoreError::Unavailable("away".to_owned());
    let unknown = || StoreError::OutcomeUnknown("lost".to_owned());
    let written = Ok(CasOutcome::Written);
    assert_eq!(retried(vec![]).await, (written.clone(), 1));
    assert_eq!(retried(vec![away(), StoreError::Throttled]).await, (written, 3));
    assert_eq!(retried(vec![away(); 9]).await, (Err(away()), 4), "not for ever");
    assert_eq!(retried(vec![unknown()]).await, (Err(unknown()), 1), "never hidden");
    assert_eq!(retried(vec![away(), unknown()]).await, (Err(unknown()), 2));
    let damaged = StoreError::Damaged("x".to_owned());
    assert_eq!(retried(vec![damaged.clone()]).await, (Err(damaged), 1));
}

#[tokio::test]
async fn a_meter_tells_outcomes_apart() {
    let answers = vec![
        StoreError::Throttled,
        StoreError::OutcomeUnknown(String::new()),
        StoreError::Damaged(String::new()),
    ];
    let scripted = Scripted { answers: Mutex::new(answers), calls: Mutex::new(0) };
    let measured = Measured::<dyn EntityStore>::new(Arc::new(scripted), Arc::new(SystemClock));
    let meter = measured.meter();
    for id in 0..5 {
        let _ = cas(&measured, id).await;
    }
    let _ = measured.load(key(1)).await;
    let snapshot = meter.snapshot();
    let counts: Vec<_> = snapshot
        .iter()
        .map(|o| (o.operation, o.ok, o.refused, o.failed, o.unknown, o.latency.count()))
        .collect();
    let expected = [("load", 1, 0, 0, 0, 1), ("cas", 2, 0, 2, 1, 5), ("due", 0, 0, 0, 0, 0)];
    assert_eq!(counts, expected);
}
