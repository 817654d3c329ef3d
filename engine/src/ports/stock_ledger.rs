//! Where stock is kept.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_trait::async_trait;

use super::CommerceError;
use crate::catalog::{Location, Sku};
use crate::ids::{MovementId, OrderId};
use crate::inventory::{Held, Kept, Level, Movement, MovementDraft, StockRefusal, Wish};
use crate::time::Timestamp;

/// The most SKUs, wishes or movements of one call.
pub const STOCK_BATCH_MAX: usize = 5_000;

/// Levels, claims and movements, changed as a [`crate::inventory::Ledger`] decides on the rows
/// that a transaction has locked: rows of levels are locked in the order of their SKUs and
/// locations, before any claim is read. Each call is one transaction, durable when it returns, and
/// has one effect however often it is made.
#[async_trait]
pub trait StockLedger: Send + Sync + 'static {
    /// All levels of these SKUs, in their order and then by location; of those that were never
    /// stocked, none. Never from a replica.
    async fn levels(&self, skus: &[Sku]) -> Result<Vec<Level>, CommerceError>;

    /// Levels in the order of their SKUs and locations, after `after`, at most `limit`.
    async fn scan(
        &self,
        after: Option<(Sku, Location)>,
        limit: usize,
    ) -> Result<Vec<Level>, CommerceError>;

    /// Books movements, in order. Each stands alone: one that is refused leaves the others in
    /// force. One whose id was booked before is answered as it was then. One of no units makes its
    /// level known, where it was not, and is no line of the ledger.
    async fn book(
        &self,
        movements: Vec<MovementDraft>,
    ) -> Result<Vec<Result<Movement, StockRefusal>>, CommerceError>;

    /// The movements of a SKU, newest first, after `after`, at most `limit`.
    async fn movements(
        &self,
        sku: &Sku,
        after: Option<(Timestamp, MovementId)>,
        limit: usize,
    ) -> Result<Vec<Movement>, CommerceError>;

    /// Reserves units of one SKU for one order after another; `allowance` more may be promised
    /// than are on hand, `None` for without end. No order is named twice.
    async fn reserve(
        &self,
        sku: &Sku,
        allowance: Option<u64>,
        wishes: &[Wish],
    ) -> Result<Vec<Held>, CommerceError>;

    /// Lets go what an order has reserved; the SKUs of which more are available now. What it has
    /// allocated stays.
    async fn release(&self, order: OrderId) -> Result<Vec<Sku>, CommerceError>;

    /// Renews what an order has reserved until then, of each SKU no more units than `keep` says:
    /// the rest is let go. Nothing is reserved that was not, and what it has allocated stays.
    async fn keep(
        &self,
        order: OrderId,
        keep: &BTreeMap<Sku, u64>,
        until: Timestamp,
    ) -> Result<Kept, CommerceError>;

    /// Lets go reservations that have run out by then, the oldest first, at most `limit` of them;
    /// the SKUs of which more are available now. Empty once there are none.
    async fn expire(&self, now: Timestamp, limit: usize) -> Result<Vec<Sku>, CommerceError>;
}

/// All levels of these SKUs, by SKU and location. Any number of SKUs may be asked for, each as
/// often as the caller likes.
pub async fn levels_of(
    ledger: &dyn StockLedger,
    skus: &[Sku],
) -> Result<Vec<Level>, CommerceError> {
    let wanted: Vec<Sku> = skus.iter().collect::<BTreeSet<_>>().into_iter().cloned().collect();
    let mut found = Vec::with_capacity(wanted.len());
    for some in wanted.chunks(STOCK_BATCH_MAX) {
        found.extend(ledger.levels(some).await?);
    }
    Ok(found)
}

/// Units on hand that nobody was promised, at all locations together, in the order asked; `None`
/// where a SKU was never stocked. Any number of SKUs may be asked for.
pub async fn units_of(
    ledger: &dyn StockLedger,
    skus: &[Sku],
) -> Result<Vec<Option<i64>>, CommerceError> {
    let mut units: HashMap<Sku, i64> = HashMap::new();
    for level in levels_of(ledger, skus).await? {
        let available = level.available();
        *units.entry(level.sku).or_default() += available;
    }
    Ok(skus.iter().map(|sku| units.get(sku).copied()).collect())
}
