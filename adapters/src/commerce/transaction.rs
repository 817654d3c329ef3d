//! What a change of stock and orders asks of a database, inside one transaction.

use std::collections::{BTreeMap, BTreeSet};

use barrow_engine::catalog::{Location, Sku};
use barrow_engine::events::Event;
use barrow_engine::ids::{CartId, MovementId, OrderId};
use barrow_engine::inventory::{Claim, LedgerChanges, Level, Movement};
use barrow_engine::orders::Order;
use barrow_engine::time::Timestamp;

use super::Fault;
use super::limits::Buyer;
use super::order_row::OrderRow;

/// Levels that nobody else can change until the transaction has ended.
#[derive(Debug, Default)]
pub(crate) struct Locked {
    pub levels: Vec<Level>,
    /// Those of them that were not there: made to be locked, and empty.
    pub made: BTreeSet<(Sku, Location)>,
}

/// A transaction of a database. Reads see what was committed before them, and what is locked
/// stays as it was read.
pub(crate) trait Transaction: Send {
    /// Locks all levels of these SKUs, and those that are needed whether or not they are there,
    /// in the order of their SKUs and locations.
    fn lock_levels(
        &mut self,
        skus: &BTreeSet<Sku>,
        needed: &BTreeSet<(Sku, Location)>,
    ) -> impl Future<Output = Result<Locked, Fault>> + Send;

    /// What these orders hold of these SKUs.
    fn claims(
        &mut self,
        orders: &BTreeSet<OrderId>,
        skus: &BTreeSet<Sku>,
    ) -> impl Future<Output = Result<Vec<Claim>, Fault>> + Send;

    /// What an order has reserved, as far as anybody knows who has locked nothing.
    fn reserved(
        &mut self,
        order: OrderId,
    ) -> impl Future<Output = Result<Vec<Claim>, Fault>> + Send;

    /// The same of reservations that have run out, the oldest first.
    fn expired(
        &mut self,
        now: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Claim>, Fault>> + Send;

    /// Those of these movements that were booked.
    fn booked(
        &mut self,
        ids: &BTreeSet<MovementId>,
    ) -> impl Future<Output = Result<Vec<Movement>, Fault>> + Send;

    /// Writes what a ledger came to and what there is to tell of it, and takes back levels that
    /// were made and are not used.
    fn write_stock(
        &mut self,
        changes: &LedgerChanges,
        unused: &BTreeSet<(Sku, Location)>,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Inserts orders, sorted by their ids, each unless there is one of its cart; those that it
    /// did. What they were paid with is written from their first change on.
    fn insert_orders(
        &mut self,
        rows: &[&OrderRow],
    ) -> impl Future<Output = Result<BTreeSet<OrderId>, Fault>> + Send;

    /// Locks orders in the order of their ids; the versions of those that are there.
    fn lock_orders(
        &mut self,
        ids: &BTreeSet<OrderId>,
    ) -> impl Future<Output = Result<BTreeMap<OrderId, u64>, Fault>> + Send;

    fn order(&mut self, id: OrderId) -> impl Future<Output = Result<Option<Order>, Fault>> + Send;

    fn order_of_cart(
        &mut self,
        cart: CartId,
    ) -> impl Future<Output = Result<Option<Order>, Fault>> + Send;

    /// Lets nobody else open drafts of these buyers until the transaction has ended.
    fn lock_buyers(&mut self, buyers: &[Buyer]) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Units of these SKUs in the other orders of a buyer.
    fn bought(
        &mut self,
        buyer: &Buyer,
        skus: &BTreeSet<Sku>,
    ) -> impl Future<Output = Result<BTreeMap<Sku, u64>, Fault>> + Send;

    /// Replaces orders that are locked, and their payments, and writes what there is to tell of
    /// each.
    fn write_orders(
        &mut self,
        changed: &[(&OrderRow, Vec<Event>)],
    ) -> impl Future<Output = Result<(), Fault>> + Send;
}
