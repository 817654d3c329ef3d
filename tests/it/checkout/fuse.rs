//! Stores and a gateway that end the process at one of their calls: before it, or after it and
//! before its answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use barrow_engine::catalog::{Location, Sku};
use barrow_engine::ids::{CartId, MovementId, OrderId, ReturnId};
use barrow_engine::inventory::{Held, Kept, Level, Movement, MovementDraft, StockRefusal, Wish};
use barrow_engine::orders::{Order, OrderNumber};
use barrow_engine::ports::{
    CommerceError, GatewayAnswer, GatewayError, Notice, Opened, OrderChange, OrderQuery,
    OrderStore, PaymentGateway, PaymentRequest, ReturnQuery, Saved, StockLedger, WebhookError,
};
use barrow_engine::time::Timestamp;
use tokio::sync::Notify;

/// Blows at one moment of those that are counted, two for each call: its beginning and its end.
pub struct Fuse {
    moments: AtomicUsize,
    blows_at: usize,
    blown: Notify,
    /// Whether nobody can look for the order of a cart.
    hides_orders: AtomicBool,
}

impl Fuse {
    pub fn new(blows_at: usize) -> Arc<Fuse> {
        let (moments, hides_orders) = (AtomicUsize::new(0), AtomicBool::new(false));
        Arc::new(Fuse { moments, blows_at, blown: Notify::new(), hides_orders })
    }

    pub fn hide_orders(&self) {
        self.hides_orders.store(true, Ordering::SeqCst);
    }

    pub async fn blown(&self) {
        self.blown.notified().await;
    }

    /// From the moment on at which it blows nobody goes on.
    async fn pass(&self) {
        let moment = self.moments.fetch_add(1, Ordering::SeqCst);
        if moment >= self.blows_at {
            self.blown.notify_one();
            std::future::pending::<()>().await;
        }
    }

    async fn around<T>(&self, call: impl Future<Output = T>) -> T {
        self.pass().await;
        let answer = call.await;
        self.pass().await;
        answer
    }
}

/// Behind a fuse.
pub struct Fused<T: ?Sized> {
    pub inner: Arc<T>,
    pub fuse: Arc<Fuse>,
}

#[async_trait]
impl OrderStore for Fused<dyn OrderStore> {
    async fn open(&self, draft: &Order) -> Result<Opened, CommerceError> {
        self.fuse.around(self.inner.open(draft)).await
    }

    async fn get(&self, id: OrderId) -> Result<Option<Order>, CommerceError> {
        self.inner.get(id).await
    }

    async fn of_cart(&self, cart: CartId) -> Result<Option<Order>, CommerceError> {
        if self.fuse.hides_orders.load(Ordering::SeqCst) {
            return Err(CommerceError::Unavailable("orders are hidden".to_owned()));
        }
        self.inner.of_cart(cart).await
    }

    async fn of_number(&self, number: OrderNumber) -> Result<Option<Order>, CommerceError> {
        self.inner.of_number(number).await
    }

    async fn next_number(&self) -> Result<OrderNumber, CommerceError> {
        self.fuse.around(self.inner.next_number()).await
    }

    async fn save(&self, change: &OrderChange) -> Result<Saved, CommerceError> {
        self.fuse.around(self.inner.save(change)).await
    }

    async fn list(&self, query: &OrderQuery) -> Result<Vec<Order>, CommerceError> {
        self.inner.list(query).await
    }

    async fn of_return(&self, id: ReturnId) -> Result<Option<Order>, CommerceError> {
        self.inner.of_return(id).await
    }

    async fn returns(&self, query: &ReturnQuery) -> Result<Vec<(ReturnId, Order)>, CommerceError> {
        self.inner.returns(query).await
    }

    async fn unsettled(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<OrderId>, CommerceError> {
        self.inner.unsettled(before, limit).await
    }
}

#[async_trait]
impl StockLedger for Fused<dyn StockLedger> {
    async fn levels(&self, skus: &[Sku]) -> Result<Vec<Level>, CommerceError> {
        self.inner.levels(skus).await
    }

    async fn scan(
        &self,
        after: Option<(Sku, Location)>,
        limit: usize,
    ) -> Result<Vec<Level>, CommerceError> {
        self.inner.scan(after, limit).await
    }

    async fn book(
        &self,
        movements: Vec<MovementDraft>,
    ) -> Result<Vec<Result<Movement, StockRefusal>>, CommerceError> {
        self.inner.book(movements).await
    }

    async fn movements(
        &self,
        sku: &Sku,
        after: Option<(Timestamp, MovementId)>,
        limit: usize,
    ) -> Result<Vec<Movement>, CommerceError> {
        self.inner.movements(sku, after, limit).await
    }

    async fn reserve(
        &self,
        sku: &Sku,
        allowance: Option<u64>,
        wishes: &[Wish],
    ) -> Result<Vec<Held>, CommerceError> {
        self.fuse.around(self.inner.reserve(sku, allowance, wishes)).await
    }

    async fn release(&self, order: OrderId) -> Result<Vec<Sku>, CommerceError> {
        self.fuse.around(self.inner.release(order)).await
    }

    async fn keep(
        &self,
        order: OrderId,
        keep: &BTreeMap<Sku, u64>,
        until: Timestamp,
    ) -> Result<Kept, CommerceError> {
        self.fuse.around(self.inner.keep(order, keep, until)).await
    }

    async fn expire(&self, now: Timestamp, limit: usize) -> Result<Vec<Sku>, CommerceError> {
        self.inner.expire(now, limit).await
    }
}

#[async_trait]
impl PaymentGateway for Fused<dyn PaymentGateway> {
    fn methods(&self) -> &[&str] {
        self.inner.methods()
    }

    fn key_memory(&self) -> Duration {
        self.inner.key_memory()
    }

    async fn ask(&self, request: &PaymentRequest) -> Result<GatewayAnswer, GatewayError> {
        self.fuse.around(self.inner.ask(request)).await
    }

    async fn look_up(&self, request: &PaymentRequest) -> Result<GatewayAnswer, GatewayError> {
        self.fuse.around(self.inner.look_up(request)).await
    }

    fn notices(
        &self,
        header: &(dyn for<'a> Fn(&'a str) -> Option<String> + Sync),
        body: &[u8],
        now: Timestamp,
    ) -> Result<Vec<Notice>, WebhookError> {
        self.inner.notices(header, body, now)
    }
}
