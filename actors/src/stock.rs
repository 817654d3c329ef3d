//! Stock, one queue for each SKU: however many want the last units at once, they wait in one line
//! and share a transaction, instead of fighting for a lock.

mod sweep;

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

use barrow_engine::catalog::Sku;
use barrow_engine::ids::OrderId;
use barrow_engine::inventory::{Held, Wish};
use barrow_engine::ports::{CommerceError, StockLedger};
use dashmap::DashMap;
use tokio::sync::{mpsc, oneshot};

use crate::runtime::Tasks;

pub use sweep::sweep;

/// Wishes of one transaction: it takes a few tens of milliseconds then.
const WISHES_MAX: usize = 1_000;

/// Those who wait for one SKU. Whoever comes after them is told to come again.
const QUEUE_MAX: usize = 10_000;

/// How long a SKU's queue stays after its last wish.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// Why a wish was not looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StockError {
    /// Too many want this SKU now; nothing was done.
    #[error("too many want this SKU now")]
    Overloaded,
    #[error(transparent)]
    Ledger(#[from] CommerceError),
}

/// Reserves units. Clones are handles to the same queues.
#[derive(Clone)]
pub struct Stock {
    inner: Arc<Inner>,
}

struct Inner {
    ledger: Arc<dyn StockLedger>,
    queues: DashMap<Sku, mpsc::Sender<Asked>>,
    tasks: Tasks,
}

struct Asked {
    wish: Wish,
    /// `None` for without end.
    allowance: Option<u64>,
    to: oneshot::Sender<Result<Held, StockError>>,
}

impl Stock {
    /// Starts it on the current tokio runtime.
    pub fn start(ledger: Arc<dyn StockLedger>) -> Stock {
        let tasks = Tasks::here();
        Stock { inner: Arc::new(Inner { ledger, queues: DashMap::new(), tasks }) }
    }

    pub fn ledger(&self) -> &Arc<dyn StockLedger> {
        &self.inner.ledger
    }

    /// Reserves units of a SKU for an order, where `allowance` more may be promised than are on
    /// hand (`None`: without end). Asked again it is the same reservation, and lasts longer.
    pub async fn reserve(
        &self,
        sku: &Sku,
        allowance: Option<u64>,
        wish: Wish,
    ) -> Result<Held, StockError> {
        let (to, answer) = oneshot::channel();
        let mut asked = Asked { wish, allowance, to };
        loop {
            asked = match self.inner.queue_of(sku).try_send(asked) {
                Ok(()) => break,
                Err(mpsc::error::TrySendError::Full(_)) => return Err(StockError::Overloaded),
                // Its task has just gone home: the next look starts another.
                Err(mpsc::error::TrySendError::Closed(asked)) => {
                    self.inner.queues.remove_if(sku, |_, queue| queue.is_closed());
                    asked
                }
            };
        }
        let gone = || CommerceError::OutcomeUnknown("the queue has ended".to_owned());
        answer.await.unwrap_or_else(|_| Err(gone().into()))
    }

    /// Lets go what an order has reserved.
    ///
    /// # Errors
    /// As the ledger's.
    pub async fn release(&self, order: OrderId) -> Result<Vec<Sku>, CommerceError> {
        self.inner.ledger.release(order).await
    }
}

impl Inner {
    fn queue_of(self: &Arc<Self>, sku: &Sku) -> mpsc::Sender<Asked> {
        let start = || {
            let (sender, receiver) = mpsc::channel(QUEUE_MAX);
            let queue = Queue { sku: sku.clone(), inner: Arc::downgrade(self), receiver };
            self.tasks.spawn(queue.run());
            sender
        };
        self.queues.entry(sku.clone()).or_insert_with(start).clone()
    }
}

/// Those who wait for units of one SKU.
struct Queue {
    sku: Sku,
    inner: Weak<Inner>,
    receiver: mpsc::Receiver<Asked>,
}

impl Queue {
    async fn run(mut self) {
        let mut waiting = VecDeque::new();
        loop {
            if waiting.is_empty() {
                let next = tokio::time::timeout(IDLE_MAX, self.receiver.recv()).await;
                match next {
                    Ok(Some(asked)) => waiting.push_back(asked),
                    Ok(None) | Err(_) => break,
                }
            }
            while waiting.len() < WISHES_MAX {
                let Ok(asked) = self.receiver.try_recv() else { break };
                waiting.push_back(asked);
            }
            let Some(inner) = self.inner.upgrade() else { return };
            let batch = next_batch(&mut waiting);
            reserve(&inner, &self.sku, batch).await;
        }
        // Who sends from now on finds it closed and starts another; who has sent is answered.
        self.receiver.close();
        if let Some(inner) = self.inner.upgrade() {
            inner.queues.remove_if(&self.sku, |_, queue| queue.is_closed());
        }
        while let Some(asked) = self.receiver.recv().await {
            let Some(inner) = self.inner.upgrade() else { return };
            reserve(&inner, &self.sku, vec![asked]).await;
        }
    }
}

/// The wishes from the front that go into one call: of one policy, no order twice.
fn next_batch(waiting: &mut VecDeque<Asked>) -> Vec<Asked> {
    let Some(allowance) = waiting.front().map(|asked| asked.allowance) else { return Vec::new() };
    let mut orders = BTreeSet::new();
    let fits = |asked: &&Asked| asked.allowance == allowance && orders.insert(asked.wish.order);
    let count = waiting.iter().take(WISHES_MAX).take_while(fits).count();
    waiting.drain(..count).collect()
}

async fn reserve(inner: &Inner, sku: &Sku, batch: Vec<Asked>) {
    let Some(first) = batch.first() else { return };
    let wishes: Vec<Wish> = batch.iter().map(|asked| asked.wish).collect();
    let answer = inner.ledger.reserve(sku, first.allowance, &wishes).await;
    for (place, asked) in batch.into_iter().enumerate() {
        let held = match &answer {
            Ok(held) => Ok(held[place]),
            Err(error) => Err(error.clone().into()),
        };
        // Who has given up waiting keeps the reservation until it expires.
        drop(asked.to.send(held));
    }
}
