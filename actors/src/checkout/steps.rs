//! The single steps of a checkout, each with one effect however often it is made.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use barrow_engine::cart::{By, CartAction, CartCommand, CartRejectionCode, LineId, Owner};
use barrow_engine::catalog::{Sellable, Sku};
use barrow_engine::ids::{CartId, OrderId};
use barrow_engine::inventory::{Held, Ledger, StockRefusal, Wish};
use barrow_engine::orders::{
    Actor, NewOrder, Order, OrderCommand, OrderRejection, OrderStatus, OverLimit, PaymentChoice,
    decide,
};
use barrow_engine::ports::Opened;
use futures::future::join_all;

use super::{CheckoutAsk, CheckoutError, Inner};
use crate::carts::{CommandOptions, Shape};
use crate::orders::book::Written;
use crate::runtime::{Bug, is_planted};

/// A guest has no account.
pub(super) const BUYER: Actor = Actor::Customer { id: None };

/// Why an order is given up that cannot be reserved.
pub(super) const TOO_LITTLE: &str = "too little stock";

/// Too few units of a SKU for an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    pub sku: Sku,
    /// The first line that wants it.
    pub line: LineId,
    pub requested: u32,
    pub available: u64,
}

impl Inner {
    pub(super) fn check_payment(&self, choice: &PaymentChoice) -> Result<(), CheckoutError> {
        let gateway = self.parts.gateways.get(&choice.gateway);
        let is_known =
            gateway.is_some_and(|gateway| gateway.methods().contains(&choice.method.as_str()));
        if is_known { Ok(()) } else { Err(CheckoutError::UnknownPayment) }
    }

    /// The order of an earlier try to buy a cart. Most carts are bought at the first one: what the
    /// cart itself knows spares the database a question.
    pub(super) async fn earlier_try(
        &self,
        cart: CartId,
        by: Owner,
    ) -> Result<Option<Order>, CheckoutError> {
        if matches!(self.parts.carts.tries(cart, by).await, Ok(0)) {
            return Ok(None);
        }
        let order = self.parts.orders.of_cart(cart).await?;
        Ok(order.filter(|order| order.owner == by))
    }

    pub(super) async fn freeze(
        &self,
        cart: CartId,
        by: Owner,
        ask: &CheckoutAsk,
    ) -> Result<(), CheckoutError> {
        let action = CartAction::Freeze { expected_total: ask.expected_total };
        let command = CartCommand { by: By::Shopper(by), action };
        // The order remembers the key: the cart would take a repeat for done that is to be decided
        // anew, since what came of the first has left nothing behind.
        let expected_version = ask.expected_version;
        let expected_version = self.parts.carts.hold_again(cart, by, expected_version).await?;
        let options = CommandOptions { key: None, expected_version, shape: Shape::Minimal };
        self.parts.carts.execute(cart, command, options).await?;
        Ok(())
    }

    /// The draft of a frozen cart, opened now if it was not before; `None` where the cart can no
    /// longer be bought for what its buyer agreed to.
    pub(super) async fn open(&self, cart: CartId) -> Result<Option<Order>, CheckoutError> {
        let Some(new) = self.parts.carts.to_order(cart).await? else { return Ok(None) };
        let draft = Order::draft(new.clone(), self.parts.clock.now());
        match self.parts.orders.open(&draft).await? {
            Opened::New => Ok(Some(draft)),
            Opened::Existing(order) => self.try_again(*order, new).await.map(Some),
            Opened::OverLimit(over) => self.refuse_over_limit(&draft, new.freeze, over).await,
        }
    }

