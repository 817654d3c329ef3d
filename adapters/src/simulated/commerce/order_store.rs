//! Orders.

use std::cmp::Reverse;

use async_trait::async_trait;
use barrow_engine::ids::{CartId, OrderId, ReturnId};
use barrow_engine::orders::{Order, OrderNumber};
use barrow_engine::ports::{
    CommerceError, ORDER_PAGE_MAX, Opened, OrderChange, OrderQuery, OrderSort, OrderStore,
    ReturnQuery, Saved,
};
use barrow_engine::time::Timestamp;

use super::{SimulatedCommerce, StoredOrder, Tables};
use crate::commerce::End;
use crate::commerce::order_row::number_of;
use crate::commerce::write_queue::mixed_up;
use crate::commerce::writes::{Outcome, Write};

type Result<T> = std::result::Result<T, CommerceError>;

#[async_trait]
impl OrderStore for SimulatedCommerce {
    async fn open(&self, draft: &Order) -> Result<Opened> {
        match self.write_alone(Write::open(draft)?)? {
            Outcome::Opened(opened) => Ok(opened),
            other => Err(mixed_up(&other)),
        }
    }

    async fn get(&self, id: OrderId) -> Result<Option<Order>> {
        Ok(self.tables().orders.get(&id).map(|stored| stored.order.clone()))
    }

    async fn of_cart(&self, cart: CartId) -> Result<Option<Order>> {
        let tables = self.tables();
        let stored = tables.carts.get(&cart).and_then(|id| tables.orders.get(id));
        Ok(stored.map(|stored| stored.order.clone()))
    }

    async fn of_number(&self, number: OrderNumber) -> Result<Option<Order>> {
        let tables = self.tables();
        let stored = tables.numbers.get(&number).and_then(|id| tables.orders.get(id));
        Ok(stored.map(|stored| stored.order.clone()))
    }

    async fn next_number(&self) -> Result<OrderNumber> {
        let next = self.write(async |tables: &mut Tables| {
            tables.next_number += 1;
            Ok(End::Commit(tables.next_number - 1))
        })?;
        number_of(next)
    }

    async fn save(&self, change: &OrderChange) -> Result<Saved> {
        match self.write_alone(Write::save(change)?)? {
            Outcome::Saved(saved) => Ok(saved),
            other => Err(mixed_up(&other)),
        }
    }

    async fn list(&self, query: &OrderQuery) -> Result<Vec<Order>> {
        let tables = self.tables();
        let of_query = tables.orders.values().filter(|stored| stored.is_of(query));
        let mut found: Vec<Order> = of_query.map(|stored| stored.order.clone()).collect();
        match query.sort {
            OrderSort::Newest => found.sort_by_key(|it| Reverse((it.created_at, it.id))),
            OrderSort::Oldest => found.sort_by_key(|it| (it.created_at, it.id)),
        }
        found.truncate(query.limit.min(ORDER_PAGE_MAX));
        Ok(found)
    }

    async fn of_return(&self, id: ReturnId) -> Result<Option<Order>> {
        let tables = self.tables();
        let stored = tables.returns.get(&id).and_then(|id| tables.orders.get(id));
        Ok(stored.map(|stored| stored.order.clone()))
    }

    async fn returns(&self, query: &ReturnQuery) -> Result<Vec<(ReturnId, Order)>> {
        let tables = self.tables();
        let mut found = Vec::new();
        for stored in tables.orders.values() {
            for made in &stored.order.returns {
                let is_before = query.after.is_none_or(|after| (made.at, made.id) < after);
                let is_of_status = query.status.is_none_or(|status| status == made.status);
                if is_before && is_of_status {
                    found.push((Reverse((made.at, made.id)), &stored.order));
                }
            }
        }
        found.sort_by_key(|(place, _)| *place);
        found.truncate(query.limit.min(ORDER_PAGE_MAX));
        Ok(found.into_iter().map(|(Reverse((_, id)), order)| (id, order.clone())).collect())
    }

    async fn unsettled(&self, before: Timestamp, limit: usize) -> Result<Vec<OrderId>> {
        let tables = self.tables();
        let waiting = tables.orders.values();
        let waiting = waiting.filter(|stored| !stored.settled && stored.changed_at < before);
        let mut found: Vec<_> =
            waiting.map(|stored| (stored.changed_at, stored.order.id)).collect();
        found.sort_unstable();
        found.truncate(limit);
        Ok(found.into_iter().map(|(_, id)| id).collect())
    }
}

impl StoredOrder {
    fn is_of(&self, query: &OrderQuery) -> bool {
        let order = &self.order;
        let place = (order.created_at, order.id);
        let is_behind = query.after.is_none_or(|after| match query.sort {
            OrderSort::Newest => place < after,
            OrderSort::Oldest => place > after,
        });
        let is_placed_there = |is: &dyn Fn(Timestamp) -> bool| order.placed_at.is_some_and(is);
        is_behind
            && (query.statuses.is_empty() || query.statuses.contains(&order.status))
            && query.payment.is_none_or(|it| it == order.payment_progress())
            && query.fulfilment.is_none_or(|it| it == order.fulfilment_progress())
            && query.placed_after.is_none_or(|after| is_placed_there(&|at| at >= after))
            && query.placed_before.is_none_or(|before| is_placed_there(&|at| at < before))
            && query.text.as_deref().is_none_or(|text| self.is_called(text))
    }

    fn is_called(&self, text: &str) -> bool {
        let text = text.trim().to_lowercase();
        let is_number = || text.parse().is_ok_and(|number| self.order.number == Some(number));
        self.email.starts_with(&text) || self.last_name.starts_with(&text) || is_number()
    }
}
