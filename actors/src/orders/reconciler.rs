//! What somebody began and nobody brings to an end is brought to an end here: operations that no
//! gateway has answered, money that a gateway refused to give back, drafts whose checkout is no
//! more. Each node looks by itself. Two that meet at an order do nothing twice, as no two drivers
//! do: only the order's row decides.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use barrow_engine::ids::OrderId;
use barrow_engine::orders::{Actor, Order, OrderCommand, OrderStatus};
use futures::StreamExt;

use super::book::Written;
use super::{Inner, OrderDeskError};
use crate::checkout::CheckoutError;

/// Orders of one look.
const BATCH_MAX: usize = 100;

/// Orders that are driven at the same time: each waits for a gateway, mostly.
const DRIVEN_MAX: usize = 8;

/// How long one order may keep a look waiting.
const DRIVE_MAX: Duration = Duration::from_secs(30);

/// Orders that are remembered because they could not be settled. Beyond it the oldest hide the
/// younger ones; so many are a gateway that is down.
const WAITING_MAX: usize = 10_000;

/// The pause before an order that was not settled is looked at again doubles so often: from 2 s
/// to about 4 minutes.
const DOUBLINGS_MAX: u32 = 7;

/// An order that was looked at in vain.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    looks: u32,
    /// Of uptime.
    next_at: Duration,
}

pub(super) fn start(inner: &Arc<Inner>) {
    let weak = Arc::downgrade(inner);
    let (pause, entropy) = (inner.reconciler.pause, inner.entropy.clone());
    let jitter_ms_max = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX).max(1);
    inner.tasks.spawn(async move {
        let mut waiting = HashMap::new();
        loop {
            // Nodes that started together do not look together for ever.
            let jitter = Duration::from_millis(entropy.next_u64() % jitter_ms_max);
            tokio::time::sleep(pause + jitter).await;
            let Some(inner) = weak.upgrade() else { return };
            inner.look_around(&mut waiting).await;
        }
    });
}

impl Inner {
    /// Looks once at what is not settled, the oldest first, and drives what is due.
    async fn look_around(&self, waiting: &mut HashMap<OrderId, Waiting>) {
        let now = self.book.clock.now();
        let before = now.minus(self.reconciler.quiet);
        let limit = BATCH_MAX + waiting.len();
        let found = match self.book.orders.unsettled(before, limit).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "what is not settled cannot be read");
                return;
            }
        };
        waiting.retain(|id, _| found.contains(id));
        let uptime = self.book.clock.uptime();
        let is_due = |id: &OrderId| waiting.get(id).is_none_or(|one| one.next_at <= uptime);
        let due: Vec<OrderId> = found.into_iter().filter(is_due).take(BATCH_MAX).collect();
        let driven = futures::stream::iter(due)
            .map(async |id| (id, self.is_brought_to_an_end(id).await))
            .buffer_unordered(DRIVEN_MAX);
        let driven: Vec<(OrderId, bool)> = driven.collect().await;
        for (id, is_over) in driven {
            match is_over {
                true => drop(waiting.remove(&id)),
                false => self.wait_longer(waiting, id),
            }
        }
    }

    fn wait_longer(&self, waiting: &mut HashMap<OrderId, Waiting>, id: OrderId) {
        let is_known = waiting.contains_key(&id);
        if !is_known && waiting.len() >= WAITING_MAX {
            return;
        }
        let looks = waiting.get(&id).map_or(0, |one| one.looks);
        let pause = self.reconciler.pause * 2_u32.pow(looks.min(DOUBLINGS_MAX));
        let next_at = self.book.clock.uptime() + pause;
        waiting.insert(id, Waiting { looks: looks + 1, next_at });
    }

    async fn is_brought_to_an_end(&self, id: OrderId) -> bool {
        let driven = async {
            let order = self.book.look(id).await?;
            self.go_on(order).await
        };
        match tokio::time::timeout(DRIVE_MAX, driven).await {
            Ok(Ok(order)) => order.is_settled(),
            Ok(Err(error)) => {
                tracing::warn!(%error, order.id = %id, "an order does not go on");
                false
            }
            Err(_) => false,
        }
    }

    /// Does what is left to do for an order; the order as it is then.
    pub(super) async fn go_on(&self, order: Order) -> Result<Order, OrderDeskError> {
        let id = order.id;
        let order = self.give_back_again(order).await?;
        match order.status {
            OrderStatus::Draft | OrderStatus::Abandoned => {
                match self.checkouts.go_on(order).await {
                    Ok(_) => {}
                    Err(CheckoutError::Store(error)) => return Err(error.into()),
                    Err(error) => {
                        tracing::warn!(%error, order.id = %id, "a checkout does not go on");
                    }
                }
                Ok(self.book.look(id).await?)
            }
            OrderStatus::Placed | OrderStatus::Cancelled | OrderStatus::Completed => {
                Ok(self.book.settle_money(order).await?)
            }
        }
    }

    /// Money that a gateway refused to give back is given back again, when it is time.
    async fn give_back_again(&self, order: Order) -> Result<Order, OrderDeskError> {
        if order.settle_due_at().is_none_or(|at| at > self.book.clock.now()) {
            return Ok(order);
        }
        match self.book.write(&order, OrderCommand::Settle, Actor::System, None).await? {
            Written::Done(order) => Ok(order),
            Written::Stale | Written::Refused(_) => Ok(self.book.look(order.id).await?),
        }
    }
}
