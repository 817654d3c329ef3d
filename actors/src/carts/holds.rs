//! Units that are reserved for a cart as soon as they are in it (`inventory.reserve_on = cart`).
//!
//! The ledger goes first: before a command reaches its cart, all that the cart will want is
//! reserved, under the id of the order that the cart becomes, so that its checkout has it from the
//! beginning. The command carries what came of that, and the cart decides; what it wants no more is
//! let go after it. So the ledger holds at least what the cart says, and what a crash leaves over
//! runs out by itself. The command is for the version of the cart that was reserved for.

mod plan;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use barrow_engine::cart::{
    By, CartAction, CartCommand, CartRejectionCode, CartStep, Holdable, HoldableStatus, Holding,
    Owner, order_of,
};
use barrow_engine::catalog::Sku;
use barrow_engine::ids::{CartId, OrderId};
use barrow_engine::inventory::{Held, Wish};
use barrow_engine::orders::Order;
use barrow_engine::ports::{Clock, CommerceError};
use barrow_engine::time::Timestamp;
use dashmap::DashMap;
use futures::{StreamExt, stream};
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};

use super::{CartAsk, CartError, CartReply, Carts, CommandOptions, Look, Shape};
use crate::runtime::{CommandError, Tasks};
use crate::stock::{Stock, StockError};
use plan::{Plan, held_of};

/// How often a change is planned anew because the cart was changed through another node.
const TRIES_MAX: usize = 5;

/// Queues that one change waits in at once.
const RESERVED_AT_ONCE: usize = 16;

/// When to come again while the stock cannot be asked.
const STOCK_RETRY: Duration = Duration::from_secs(1);

/// The most that counts as little time left of a hold; a quarter of a short one.
const EXPIRING_MAX: Duration = Duration::from_secs(60);

/// What carts are held with.
#[derive(Clone)]
pub struct HoldParts {
    pub stock: Stock,
    pub clock: Arc<dyn Clock>,
    /// How long a hold lasts after each change.
    pub ttl: Duration,
}

/// A cart's hold, to whoever follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldState {
    /// Nothing is held. It may be held again after the next change.
    None,
    /// Until then; that may have gone by.
    Until(Timestamp),
    /// It is being bought: its order has what it needs.
    CheckingOut,
}

/// Holds of carts, one change of a cart after the other.
pub(super) struct Holds {
    parts: HoldParts,
    turns: Arc<DashMap<CartId, Arc<Mutex<()>>>>,
    tasks: Tasks,
}

/// The right to reserve for a cart through this node.
struct Turn {
    cart: CartId,
    turns: Arc<DashMap<CartId, Arc<Mutex<()>>>>,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        drop(self.guard.take());
        // Whoever waits has the other end of it.
        self.turns.remove_if(&self.cart, |_, turn| Arc::strong_count(turn) == 1);
    }
}

impl Holds {
    pub(super) fn new(parts: HoldParts) -> Holds {
        Holds { parts, turns: Arc::default(), tasks: Tasks::here() }
    }

    /// How much time is little.
    pub(super) fn expiring(&self) -> Duration {
        EXPIRING_MAX.min(self.parts.ttl / 4)
    }

    async fn turn(&self, cart: CartId) -> Turn {
        let turn = self.turns.entry(cart).or_default().clone();
        let guard = Some(turn.lock_owned().await);
        Turn { cart, turns: self.turns.clone(), guard }
    }

    fn until(&self) -> Timestamp {
        self.parts.clock.now().plus(self.parts.ttl)
    }

    /// Reserves what a plan wants; what there is too little of.
    async fn reserve(
        &self,
        order: OrderId,
        plan: &Plan,
        until: Timestamp,
    ) -> Result<Vec<(Sku, u64)>, StockError> {
        let mut missing = plan.to_reserve();
        if plan.has_to_renew() {
            let kept = self.parts.stock.ledger().keep(order, &plan.kept_meanwhile(), until).await?;
            missing.extend(plan.lost(&kept.held));
        }
        let asked = stream::iter(missing).map(async |(sku, wish)| {
            let wanted = Wish { order, quantity: wish.quantity, expires_at: until };
            let held = self.parts.stock.reserve(&sku, wish.allowance, wanted).await?;
            Ok::<_, StockError>(match held {
                Held::All => None,
                Held::Short { available } => Some((sku, available)),
            })
        });
        let held: Vec<_> = asked.buffer_unordered(RESERVED_AT_ONCE).collect().await;
        let short: Result<Vec<_>, StockError> = held.into_iter().collect();
        let mut short: Vec<(Sku, u64)> = short?.into_iter().flatten().collect();
        // In whichever order the queues answered.
        short.sort();
        Ok(short)
    }

