//! Stock and orders, measured.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use barrow_engine::catalog::{Location, Sku};
use barrow_engine::ids::{CartId, MovementId, OrderId, ReturnId};
use barrow_engine::inventory::{Held, Kept, Level, Movement, MovementDraft, StockRefusal, Wish};
use barrow_engine::orders::{Order, OrderNumber};
use barrow_engine::ports::{
    Clock, CommerceError, Opened, OrderChange, OrderQuery, OrderStore, ReturnQuery, Saved,
    StockLedger,
};
use barrow_engine::time::Timestamp;

use super::{Measured, Meter, Outcome};

type Result<T> = std::result::Result<T, CommerceError>;

fn commerce_outcome<T>(result: &Result<T>) -> Outcome {
    match result {
        Ok(_) => Outcome::Ok,
        Err(CommerceError::OutcomeUnknown(_)) => Outcome::Unknown,
        Err(_) => Outcome::Failed,
    }
}

fn saved_outcome(result: &Result<Saved>) -> Outcome {
    match result {
        Ok(Saved::Stale { .. } | Saved::Refused(_)) => Outcome::Refused,
        other => commerce_outcome(other),
    }
}

const STOCK_OPERATIONS: [&str; 8] =
    ["levels", "scan", "book", "movements", "reserve", "release", "expire", "keep"];

impl Measured<dyn StockLedger> {
    pub fn new(inner: Arc<dyn StockLedger>, clock: Arc<dyn Clock>) -> Measured<dyn StockLedger> {
        Measured { inner, meter: Meter::new("stock_ledger", &STOCK_OPERATIONS, clock) }
    }
}

#[async_trait]
impl StockLedger for Measured<dyn StockLedger> {
    async fn levels(&self, skus: &[Sku]) -> Result<Vec<Level>> {
        self.meter.time(0, self.inner.levels(skus), commerce_outcome).await
    }

    async fn scan(&self, after: Option<(Sku, Location)>, limit: usize) -> Result<Vec<Level>> {
        self.meter.time(1, self.inner.scan(after, limit), commerce_outcome).await
    }

    async fn book(
        &self,
        movements: Vec<MovementDraft>,
    ) -> Result<Vec<std::result::Result<Movement, StockRefusal>>> {
        self.meter.time(2, self.inner.book(movements), commerce_outcome).await
    }

    async fn movements(
        &self,
        sku: &Sku,
        after: Option<(Timestamp, MovementId)>,
        limit: usize,
    ) -> Result<Vec<Movement>> {
        self.meter.time(3, self.inner.movements(sku, after, limit), commerce_outcome).await
    }

    async fn reserve(
        &self,
        sku: &Sku,
        allowance: Option<u64>,
        wishes: &[Wish],
    ) -> Result<Vec<Held>> {
        self.meter.time(4, self.inner.reserve(sku, allowance, wishes), commerce_outcome).await
    }

    async fn release(&self, order: OrderId) -> Result<Vec<Sku>> {
        self.meter.time(5, self.inner.release(order), commerce_outcome).await
    }

    async fn keep(
        &self,
        order: OrderId,
        keep: &BTreeMap<Sku, u64>,
        until: Timestamp,
    ) -> Result<Kept> {
        self.meter.time(7, self.inner.keep(order, keep, until), commerce_outcome).await
    }

    async fn expire(&self, now: Timestamp, limit: usize) -> Result<Vec<Sku>> {
        self.meter.time(6, self.inner.expire(now, limit), commerce_outcome).await
    }
}

const ORDER_OPERATIONS: [&str; 10] = [
    "open",
    "get",
    "of_cart",
    "of_number",
    "next_number",
    "save",
    "list",
    "unsettled",
    "of_return",
    "returns",
];

impl Measured<dyn OrderStore> {
    pub fn new(inner: Arc<dyn OrderStore>, clock: Arc<dyn Clock>) -> Measured<dyn OrderStore> {
        Measured { inner, meter: Meter::new("order_store", &ORDER_OPERATIONS, clock) }
    }
}

#[async_trait]
impl OrderStore for Measured<dyn OrderStore> {
    async fn open(&self, draft: &Order) -> Result<Opened> {
        self.meter.time(0, self.inner.open(draft), commerce_outcome).await
    }

    async fn get(&self, id: OrderId) -> Result<Option<Order>> {
        self.meter.time(1, self.inner.get(id), commerce_outcome).await
    }

    async fn of_cart(&self, cart: CartId) -> Result<Option<Order>> {
        self.meter.time(2, self.inner.of_cart(cart), commerce_outcome).await
    }

    async fn of_number(&self, number: OrderNumber) -> Result<Option<Order>> {
        self.meter.time(3, self.inner.of_number(number), commerce_outcome).await
    }

    async fn next_number(&self) -> Result<OrderNumber> {
        self.meter.time(4, self.inner.next_number(), commerce_outcome).await
    }

    async fn save(&self, change: &OrderChange) -> Result<Saved> {
        self.meter.time(5, self.inner.save(change), saved_outcome).await
    }

    async fn list(&self, query: &OrderQuery) -> Result<Vec<Order>> {
        self.meter.time(6, self.inner.list(query), commerce_outcome).await
    }

    async fn of_return(&self, id: ReturnId) -> Result<Option<Order>> {
        self.meter.time(8, self.inner.of_return(id), commerce_outcome).await
    }

    async fn returns(&self, query: &ReturnQuery) -> Result<Vec<(ReturnId, Order)>> {
        self.meter.time(9, self.inner.returns(query), commerce_outcome).await
    }

    async fn unsettled(&self, before: Timestamp, limit: usize) -> Result<Vec<OrderId>> {
        self.meter.time(7, self.inner.unsettled(before, limit), commerce_outcome).await
    }
}
