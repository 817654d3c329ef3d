//! The database of stock and orders that all nodes share, and the way to it from one machine:
//! slow, refusing, losing requests and answers, away.
//!
//! A commit whose answer is lost may come late: whoever reads does not see it yet. But it has its
//! rows locked, so whoever writes comes after it, as with a real database.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use barrow_actors::runtime::{Bug, is_planted};
use barrow_adapters::decorators::{Faults, Rate};
use barrow_engine::catalog::{Location, Sku};
use barrow_engine::events::Aggregate;
use barrow_engine::ids::{CartId, DeadLetterId, MovementId, OrderId, ReturnId};
use barrow_engine::inventory::{Held, Kept, Level, Movement, MovementDraft, StockRefusal, Wish};
use barrow_engine::orders::{Order, OrderNumber};
use barrow_engine::ports::{
    ClaimAsk, ClaimToken, Clock, CommerceError, ConsumerFigures, DeadLetter, DeadLetterQuery, Lane,
    Opened, OrderChange, OrderQuery, OrderStore, Outbox, ReturnQuery, Saved, Settled, StockLedger,
};
use barrow_engine::time::Timestamp;
use parking_lot::Mutex;
use tokio::time::sleep;

use crate::cluster_simulation::ground::Ground;
use crate::host::{SeededEntropy, SimulatedClock};

/// How long a client waits at most until it says that nobody answers.
const SILENCE_MS_MAX: u64 = 1_500;

type Result<T> = std::result::Result<T, CommerceError>;
type Commit = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What stands between the tables and everybody.
pub struct Database {
    pub orders: Arc<dyn OrderStore>,
    pub stock: Arc<dyn StockLedger>,
    pub outbox: Arc<dyn Outbox>,
    pub faults: Mutex<Faults>,
    pub dice: SeededEntropy,
    pub clock: Arc<SimulatedClock>,
    /// Commits on their way, each with the uptime at which it comes.
    pub late: Mutex<VecDeque<(Duration, Commit)>>,
}

impl Database {
    fn happens(&self, rate: Rate) -> bool {
        self.dice.below(1_000_000) < u64::from(rate.0)
    }

    fn up_to(&self, longest: Duration) -> Duration {
        Duration::from_micros(self.dice.below(longest.as_micros() as u64 + 1))
    }

    /// Lets commits land whose time has come by then, in the order in which they were sent.
    pub async fn land(&self, by: Duration) {
        while let Some(commit) = self.next_by(by) {
            commit.await;
        }
    }

    fn next_by(&self, by: Duration) -> Option<Commit> {
        let mut late = self.late.lock();
        let place = late.iter().position(|(lands_at, _)| *lands_at <= by)?;
        late.remove(place).map(|(_, commit)| commit)
    }

    async fn read<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        let faults = *self.faults.lock();
        sleep(self.up_to(faults.latency_max)).await;
        self.land(self.clock.uptime()).await;
        if self.happens(faults.unavailable) {
            return Err(CommerceError::Unavailable("broken on purpose".to_owned()));
        }
        let answer = call.await;
        sleep(self.up_to(faults.latency_max)).await;
        answer
    }

    async fn write<T: Send>(
        &self,
        call: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let faults = *self.faults.lock();
        sleep(self.up_to(faults.latency_max)).await;
        if self.happens(faults.unavailable) || self.happens(faults.throttled) {
            return Err(CommerceError::Unavailable("broken on purpose".to_owned()));
        }
        let unknown = |what: &str| Err(CommerceError::OutcomeUnknown(format!("{what} on purpose")));
        if self.happens(faults.request_lost) {
            return unknown("the request was lost");
        }
        self.land(Duration::MAX).await;
        if self.happens(faults.late) {
            let lands_at = self.clock.uptime() + self.up_to(faults.late_max);
            self.late.lock().push_back((lands_at, Box::pin(async move { drop(call.await) })));
            sleep(self.up_to(faults.latency_max)).await;
            return unknown("the commit is late");
        }
        let answer = call.await;
        sleep(self.up_to(faults.latency_max)).await;
        match self.happens(faults.reply_lost) {
            true => unknown("the answer was lost"),
            false => answer,
        }
    }
}

