//! Reading and writing orders: what a checkout, the desk and the reconciler share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use barrow_engine::ids::OrderId;
use barrow_engine::inventory::StockRefusal;
use barrow_engine::orders::{
    Actor, CapturePolicy, CommandKey, Order, OrderCommand, OrderDecision, OrderRejection, Recorded,
    decide,
};
use barrow_engine::ports::{Clock, CommerceError, OrderChange, OrderStore, PaymentGateway, Saved};

/// How often a write of unknown outcome is made again before the caller is told.
const REPEATS_MAX: u32 = 3;

/// How often a command is decided anew because somebody else was faster.
pub(crate) const TRIES_MAX: usize = 12;

/// The orders, and the gateways that move their money.
pub(crate) struct OrderBook {
    pub orders: Arc<dyn OrderStore>,
    /// By the names that clients know them by.
    pub gateways: BTreeMap<String, Arc<dyn PaymentGateway>>,
    pub clock: Arc<dyn Clock>,
    pub capture: CapturePolicy,
    /// How long a gateway is waited for.
    pub answer_max: Duration,
}

/// Why an order is not changed.
#[derive(Debug)]
pub(crate) enum BookError {
    Rejected(OrderRejection),
    Store(CommerceError),
    /// Others change it all the time.
    Busy,
}

impl From<CommerceError> for BookError {
    fn from(error: CommerceError) -> BookError {
        BookError::Store(error)
    }
}

/// What came of a command to an order.
#[expect(clippy::large_enum_variant, reason = "it is looked at, and lives no longer")]
pub(crate) enum Written {
    /// The order as it is now.
    Done(Order),
    /// Somebody else was faster: look again.
    Stale,
    /// The stock does not allow it.
    Refused(StockRefusal),
}

impl OrderBook {
    /// An order as it is now.
    pub async fn look(&self, id: OrderId) -> Result<Order, BookError> {
        // No order ever goes: what is not there is not there yet.
        self.orders.get(id).await?.ok_or(BookError::Busy)
    }

    /// Decides a command and writes what comes of it, together with the key that it was sent
    /// with: a command that changes nothing is written as well where it has one.
    pub async fn write(
        &self,
        order: &Order,
        command: OrderCommand,
        by: Actor,
        key: Option<CommandKey>,
    ) -> Result<Written, BookError> {
        self.write_all(order, [(command, by)], key).await
    }

    /// As [`OrderBook::write`], of commands of which each goes on from the one before: all of them
    /// in one transaction, or none.
    pub async fn write_all(
        &self,
        order: &Order,
        commands: impl IntoIterator<Item = (OrderCommand, Actor)>,
        key: Option<CommandKey>,
    ) -> Result<Written, BookError> {
        let at = self.clock.now();
        let (mut next, mut made, mut moved, mut actor) =
            (order.clone(), Vec::new(), Vec::new(), String::new());
        for (command, by) in commands {
            actor = name_of(&by);
            let decision = decide(&next, command, by, at, self.capture);
            let OrderDecision { order, events, stock } = decision.map_err(BookError::Rejected)?;
            next = order;
            made.extend(events);
            moved.extend(stock);
        }
        if made.is_empty() && key.is_none() {
            return Ok(Written::Done(next));
        }
        next.version = order.version + 1;
        if let Some(key) = key {
            let made = made.iter().find_map(barrow_engine::orders::OrderEvent::made);
            next.remember(key, made, at);
        }
        let known = order.timeline.len();
        self.save(order, OrderChange { order: next, known, stock: moved, actor, at }).await
    }

    async fn save(&self, before: &Order, change: OrderChange) -> Result<Written, BookError> {
        let mut repeats = 0;
        let saved = loop {
            match self.orders.save(&change).await {
                Err(CommerceError::OutcomeUnknown(_)) if repeats < REPEATS_MAX => repeats += 1,
                saved => break saved?,
            }
        };
        match saved {
            Saved::Done => Ok(Written::Done(change.order)),
            Saved::Refused(refusal) => Ok(Written::Refused(refusal)),
            Saved::Stale { .. } if repeats == 0 => Ok(Written::Stale),
            // The first of the repeats may have been written, and changed by others since.
            Saved::Stale { .. } => {
                let now = self.look(change.order.id).await?;
                let ours = &change.order.timeline[before.timeline.len()..];
                match has_happened(&now, before.timeline.len(), ours) {
                    true => Ok(Written::Done(now)),
                    false => Ok(Written::Stale),
                }
            }
        }
    }
}

/// For the movements of its stock.
fn name_of(actor: &Actor) -> String {
    match actor {
        Actor::Staff { name, .. } | Actor::Gateway { name } => name.clone(),
        Actor::Customer { .. } => "customer".to_owned(),
        Actor::System => "system".to_owned(),
    }
}

/// Whether these lines are in a timeline, which only grows, at that place.
fn has_happened(order: &Order, place: usize, lines: &[Recorded]) -> bool {
    !lines.is_empty() && order.timeline.get(place..place + lines.len()) == Some(lines)
}
