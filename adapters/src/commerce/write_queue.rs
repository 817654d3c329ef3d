//! Who writes at the same time writes in one transaction, and waits for one commit.
//!
//! While transactions are under way, the writes that come meanwhile wait in one queue; each
//! worker that is free takes what is there. Under load a transaction carries dozens, alone it
//! carries one and waits for nobody.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use barrow_engine::catalog::Sku;
use barrow_engine::inventory::{Held, Wish};
use barrow_engine::orders::Order;
use barrow_engine::ports::{CommerceError, Opened, OrderChange, Saved};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::Instant;

use super::writes::{Outcome, Write};

/// Writes that wait at most; who comes then waits to be let in.
const QUEUE_MAX: usize = 1_024;

/// Writes of one transaction.
const WRITES_MAX: usize = 128;

/// Reservations of one transaction, if a single write has not more of them: it takes a few tens
/// of milliseconds then.
const WISHES_MAX: usize = 1_000;

/// A database that makes many writes in one transaction; the error is of each of them. `None`
/// where they have to be made alone.
pub(crate) trait WritesTogether: Send + Sync + 'static {
    fn write_all(
        &self,
        writes: &[Write],
    ) -> impl Future<Output = Result<Option<Vec<Outcome>>, CommerceError>> + Send;
}

struct Queued {
    write: Write,
    since: Instant,
    to: oneshot::Sender<Result<Outcome, CommerceError>>,
}

/// The queue. Its workers end when it is dropped.
pub(crate) struct WriteQueue {
    sender: mpsc::Sender<Queued>,
}

impl WriteQueue {
    /// Starts so many workers on the current tokio runtime. `database` gives the database for as
    /// long as there is one, and who has waited longer than `wait_max` is told that nothing was
    /// done.
    pub fn start<D: WritesTogether>(
        workers: usize,
        wait_max: Duration,
        database: impl Fn() -> Option<D> + Clone + Send + Sync + 'static,
    ) -> WriteQueue {
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..workers {
            tokio::spawn(work(Arc::clone(&receiver), wait_max, database.clone()));
        }
        WriteQueue { sender }
    }

    pub async fn open(&self, draft: &Order) -> Result<Opened, CommerceError> {
        match self.push(Write::open(draft)?).await? {
            Outcome::Opened(opened) => Ok(opened),
            other => Err(mixed_up(&other)),
        }
    }

    pub async fn save(&self, change: &OrderChange) -> Result<Saved, CommerceError> {
        match self.push(Write::save(change)?).await? {
            Outcome::Saved(saved) => Ok(saved),
            other => Err(mixed_up(&other)),
        }
    }

    pub async fn reserve(
        &self,
        sku: &Sku,
        allowance: Option<u64>,
        wishes: &[Wish],
    ) -> Result<Vec<Held>, CommerceError> {
        let (sku, wishes) = (sku.clone(), wishes.to_vec());
        match self.push(Write::Reserve { sku, allowance, wishes }).await? {
            Outcome::Held(held) => Ok(held),
            other => Err(mixed_up(&other)),
        }
    }

    async fn push(&self, write: Write) -> Result<Outcome, CommerceError> {
        let ended = || CommerceError::Unavailable("the store is shutting down".to_owned());
        let (to, outcome) = oneshot::channel();
        let queued = Queued { write, since: Instant::now(), to };
        self.sender.send(queued).await.map_err(|_| ended())?;
        let lost = || CommerceError::OutcomeUnknown("the writer has ended".to_owned());
        outcome.await.unwrap_or_else(|_| Err(lost()))
    }
}

/// What can never be: what another kind of write came to.
pub(crate) fn mixed_up(outcome: &Outcome) -> CommerceError {
    CommerceError::Damaged(format!("another write's outcome: {outcome:?}"))
}

async fn work<D: WritesTogether>(
    queue: Arc<Mutex<mpsc::Receiver<Queued>>>,
    wait_max: Duration,
    database: impl Fn() -> Option<D>,
) {
    loop {
        let mut taken = Vec::new();
        if queue.lock().await.recv_many(&mut taken, WRITES_MAX).await == 0 {
            return;
        }
        let mut waiting = VecDeque::from(taken);
        while !waiting.is_empty() {
            let batch = next_batch(&mut waiting);
            let (fresh, late): (Vec<_>, Vec<_>) =
                batch.into_iter().partition(|queued| queued.since.elapsed() <= wait_max);
            for queued in late {
                let error = CommerceError::Unavailable("it waited for too long".to_owned());
                // Who waits no more does not want to know.
                let _ = queued.to.send(Err(error));
            }
            let Some(database) = database() else { return };
            write_all(&database, fresh).await;
        }
    }
}

/// Those from the front that go together. The first of them goes however large it is.
fn next_batch(waiting: &mut VecDeque<Queued>) -> Vec<Queued> {
    let (mut orders, mut wishes) = (BTreeSet::new(), 0);
    let fits = |queued: &&Queued| {
        let is_first = wishes == 0 && orders.is_empty();
        if let Write::Reserve { wishes: own, .. } = &queued.write {
            wishes += own.len();
        }
        let is_alone = queued.write.order().is_none_or(|order| orders.insert(order));
        is_first || wishes <= WISHES_MAX && is_alone
    };
    let count = waiting.iter().take_while(fits).count();
    waiting.drain(..count).collect()
}

async fn write_all(database: &impl WritesTogether, batch: Vec<Queued>) {
    let (writes, waiting): (Vec<Write>, Vec<_>) =
        batch.into_iter().map(|queued| (queued.write, queued.to)).unzip();
    if writes.is_empty() {
        return;
    }
    let outcomes = match database.write_all(&writes).await {
        Ok(Some(outcomes)) => outcomes.into_iter().map(Ok).collect(),
        // One that is refused for good must not take the others with it.
        Ok(None) | Err(CommerceError::Damaged(_)) if writes.len() > 1 => {
            alone(database, writes).await
        }
        Ok(None) => vec![Err(CommerceError::Damaged("a write of none".to_owned()))],
        Err(error) => writes.iter().map(|_| Err(error.clone())).collect(),
    };
    for (to, outcome) in waiting.into_iter().zip(outcomes) {
        let _ = to.send(outcome);
    }
}

async fn alone(
    database: &impl WritesTogether,
    writes: Vec<Write>,
) -> Vec<Result<Outcome, CommerceError>> {
    let mut outcomes = Vec::with_capacity(writes.len());
    for write in writes {
        let outcome = database.write_all(std::slice::from_ref(&write)).await;
        outcomes.push(outcome.and_then(|outcome| {
            let mut outcome = outcome.unwrap_or_default();
            outcome.pop().ok_or_else(|| CommerceError::Damaged("a write of none".to_owned()))
        }));
    }
    outcomes
}