/// The same from one machine. What its process has sent arrives after its end.
pub struct DatabaseFromMachine {
    pub ground: Arc<Ground>,
    pub database: Arc<Database>,
    pub machine: usize,
}

impl DatabaseFromMachine {
    /// `None` where the request or the answer does not get through.
    async fn call<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Option<Result<T>> {
        let (ground, machine) = (self.ground.clone(), self.machine);
        let database = self.database.clone();
        let way = async move {
            let mut answer = None;
            if !ground.cuts(machine).commerce {
                answer = Some(call.await);
            }
            if ground.cuts(machine).commerce {
                sleep(Duration::from_millis(database.dice.below(SILENCE_MS_MAX))).await;
                return None;
            }
            answer
        };
        self.ground.beyond(way).await
    }

    async fn read<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let database = self.database.clone();
        let answer = self.call(async move { database.read(call).await }).await;
        let silent = || Err(CommerceError::Unavailable("nobody answers".to_owned()));
        answer.unwrap_or_else(silent)
    }

    async fn write<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let database = self.database.clone();
        let answer = self.call(async move { database.write(call).await }).await;
        let silent = || Err(CommerceError::OutcomeUnknown("nobody answers".to_owned()));
        answer.unwrap_or_else(silent)
    }

    fn orders(&self) -> Arc<dyn OrderStore> {
        self.database.orders.clone()
    }

    fn outbox(&self) -> Arc<dyn Outbox> {
        self.database.outbox.clone()
    }

    fn stock(&self) -> Arc<dyn StockLedger> {
        self.database.stock.clone()
    }
}

/// The change with its condition, unless that is planted to be none.
async fn as_demanded(orders: &dyn OrderStore, mut change: OrderChange) -> OrderChange {
    if is_planted(Bug::OrderOverwritten)
        && let Ok(Some(found)) = orders.get(change.order.id).await
    {
        change.order.version = found.version + 1;
    }
    change
}

#[async_trait]
impl OrderStore for DatabaseFromMachine {
    async fn open(&self, draft: &Order) -> Result<Opened> {
        let (orders, draft) = (self.orders(), draft.clone());
        self.write(async move { orders.open(&draft).await }).await
    }

    async fn get(&self, id: OrderId) -> Result<Option<Order>> {
        let orders = self.orders();
        self.read(async move { orders.get(id).await }).await
    }

    async fn of_cart(&self, cart: CartId) -> Result<Option<Order>> {
        let orders = self.orders();
        self.read(async move { orders.of_cart(cart).await }).await
    }

    async fn of_number(&self, number: OrderNumber) -> Result<Option<Order>> {
        let orders = self.orders();
        self.read(async move { orders.of_number(number).await }).await
    }

    async fn next_number(&self) -> Result<OrderNumber> {
        let orders = self.orders();
        self.write(async move { orders.next_number().await }).await
    }

    async fn save(&self, change: &OrderChange) -> Result<Saved> {
        let (orders, change) = (self.orders(), change.clone());
        let save = async move {
            let change = as_demanded(&*orders, change).await;
            orders.save(&change).await
        };
        self.write(save).await
    }

    async fn list(&self, query: &OrderQuery) -> Result<Vec<Order>> {
        let (orders, query) = (self.orders(), query.clone());
        self.read(async move { orders.list(&query).await }).await
    }

    async fn of_return(&self, id: ReturnId) -> Result<Option<Order>> {
        let orders = self.orders();
        self.read(async move { orders.of_return(id).await }).await
    }

    async fn returns(&self, query: &ReturnQuery) -> Result<Vec<(ReturnId, Order)>> {
        let (orders, query) = (self.orders(), query.clone());
        self.read(async move { orders.returns(&query).await }).await
    }

    async fn unsettled(&self, before: Timestamp, limit: usize) -> Result<Vec<OrderId>> {
        let orders = self.orders();
        self.read(async move { orders.unsettled(before, limit).await }).await
    }
}

#[async_trait]
impl StockLedger for DatabaseFromMachine {
    async fn levels(&self, skus: &[Sku]) -> Result<Vec<Level>> {
        let (stock, skus) = (self.stock(), skus.to_vec());
        self.read(async move { stock.levels(&skus).await }).await
    }

