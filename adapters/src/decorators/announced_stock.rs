//! Stock whose changes are announced, whoever makes them: by hand, or with an order.
//!
//! What is announced is that fewer or more units of a SKU are anybody's. Units have no version:
//! whoever hears of a SKU reads it. Where nobody knows whether something happened, and to which
//! SKUs, all may be old that is held of stock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use barrow_engine::catalog::{Location, Sku};
use barrow_engine::ids::{CartId, MovementId, OrderId, ReturnId};
use barrow_engine::inventory::{Held, Kept, Level, Movement, MovementDraft, StockRefusal, Wish};
use barrow_engine::orders::{Order, OrderNumber, StockChange};
use barrow_engine::ports::{
    Announcement, Announcements, CommerceError, Opened, OrderChange, OrderQuery, OrderStore,
    ReturnQuery, Saved, StockLedger,
};
use barrow_engine::time::Timestamp;

/// What announcements of stock begin with; the SKU follows.
const KEY: &str = "stock:";

/// What it is where nobody knows which.
const DOUBT: &str = "stock";

type Result<T> = std::result::Result<T, CommerceError>;

/// What an announcement says of stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StockNews {
    Sku(Sku),
    /// It may be any.
    Missed,
}

/// `None` for what is not of stock.
pub fn stock_news(news: &Announcement) -> Option<StockNews> {
    if news.key == DOUBT {
        return Some(StockNews::Missed);
    }
    let sku = news.key.strip_prefix(KEY)?;
    Some(StockNews::Sku(Sku::new(sku).ok()?))
}

/// The announcement that units of any SKU may have changed.
pub fn stock_doubted() -> Announcement {
    Announcement { key: DOUBT.to_owned(), version: 0 }
}

/// The ledger, and the channel that hears of its changes.
pub struct AnnouncedStock {
    inner: Arc<dyn StockLedger>,
    channel: Channel,
}

/// Orders, and the channel that hears what they do to stock.
pub struct AnnouncedOrders {
    inner: Arc<dyn OrderStore>,
    channel: Channel,
}

struct Channel {
    announcements: Arc<dyn Announcements>,
}

impl Channel {
    async fn tell<'a>(&self, skus: impl IntoIterator<Item = &'a Sku>) {
        let skus: BTreeSet<&Sku> = skus.into_iter().collect();
        for sku in skus {
            self.announce(Announcement { key: format!("{KEY}{sku}"), version: 0 }).await;
        }
    }

    /// Also of what may have happened.
    async fn tell_unless_failed<'a, T>(
        &self,
        result: &Result<T>,
        skus: impl IntoIterator<Item = &'a Sku>,
    ) {
        if matches!(result, Ok(_) | Err(CommerceError::OutcomeUnknown(_))) {
            self.tell(skus).await;
        }
    }

    /// Of what only its answer names.
    async fn tell_freed(&self, result: &Result<Vec<Sku>>) {
        match result {
            Ok(skus) => self.tell(skus).await,
            Err(CommerceError::OutcomeUnknown(_)) => self.announce(stock_doubted()).await,
            Err(_) => {}
        }
    }

    async fn announce(&self, news: Announcement) {
        if let Err(error) = self.announcements.announce(news.clone()).await {
            tracing::warn!(key = news.key, %error, "other nodes learn of stock late");
        }
    }
}

impl AnnouncedStock {
    pub fn new(
        inner: Arc<dyn StockLedger>,
        announcements: Arc<dyn Announcements>,
    ) -> AnnouncedStock {
        AnnouncedStock { inner, channel: Channel { announcements } }
    }
}

impl AnnouncedOrders {
    pub fn new(
        inner: Arc<dyn OrderStore>,
        announcements: Arc<dyn Announcements>,
    ) -> AnnouncedOrders {
        AnnouncedOrders { inner, channel: Channel { announcements } }
    }
}

#[async_trait]
impl StockLedger for AnnouncedStock {
    async fn levels(&self, skus: &[Sku]) -> Result<Vec<Level>> {
        self.inner.levels(skus).await
    }

    async fn scan(&self, after: Option<(Sku, Location)>, limit: usize) -> Result<Vec<Level>> {
        self.inner.scan(after, limit).await
    }