    /// The same of a cart that seems to have no order yet, as far as an ordinary checkout goes
    /// before its gateway is asked, in one transaction: what it needs is reserved first, so that
    /// its order begins with its payment; or it is given up at once, where there is too little.
    /// Who comes to an order that was there goes on with that one.
    pub(super) async fn open_begun(
        &self,
        cart: CartId,
        payment: &PaymentChoice,
    ) -> Result<Option<(Order, Vec<Shortage>)>, CheckoutError> {
        let Some(new) = self.parts.carts.to_order(cart).await? else { return Ok(None) };
        let now = self.parts.clock.now();
        let draft = Order::draft(new.clone(), now);
        let shortages = self.reserve(&draft).await?;
        let first = match shortages.is_empty() {
            true if draft.totals().total == 0 => None,
            true => Some((OrderCommand::StartPayment(payment.clone()), BUYER)),
            false => {
                let reason = TOO_LITTLE.to_owned();
                Some((OrderCommand::Abandon { reason }, Actor::System))
            }
        };
        let begun = match first {
            None => draft,
            Some((command, by)) => {
                let decided = decide(&draft, command, by, now, self.parts.settings.capture);
                let order = decided.map_err(CheckoutError::Order)?.order;
                Order { version: draft.version, ..order }
            }
        };
        match self.parts.orders.open(&begun).await? {
            Opened::New => Ok(Some((begun, shortages))),
            Opened::Existing(order) => {
                self.try_again(*order, new).await.map(|order| Some((order, Vec::new())))
            }
            Opened::OverLimit(over) => self.refuse_over_limit(&begun, new.freeze, over).await,
        }
    }

    /// Goes on with a cart's order, which may be that of an earlier try.
    async fn try_again(&self, order: Order, new: NewOrder) -> Result<Order, CheckoutError> {
        let is_earlier_try = order.status == OrderStatus::Abandoned && order.freeze < new.freeze;
        if !is_earlier_try {
            return Ok(order);
        }
        if order.live_payment().is_some() {
            // What an earlier try was paid with is not back yet: this one cannot begin.
            self.unfreeze(new.cart, new.freeze).await?;
            return Err(CheckoutError::Order(OrderRejection::PaymentOpen));
        }
        let freeze = new.freeze;
        match self.write(&order, OrderCommand::Reopen(new), Actor::System).await? {
            Written::Done(order) => Ok(order),
            Written::Refused(StockRefusal::OverLimit(over)) => {
                self.refuse_over_limit(&order, freeze, over).await
            }
            Written::Stale | Written::Refused(_) => self.look(order.id).await,
        }
    }

    /// Its buyer would have more than one may have: the cart is open again.
    async fn refuse_over_limit<T>(
        &self,
        order: &Order,
        freeze: u32,
        over: OverLimit,
    ) -> Result<T, CheckoutError> {
        self.unfreeze(order.cart, freeze).await?;
        // What is reserved for it, or was held for the cart.
        self.let_go(order).await?;
        Err(CheckoutError::OverLimit(over))
    }

    /// An order as it is now.
    pub(super) async fn look(&self, id: OrderId) -> Result<Order, CheckoutError> {
        Ok(self.book.look(id).await?)
    }

    /// Decides a command and writes what comes of it.
    pub(super) async fn write(
        &self,
        order: &Order,
        command: OrderCommand,
        by: Actor,
    ) -> Result<Written, CheckoutError> {
        Ok(self.book.write(order, command, by, None).await?)
    }

    /// Reserves all that an order needs, or renews what it has; what there is too little of.
    pub(super) async fn reserve(&self, order: &Order) -> Result<Vec<Shortage>, CheckoutError> {
        let wanted = wanted(order);
        let skus: Vec<Sku> = wanted.keys().copied().cloned().collect();
        let sellables = self.parts.shelf.sellables(&skus).await?;
        let is_asked = order.pending_operations().next().is_some();
        let ttl = match is_planted(Bug::ReservationNotKept) && is_asked {
            true => Duration::ZERO,
            false => self.parts.settings.reservation_ttl,
        };
        let expires_at = self.parts.clock.now().plus(ttl);
        let asked = skus.iter().zip(wanted.values()).zip(&sellables);
        let asked = asked.map(async |((sku, (line, quantity)), sellable)| {
            let wish = Wish { order: order.id, quantity: *quantity, expires_at };
            let held = self.parts.stock.reserve(sku, allowance(sellable.as_ref()), wish).await?;
            Ok::<_, CheckoutError>(shortage(sku, *line, *quantity, held))
        });
        let held: Result<Vec<Option<Shortage>>, CheckoutError> =
            join_all(asked).await.into_iter().collect();
        Ok(held?.into_iter().flatten().collect())
    }

