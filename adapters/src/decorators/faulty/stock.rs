//! A ledger of stock with faults. A call that is late has simply not been answered yet: nothing
//! lands here after its caller was told.

use std::collections::BTreeMap;

use async_trait::async_trait;
use barrow_engine::catalog::{Location, Sku};
use barrow_engine::ids::{MovementId, OrderId};
use barrow_engine::inventory::{Held, Kept, Level, Movement, MovementDraft, StockRefusal, Wish};
use barrow_engine::ports::{CommerceError, StockLedger};
use barrow_engine::time::Timestamp;

use super::Faulty;

type Result<T> = std::result::Result<T, CommerceError>;

impl Faulty<dyn StockLedger> {
    /// A transaction of which the request, or the answer, may be lost.
    async fn transact<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        let fate = self.state.lock().fate();
        self.sleep(fate.there).await;
        if fate.unavailable || fate.throttled {
            return Err(CommerceError::Unavailable("broken on purpose".to_owned()));
        }
        if fate.request_lost {
            self.sleep(fate.back).await;
            let lost = "the request was lost on purpose".to_owned();
            return Err(CommerceError::OutcomeUnknown(lost));
        }
        let result = call.await;
        self.sleep(fate.back).await;
        if fate.reply_lost {
            let lost = "the reply was lost on purpose".to_owned();
            return Err(CommerceError::OutcomeUnknown(lost));
        }
        result
    }
}

#[async_trait]
impl StockLedger for Faulty<dyn StockLedger> {
    async fn levels(&self, skus: &[Sku]) -> Result<Vec<Level>> {
        self.plain(self.inner.levels(skus), CommerceError::Unavailable).await
    }

    async fn scan(&self, after: Option<(Sku, Location)>, limit: usize) -> Result<Vec<Level>> {
        self.plain(self.inner.scan(after, limit), CommerceError::Unavailable).await
    }

    async fn book(
        &self,
        movements: Vec<MovementDraft>,
    ) -> Result<Vec<std::result::Result<Movement, StockRefusal>>> {
        self.transact(self.inner.book(movements)).await
    }

    async fn movements(
        &self,
        sku: &Sku,
        after: Option<(Timestamp, MovementId)>,
        limit: usize,
    ) -> Result<Vec<Movement>> {
        self.plain(self.inner.movements(sku, after, limit), CommerceError::Unavailable).await
    }

    async fn reserve(
        &self,
        sku: &Sku,
        allowance: Option<u64>,
        wishes: &[Wish],
    ) -> Result<Vec<Held>> {
        self.transact(self.inner.reserve(sku, allowance, wishes)).await
    }

    async fn release(&self, order: OrderId) -> Result<Vec<Sku>> {
        self.transact(self.inner.release(order)).await
    }

    async fn keep(
        &self,
        order: OrderId,
        keep: &BTreeMap<Sku, u64>,
        until: Timestamp,
    ) -> Result<Kept> {
        self.transact(self.inner.keep(order, keep, until)).await
    }

    async fn expire(&self, now: Timestamp, limit: usize) -> Result<Vec<Sku>> {
        self.transact(self.inner.expire(now, limit)).await
    }
}
