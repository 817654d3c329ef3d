//! The desk: what happens to an order after its checkout, and beside it.
//!
//! A command is decided and written, with the key it was sent with, in one write; what it asks of
//! gateways is part of the order before anybody sends it. Whoever asked waits a while for the
//! gateways' answers. What is not answered by then stays pending in the order, and the reconciler
//! of any node goes on with it, as it does with whatever else is left by those who crashed.

mod access;
pub(crate) mod book;
mod edits;
mod error;
mod exchange;
mod money;
mod notices;
mod reconciler;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use barrow_engine::ids::OrderId;
use barrow_engine::orders::{CommandKey, KeyRecall, Order, OrderCommand};
use barrow_engine::ports::Entropy;
use barrow_engine::pricing::Shop;

use self::book::{OrderBook, TRIES_MAX, Written};
use crate::checkout::Checkouts;
use crate::runtime::{IdempotencyKey, Tasks};

pub use access::OrderCaller;
pub use edits::EditWish;
pub use error::OrderDeskError;
pub use webhook::NoticeRefusal;

/// How the reconciler looks around.
#[derive(Debug, Clone, Copy)]
pub struct ReconcilerSettings {
    /// Between two looks; a random part of as much again comes on top.
    pub pause: Duration,
    /// An order that was changed so recently is left to whoever changed it.
    pub quiet: Duration,
}

impl Default for ReconcilerSettings {
    fn default() -> Self {
        // An ambiguous payment is settled within 10 s; whoever asked waits for 6 s.
        ReconcilerSettings { pause: Duration::from_secs(2), quiet: Duration::from_secs(8) }
    }
}

/// What the desk is made of. Orders, gateways and the clock are those of the checkouts.
pub struct OrderParts {
    pub checkouts: Checkouts,
    /// Whose taxes are borne by what is added to an order.
    pub shop: Arc<Shop>,
    pub entropy: Arc<dyn Entropy>,
    pub reconciler: ReconcilerSettings,
}

/// On what terms a command is sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct OrderTerms {
    /// The order's version that the caller saw, where they insist on it.
    pub expected_version: Option<u64>,
    pub key: Option<IdempotencyKey>,
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    /// As it is now.
    pub order: Order,
    /// The command had been executed before, and made this version then.
    pub replayed: Option<u64>,
    /// The id of what the command made: a return, a refund, a parcel, an edit.
    pub made: Option<String>,
}

/// The desk. Clones are handles to the same one.
#[derive(Clone)]
pub struct Orders {
    inner: Arc<Inner>,
}

struct Inner {
    checkouts: Checkouts,
    book: Arc<OrderBook>,
    shop: Arc<Shop>,
    entropy: Arc<dyn Entropy>,
    reconciler: ReconcilerSettings,
    tasks: Tasks,
}

impl Orders {
    /// Starts it on the current tokio runtime, with a reconciler that ends when all handles are
    /// gone.
    pub fn start(parts: OrderParts) -> Orders {
        let OrderParts { checkouts, shop, entropy, reconciler } = parts;
        let (book, tasks) = (checkouts.book().clone(), Tasks::here());
        let inner = Arc::new(Inner { checkouts, book, shop, entropy, reconciler, tasks });
        reconciler::start(&inner);
        Orders { inner }
    }

    /// An order as a caller may see it; nobody else learns that it exists.
    pub async fn get(&self, id: OrderId, caller: &OrderCaller) -> Result<Order, OrderDeskError> {
        let order = self.inner.book.orders.get(id).await?;
        order.filter(|order| caller.may_see(order)).ok_or(OrderDeskError::NotFound)
    }

    /// Executes a command, and waits a while for the gateways that it leads to.
    ///
    /// # Errors
    /// Nothing was done, unless the store says that it does not know.
    pub async fn execute(
        &self,
        id: OrderId,
        command: OrderCommand,
        caller: OrderCaller,
        terms: OrderTerms,
    ) -> Result<Executed, OrderDeskError> {
        if !caller.may_ask(&command) {
            return Err(OrderDeskError::Forbidden);
        }
        let key = terms.key.map(|key| caller.key(key));
        for _ in 0..TRIES_MAX {
            let order = self.get(id, &caller).await?;
            if let Some(done) = self.inner.recalled(&order, key.as_ref())? {
                return Ok(done);
            }
            let current = order.version;
            if terms.expected_version.is_some_and(|expected| expected != current) {
                return Err(OrderDeskError::VersionMismatch { current });
            }
            let (by, book) = (caller.actor(), &self.inner.book);
            match book.write(&order, command.clone(), by, key.clone()).await? {
                Written::Done(next) => return Ok(self.inner.settle(&order, next).await),
                Written::Refused(refusal) => return Err(OrderDeskError::Stock(refusal)),
                Written::Stale => {}
            }
        }
        Err(OrderDeskError::Busy)
    }
}

impl Inner {
    /// What a key that was used before stands for.
    fn recalled(
        &self,
        order: &Order,
        key: Option<&CommandKey>,
    ) -> Result<Option<Executed>, OrderDeskError> {
        let Some(key) = key else { return Ok(None) };
        match order.recall(key, self.book.clock.now()) {
            KeyRecall::New => Ok(None),
            KeyRecall::Reused => Err(OrderDeskError::KeyReused),
            KeyRecall::Full => Err(OrderDeskError::KeyMemoryFull),
            KeyRecall::Seen(used) => {
                let (replayed, made) = (Some(used.version), used.made);
                Ok(Some(Executed { order: order.clone(), replayed, made }))
            }
        }
    }

    /// Waits for the gateways that a command led to, as long as one gateway is waited for. They
    /// are asked also when nobody waits any more.
    async fn settle(&self, before: &Order, order: Order) -> Executed {
        let mut events = order.timeline.iter().skip(before.timeline.len());
        let made = events.find_map(|recorded| recorded.event.made());
        let executed = |order| Executed { order, replayed: None, made };
        if order.pending_operations().next().is_none() {
            return executed(order);
        }
        let (to, settled) = tokio::sync::oneshot::channel();
        let (book, id, started) = (self.book.clone(), order.id, order.clone());
        self.tasks.spawn(async move {
            drop(to.send(book.settle_money(started).await));
        });
        match tokio::time::timeout(self.book.answer_max, settled).await {
            Ok(Ok(Ok(order))) => executed(order),
            // The command is done; what gateways say of it comes later.
            _ => executed(self.book.look(id).await.unwrap_or(order)),
        }
    }
}