    async fn book(
        &self,
        movements: Vec<MovementDraft>,
    ) -> Result<Vec<std::result::Result<Movement, StockRefusal>>> {
        let skus: Vec<Sku> = movements.iter().map(|draft| draft.sku.clone()).collect();
        let result = self.inner.book(movements).await;
        let is_booked = |place: usize| match &result {
            Ok(outcomes) => outcomes.get(place).is_some_and(std::result::Result::is_ok),
            Err(_) => true,
        };
        let booked = skus.iter().enumerate().filter(|(place, _)| is_booked(*place));
        self.channel.tell_unless_failed(&result, booked.map(|(_, sku)| sku)).await;
        result
    }

    async fn movements(
        &self,
        sku: &Sku,
        after: Option<(Timestamp, MovementId)>,
        limit: usize,
    ) -> Result<Vec<Movement>> {
        self.inner.movements(sku, after, limit).await
    }

    async fn reserve(
        &self,
        sku: &Sku,
        allowance: Option<u64>,
        wishes: &[Wish],
    ) -> Result<Vec<Held>> {
        let result = self.inner.reserve(sku, allowance, wishes).await;
        let is_held = result.as_ref().map_or(true, |held| held.contains(&Held::All));
        self.channel.tell_unless_failed(&result, Some(sku).filter(|_| is_held)).await;
        result
    }

    async fn release(&self, order: OrderId) -> Result<Vec<Sku>> {
        let result = self.inner.release(order).await;
        self.channel.tell_freed(&result).await;
        result
    }

    async fn keep(
        &self,
        order: OrderId,
        keep: &BTreeMap<Sku, u64>,
        until: Timestamp,
    ) -> Result<Kept> {
        let result = self.inner.keep(order, keep, until).await;
        match &result {
            Ok(kept) => self.channel.tell(&kept.freed).await,
            Err(CommerceError::OutcomeUnknown(_)) => self.channel.announce(stock_doubted()).await,
            Err(_) => {}
        }
        result
    }

    async fn expire(&self, now: Timestamp, limit: usize) -> Result<Vec<Sku>> {
        let result = self.inner.expire(now, limit).await;
        self.channel.tell_freed(&result).await;
        result
    }
}

/// The SKUs of which an order's change makes more or fewer units anybody's. What is reserved and
/// becomes its own was nobody else's before, nor is it while it is on its way.
fn freed(change: &OrderChange) -> impl Iterator<Item = &Sku> {
    change.stock.iter().filter_map(|change| match change {
        StockChange::AllocateMore { sku, .. }
        | StockChange::Release { sku, .. }
        | StockChange::Restock { sku, .. } => Some(sku),
        StockChange::Allocate | StockChange::Ship { .. } | StockChange::Unship { .. } => None,
    })
}

#[async_trait]
impl OrderStore for AnnouncedOrders {
    async fn open(&self, draft: &Order) -> Result<Opened> {
        self.inner.open(draft).await
    }

    async fn get(&self, id: OrderId) -> Result<Option<Order>> {
        self.inner.get(id).await
    }

    async fn of_cart(&self, cart: CartId) -> Result<Option<Order>> {
        self.inner.of_cart(cart).await
    }

    async fn of_number(&self, number: OrderNumber) -> Result<Option<Order>> {
        self.inner.of_number(number).await
    }

    async fn next_number(&self) -> Result<OrderNumber> {
        self.inner.next_number().await
    }

    async fn save(&self, change: &OrderChange) -> Result<Saved> {
        let result = self.inner.save(change).await;
        if !matches!(result, Ok(Saved::Stale { .. } | Saved::Refused(_))) {
            self.channel.tell_unless_failed(&result, freed(change)).await;
        }
        result
    }

    async fn list(&self, query: &OrderQuery) -> Result<Vec<Order>> {
        self.inner.list(query).await
    }

    async fn of_return(&self, id: ReturnId) -> Result<Option<Order>> {
        self.inner.of_return(id).await
    }

    async fn returns(&self, query: &ReturnQuery) -> Result<Vec<(ReturnId, Order)>> {
        self.inner.returns(query).await
    }

    async fn unsettled(&self, before: Timestamp, limit: usize) -> Result<Vec<OrderId>> {
        self.inner.unsettled(before, limit).await
    }
}