    async fn scan(&self, after: Option<(Sku, Location)>, limit: usize) -> Result<Vec<Level>> {
        let stock = self.stock();
        self.read(async move { stock.scan(after, limit).await }).await
    }

    async fn book(
        &self,
        movements: Vec<MovementDraft>,
    ) -> Result<Vec<std::result::Result<Movement, StockRefusal>>> {
        let stock = self.stock();
        self.write(async move { stock.book(movements).await }).await
    }

    async fn movements(
        &self,
        sku: &Sku,
        after: Option<(Timestamp, MovementId)>,
        limit: usize,
    ) -> Result<Vec<Movement>> {
        let (stock, sku) = (self.stock(), sku.clone());
        self.read(async move { stock.movements(&sku, after, limit).await }).await
    }

    async fn reserve(
        &self,
        sku: &Sku,
        allowance: Option<u64>,
        wishes: &[Wish],
    ) -> Result<Vec<Held>> {
        let (stock, sku, wishes) = (self.stock(), sku.clone(), wishes.to_vec());
        self.write(async move { stock.reserve(&sku, allowance, &wishes).await }).await
    }

    async fn release(&self, order: OrderId) -> Result<Vec<Sku>> {
        let stock = self.stock();
        self.write(async move { stock.release(order).await }).await
    }

    async fn keep(
        &self,
        order: OrderId,
        keep: &BTreeMap<Sku, u64>,
        until: Timestamp,
    ) -> Result<Kept> {
        let (stock, keep) = (self.stock(), keep.clone());
        self.write(async move { stock.keep(order, &keep, until).await }).await
    }

    async fn expire(&self, now: Timestamp, limit: usize) -> Result<Vec<Sku>> {
        let stock = self.stock();
        self.write(async move { stock.expire(now, limit).await }).await
    }
}

#[async_trait]
impl Outbox for DatabaseFromMachine {
    async fn register(&self, consumers: &[&str]) -> Result<()> {
        let outbox = self.outbox();
        let consumers: Vec<String> = consumers.iter().map(|name| (*name).to_owned()).collect();
        let register = async move {
            let names: Vec<&str> = consumers.iter().map(String::as_str).collect();
            outbox.register(&names).await
        };
        self.write(register).await
    }

    async fn claim(&self, ask: &ClaimAsk<'_>) -> Result<Vec<Lane>> {
        let (outbox, consumer) = (self.outbox(), ask.consumer.to_owned());
        let (token, lease, lanes, events) = (ask.token, ask.lease, ask.lanes, ask.events);
        let claim = async move {
            let consumer = consumer.as_str();
            outbox.claim(&ClaimAsk { consumer, token, lease, lanes, events }).await
        };
        self.write(claim).await
    }

    async fn settle(
        &self,
        consumer: &str,
        token: ClaimToken,
        settled: &[Settled],
    ) -> Result<Vec<Aggregate>> {
        let (outbox, consumer, settled) = (self.outbox(), consumer.to_owned(), settled.to_vec());
        self.write(async move { outbox.settle(&consumer, token, &settled).await }).await
    }

    async fn dead_letters(&self, query: &DeadLetterQuery) -> Result<Vec<DeadLetter>> {
        let (outbox, query) = (self.outbox(), query.clone());
        self.read(async move { outbox.dead_letters(&query).await }).await
    }

    async fn replay(&self, id: DeadLetterId) -> Result<bool> {
        let outbox = self.outbox();
        self.write(async move { outbox.replay(id).await }).await
    }

    async fn discard(&self, id: DeadLetterId) -> Result<bool> {
        let outbox = self.outbox();
        self.write(async move { outbox.discard(id).await }).await
    }

    async fn figures(&self) -> Result<Vec<ConsumerFigures>> {
        let outbox = self.outbox();
        self.read(async move { outbox.figures().await }).await
    }

    async fn sweep(&self, unseen: Duration) -> Result<()> {
        let outbox = self.outbox();
        self.write(async move { outbox.sweep(unseen).await }).await
    }

    /// Nothing is heard at once: each node looks by itself.
    fn written(&self) -> u64 {
        0
    }

    async fn written_since(&self, _: u64) -> u64 {
        std::future::pending().await
    }
}
