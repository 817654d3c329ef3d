//! What a change asks of the tables. They are its own until it has ended, so there is nothing to
//! lock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use barrow_engine::catalog::{Location, Sku};
use barrow_engine::events::Event;
use barrow_engine::ids::{CartId, MovementId, OrderId, PaymentId, ReturnId};
use barrow_engine::inventory::{Claim, LedgerChanges, Level, Movement};
use barrow_engine::orders::{Order, OrderNumber};
use barrow_engine::time::Timestamp;

use super::{StoredOrder, Tables};
use crate::commerce::Fault;
use crate::commerce::limits::Buyer;
use crate::commerce::order_row::{FORMAT, OrderRow, order};
use crate::commerce::transaction::{Locked, Transaction};

type Result<T> = std::result::Result<T, Fault>;

/// What a constraint refuses.
fn refused<T>(what: impl Into<String>) -> Result<T> {
    Err(Fault::Damaged(what.into()))
}

impl Tables {
    /// An order's row, in the place of the one before.
    fn put(&mut self, row: &OrderRow) -> Result<()> {
        let order = order((FORMAT, row.document.clone()))?;
        if order.number.is_some() != order.placed_at.is_some() {
            return refused("an order is numbered when it is placed");
        }
        if let Some(number) = order.number {
            self.own_number(number, order.id)?;
        }
        let stored = StoredOrder {
            email: row.email.clone(),
            last_name: row.last_name.clone(),
            changed_at: Timestamp::from_millis(row.changed_at),
            settled: row.settled,
            order,
        };
        Arc::make_mut(&mut self.orders).insert(stored.order.id, Arc::new(stored));
        Ok(())
    }

    fn own_number(&mut self, number: OrderNumber, order: OrderId) -> Result<()> {
        match Arc::make_mut(&mut self.numbers).insert(number, order) {
            Some(other) if other != order => refused("two orders have one number"),
            _ => Ok(()),
        }
    }

    fn put_parts(&mut self, row: &OrderRow) -> Result<()> {
        let order = OrderId(u128::from_be_bytes(row.id));
        for payment in &row.payments {
            let id = PaymentId(u128::from_be_bytes(payment.id));
            let known = Arc::make_mut(&mut self.payments).insert(id, order);
            if known.is_some_and(|known| known != order) {
                return refused("a payment is of another order");
            }
            let is_sound = 0 <= payment.refunded
                && payment.refunded <= payment.captured
                && payment.captured <= payment.authorized;
            if !is_sound {
                return refused(format!("such a payment can never be: {payment:?}"));
            }
        }
        for made in &row.returns {
            let id = ReturnId(u128::from_be_bytes(made.id));
            let known = Arc::make_mut(&mut self.returns).insert(id, order);
            if known.is_some_and(|known| known != order) {
                return refused("a return is of another order");
            }
        }
        Ok(())
    }
}

impl Transaction for Tables {
    async fn lock_levels(
        &mut self,
        skus: &BTreeSet<Sku>,
        _needed: &BTreeSet<(Sku, Location)>,
    ) -> Result<Locked> {
        let levels = self.levels.values().filter(|level| skus.contains(&level.sku));
        Ok(Locked { levels: levels.cloned().collect(), made: BTreeSet::new() })
    }

    async fn claims(
        &mut self,
        orders: &BTreeSet<OrderId>,
        skus: &BTreeSet<Sku>,
    ) -> Result<Vec<Claim>> {
        let of_them = |claim: &&Claim| orders.contains(&claim.order) && skus.contains(&claim.sku);
        Ok(self.claims.values().filter(of_them).cloned().collect())
    }

    async fn reserved(&mut self, order: OrderId) -> Result<Vec<Claim>> {
        let own = self.claims.values().filter(|claim| claim.order == order);
        Ok(own.filter(|claim| !claim.is_allocated()).cloned().collect())
    }

    async fn expired(&mut self, now: Timestamp, most: usize) -> Result<Vec<Claim>> {
        let expired = self.claims.values().filter(|claim| claim.has_expired(now));
        let mut expired: Vec<Claim> = expired.cloned().collect();
        expired.sort_by_key(|claim| claim.expires_at);
        expired.truncate(most);
        Ok(expired)
    }