    /// Lets go what is beyond this; nothing is missed if it fails, since it runs out.
    async fn trim(&self, order: OrderId, keep: &BTreeMap<Sku, u64>, until: Timestamp) {
        if let Err(error) = self.parts.stock.ledger().keep(order, keep, until).await {
            tracing::warn!(%error, %order, "what a cart wants no more runs out later");
        }
    }
}

fn failed(error: &StockError) -> CartError {
    tracing::warn!(%error, "a cart cannot be held now");
    match error {
        StockError::Overloaded => CommandError::Overloaded { retry_after: STOCK_RETRY },
        // The cart is as it was, whatever became of the reservation.
        StockError::Ledger(_) => CommandError::Unavailable { retry_after: STOCK_RETRY },
    }
}

/// What came of one try.
enum Tried {
    Done(CartReply),
    Refused(CartError),
    /// The cart is at another version than was reserved for.
    Again,
}

impl Carts {
    /// These carts, with units reserved for what is in them.
    #[must_use]
    pub fn held_with(mut self, parts: HoldParts) -> Carts {
        self.holds = Some(Arc::new(Holds::new(parts)));
        self
    }

    /// How little time of a hold is worth telling; `None` where carts are not held.
    pub fn hold_expiring(&self) -> Option<Duration> {
        self.holds.as_ref().map(|holds| holds.expiring())
    }

    /// How long a cart's units are held.
    pub async fn hold(&self, id: CartId, by: Owner) -> Result<HoldState, CartError> {
        let cart = self.holdable(id, By::Shopper(by)).await?;
        Ok(match (cart.status, cart.until) {
            (HoldableStatus::CheckingOut, _) => HoldState::CheckingOut,
            (HoldableStatus::Open, Some(until)) => HoldState::Until(until),
            (HoldableStatus::Open, None) | (HoldableStatus::Over, _) => HoldState::None,
        })
    }

    /// What a cart holds now of each SKU.
    pub async fn held(&self, id: CartId, by: Owner) -> Result<BTreeMap<Sku, u64>, CartError> {
        let Some(holds) = &self.holds else { return Ok(BTreeMap::new()) };
        let cart = self.holdable(id, By::Shopper(by)).await?;
        let held = held_of(&cart, holds.parts.clock.now());
        Ok(held.map(|(held, _)| held).unwrap_or_default())
    }

    async fn holdable(&self, id: CartId, by: By) -> Result<Holdable, CartError> {
        let view = self.runtime.read(id.0, CartAsk { by, look: Look::Hold }).await?.view;
        serde_json::from_slice(&view).map_err(|_| CommandError::Unreadable)
    }

    /// A change, with units for what it leaves in the cart. It comes to its end also when nobody
    /// waits for it any more: what it lets go should not wait until it runs out.
    pub(super) async fn change_held(
        &self,
        holds: &Arc<Holds>,
        id: CartId,
        (by, steps): (Owner, Vec<CartStep>),
        options: CommandOptions,
    ) -> Result<CartReply, CartError> {
        let (to, answer) = oneshot::channel();
        let (carts, running) = (self.clone(), holds.clone());
        holds.tasks.spawn(async move {
            drop(to.send(carts.change_in_turn(&running, id, (by, steps), options).await));
        });
        answer.await.unwrap_or(Err(CommandError::OutcomeUnknown))
    }

    async fn change_in_turn(
        &self,
        holds: &Holds,
        id: CartId,
        (by, steps): (Owner, Vec<CartStep>),
        options: CommandOptions,
    ) -> Result<CartReply, CartError> {
        let _turn = holds.turn(id).await;
        for _ in 0..TRIES_MAX {
            match self.try_held(holds, id, (by, steps.clone()), options).await {
                Tried::Done(reply) => return Ok(reply),
                Tried::Refused(error) => return Err(error),
                Tried::Again => {}
            }
        }
        self.correct(holds, id).await;
        Err(CommandError::Overloaded { retry_after: STOCK_RETRY })
    }