    /// What there is too little of now for an order that has nothing reserved.
    pub(super) async fn missing(&self, order: &Order) -> Result<Vec<Shortage>, CheckoutError> {
        let wanted = wanted(order);
        let skus: Vec<Sku> = wanted.keys().copied().cloned().collect();
        let sellables = self.parts.shelf.sellables(&skus).await?;
        let levels = self.parts.stock.ledger().levels(&skus).await?;
        let mut ledger = Ledger::new(levels, []);
        let asked = skus.iter().zip(wanted.values()).zip(&sellables);
        let missing = asked.filter_map(|((sku, (line, quantity)), sellable)| {
            let wish =
                Wish { order: order.id, quantity: *quantity, expires_at: self.parts.clock.now() };
            let held = ledger.reserve(sku, allowance(sellable.as_ref()), &[wish]).pop()?;
            shortage(sku, *line, *quantity, held)
        });
        Ok(missing.collect())
    }

    /// Lets go what is reserved for an order. Who tries again at once finds it free: the shelf here
    /// knows before the buyer is told, and not only when the news have come round.
    pub(super) async fn let_go(&self, order: &Order) -> Result<(), CheckoutError> {
        let freed = self.parts.carts.let_go(&self.parts.stock, order).await?;
        if let Err(error) = self.parts.shelf.stock_changed(&freed).await {
            tracing::warn!(%error, order = %order.id, "what was let go is seen late");
        }
        Ok(())
    }

    /// Opens the cart again, if it is still frozen for the try that was given up.
    pub(super) async fn unfreeze(&self, cart: CartId, freeze: u32) -> Result<(), CheckoutError> {
        self.parts.carts.settle(cart, CartAction::Unfreeze { freeze }).await?;
        Ok(())
    }

    /// The same of an order's cart; an exchange has none.
    pub(super) async fn let_cart_go(&self, order: &Order) -> Result<(), CheckoutError> {
        match order.exchange_of {
            None => self.unfreeze(order.cart, order.freeze).await,
            Some(_) => Ok(()),
        }
    }

    /// The same where the order is given up.
    pub(super) async fn let_ended_try_go(&self, order: &Order) -> Result<(), CheckoutError> {
        match order.status {
            OrderStatus::Abandoned => self.let_cart_go(order).await,
            _ => Ok(()),
        }
    }

    /// The cart is bought, and its buyer has another one to go on with.
    pub(super) async fn mark_ordered(&self, order: &Order) -> Result<(), CheckoutError> {
        if order.exchange_of.is_none() {
            self.parts.carts.open_next(order).await?;
            self.parts.carts.settle(order.cart, CartAction::MarkOrdered).await?;
        }
        Ok(())
    }

    pub(super) fn total_changed() -> CheckoutError {
        barrow_engine::cart::CartRejection::from(CartRejectionCode::TotalChanged).into()
    }
}

/// The units of each SKU that an order needs, and the first line that does.
fn wanted(order: &Order) -> BTreeMap<&Sku, (LineId, u32)> {
    let mut wanted: BTreeMap<&Sku, (LineId, u32)> = BTreeMap::new();
    for line in order.tracked_lines() {
        wanted.entry(&line.sku).or_insert((line.id, 0)).1 += line.quantity;
    }
    wanted
}

fn shortage(sku: &Sku, line: LineId, requested: u32, held: Held) -> Option<Shortage> {
    match held {
        Held::All => None,
        Held::Short { available } => {
            Some(Shortage { sku: sku.clone(), line, requested, available })
        }
    }
}

/// How many more units may be promised than are on hand; none of what is not sold any more.
fn allowance(sellable: Option<&Arc<Sellable>>) -> Option<u64> {
    sellable.map_or(Some(0), |sellable| sellable.stock.allowance())
}