    async fn booked(&mut self, ids: &BTreeSet<MovementId>) -> Result<Vec<Movement>> {
        Ok(ids.iter().filter_map(|id| self.movements.get(id).cloned()).collect())
    }

    async fn write_stock(
        &mut self,
        changes: &LedgerChanges,
        _unused: &BTreeSet<(Sku, Location)>,
    ) -> Result<()> {
        if let Some(level) = changes.levels.iter().find(|level| !Level::is_sound(level)) {
            return refused(format!("such a level can never be: {level:?}"));
        }
        let levels = changes.levels.iter();
        let levels = levels.map(|it| ((it.sku.clone(), it.location.clone()), it.clone()));
        Arc::make_mut(&mut self.levels).extend(levels);
        let claims = Arc::make_mut(&mut self.claims);
        for released in &changes.released {
            claims.remove(released);
        }
        let written = changes.claims.iter();
        claims.extend(
            written.map(|it| ((it.order, it.sku.clone(), it.location.clone()), it.clone())),
        );
        for movement in &changes.movements {
            let movements = Arc::make_mut(&mut self.movements);
            if movements.insert(movement.draft.id, movement.clone()).is_some() {
                return refused("a movement is booked twice");
            }
        }
        self.outgoing.tell_stock(&changes.news, self.now);
        Ok(())
    }

    async fn lock_buyers(&mut self, _buyers: &[Buyer]) -> Result<()> {
        Ok(())
    }

    async fn bought(&mut self, buyer: &Buyer, skus: &BTreeSet<Sku>) -> Result<BTreeMap<Sku, u64>> {
        let mut bought = BTreeMap::new();
        let orders = self.orders.values().map(|stored| &stored.order);
        for order in orders.filter(|order| buyer.has_bought(order)) {
            for line in order.lines.iter().filter(|line| skus.contains(&line.sku)) {
                let kept = u64::from(line.quantity.saturating_sub(line.returned));
                *bought.entry(line.sku.clone()).or_default() += kept;
            }
        }
        Ok(bought)
    }

    async fn insert_orders(&mut self, rows: &[&OrderRow]) -> Result<BTreeSet<OrderId>> {
        let mut inserted = BTreeSet::new();
        for row in rows {
            let id = OrderId(u128::from_be_bytes(row.id));
            let cart = CartId(u128::from_be_bytes(row.cart));
            if !self.orders.contains_key(&id) && !self.carts.contains_key(&cart) {
                self.put(row)?;
                Arc::make_mut(&mut self.carts).insert(cart, id);
                inserted.insert(id);
            }
        }
        Ok(inserted)
    }

    async fn lock_orders(&mut self, ids: &BTreeSet<OrderId>) -> Result<BTreeMap<OrderId, u64>> {
        let version = |id: &OrderId| Some((*id, self.orders.get(id)?.order.version));
        Ok(ids.iter().filter_map(version).collect())
    }

    async fn order(&mut self, id: OrderId) -> Result<Option<Order>> {
        Ok(self.orders.get(&id).map(|stored| stored.order.clone()))
    }

    async fn order_of_cart(&mut self, cart: CartId) -> Result<Option<Order>> {
        let stored = self.carts.get(&cart).and_then(|id| self.orders.get(id));
        Ok(stored.map(|stored| stored.order.clone()))
    }

    async fn write_orders(&mut self, changed: &[(&OrderRow, Vec<Event>)]) -> Result<()> {
        for (row, events) in changed {
            let id = OrderId(u128::from_be_bytes(row.id));
            let cart = CartId(u128::from_be_bytes(row.cart));
            let before = self.orders.get(&id).filter(|stored| {
                stored.order.cart == cart && stored.order.created_at.as_millis() == row.created_at
            });
            if before.is_none() {
                return refused("an order has changed its cart");
            }
            self.put(row)?;
            self.put_parts(row)?;
            self.outgoing.tell(events.iter().cloned(), self.now);
        }
        Ok(())
    }
}