    async fn try_held(
        &self,
        holds: &Holds,
        id: CartId,
        (by, mut steps): (Owner, Vec<CartStep>),
        mut options: CommandOptions,
    ) -> Tried {
        let cart = match self.holdable(id, By::Shopper(by)).await {
            Ok(cart) => cart,
            Err(error) => return Tried::Refused(error),
        };
        let command =
            |steps| CartCommand { by: By::Shopper(by), action: CartAction::Change(steps) };
        let insists = options.expected_version.is_some_and(|version| version != cart.version);
        if cart.status != HoldableStatus::Open || insists {
            // It refuses, or has had that key.
            return match self.send(id, command(steps), options).await {
                Ok(reply) => Tried::Done(reply),
                Err(error) => Tried::Refused(error),
            };
        }
        let plan = Plan::new(&cart, &steps, holds.parts.clock.now());
        let (order, until) = (order_of(id), holds.until());
        let short = match holds.reserve(order, &plan, until).await {
            Ok(short) => Some(short),
            Err(error) if plan.grows() => {
                self.correct(holds, id).await;
                return Tried::Refused(failed(&error));
            }
            // What takes from a cart is not kept from it. It stays held as long as it was.
            Err(error) => {
                tracing::warn!(%error, cart.id = %id, "a hold is not renewed");
                None
            }
        };
        let wanted = short.as_deref().map(|short| plan.wanted(short));
        if let (Some(short), Some(wanted)) = (short, &wanted) {
            let until = Some(until).filter(|_| !wanted.is_empty());
            steps.push(CartStep::Hold(Holding { until, short }));
        }
        let was_asked_for = options.expected_version.is_some();
        options.expected_version = Some(cart.version);
        match self.send(id, command(steps), options).await {
            Ok(reply) if reply.replayed.is_none() => {
                if let Some(wanted) = wanted.filter(|wanted| plan.gives_back(wanted)) {
                    holds.trim(order, &wanted, until).await;
                }
                Tried::Done(reply)
            }
            Ok(reply) => {
                self.correct(holds, id).await;
                Tried::Done(reply)
            }
            Err(CommandError::VersionMismatch { .. }) if !was_asked_for => Tried::Again,
            // It may have been made, and what is reserved may be its own.
            Err(error @ (CommandError::OutcomeUnknown | CommandError::Unavailable { .. })) => {
                Tried::Refused(error)
            }
            Err(error) => {
                self.correct(holds, id).await;
                Tried::Refused(error)
            }
        }
    }

    /// Makes what is reserved for a cart what the cart says, after something was reserved for a
    /// change that was not made.
    async fn correct(&self, holds: &Holds, id: CartId) {
        // What cannot be put right now runs out.
        let Ok(cart) = self.holdable(id, By::System).await else { return };
        if cart.status != HoldableStatus::Open {
            return;
        }
        let (order, ledger) = (order_of(id), holds.parts.stock.ledger());
        let corrected = match held_of(&cart, holds.parts.clock.now()) {
            None => ledger.release(order).await.map(drop),
            Some((held, until)) => ledger.keep(order, &held, until).await.map(drop),
        };
        if let Err(error) = corrected {
            tracing::warn!(%error, cart.id = %id, "what was reserved in vain runs out later");
        }
    }

    /// Before it is bought: holds what the cart does not hold any more, where it can. The version
    /// that the buyer insists on, as it is then.
    pub(crate) async fn hold_again(
        &self,
        id: CartId,
        by: Owner,
        expected_version: Option<u64>,
    ) -> Result<Option<u64>, CartError> {
        let Some(holds) = &self.holds else { return Ok(expected_version) };
        let cart = self.holdable(id, By::Shopper(by)).await?;
        let is_as_seen = expected_version.is_none_or(|version| version == cart.version);
        let plan = Plan::new(&cart, &[], holds.parts.clock.now());
        if cart.status != HoldableStatus::Open || !is_as_seen || plan.to_reserve().is_empty() {
            return Ok(expected_version);
        }
        let options = CommandOptions { key: None, expected_version, shape: Shape::Minimal };
        match self.change_held(holds, id, (by, Vec::new()), options).await {
            Ok(reply) => Ok(expected_version.map(|_| reply.version)),
            // Somebody else was faster; or buys it, and the cart says so.
            Err(CommandError::Rejected(rejection))
                if matches!(rejection.code, CartRejectionCode::Closed(_)) =>
            {
                Ok(expected_version)
            }
            Err(CommandError::VersionMismatch { .. }) => Ok(expected_version),
            Err(error) => Err(error),
        }
    }

    /// Lets go what an order that was given up has reserved; but not what is held for its cart,
    /// which may have been changed since it was opened again.
    pub(crate) async fn let_go(
        &self,
        stock: &Stock,
        order: &Order,
    ) -> Result<Vec<Sku>, CommerceError> {
        let Some(holds) = self.holds.as_ref().filter(|_| order.exchange_of.is_none()) else {
            return stock.release(order.id).await;
        };
        let _turn = holds.turn(order.cart).await;
        let cart = self.holdable(order.cart, By::System).await.ok();
        match cart.and_then(|cart| held_of(&cart, holds.parts.clock.now())) {
            None => stock.release(order.id).await,
            Some((held, until)) => {
                let kept = stock.ledger().keep(order.id, &held, until).await?;
                Ok(kept.freed.into_iter().collect())
            }
        }
    }
}
