//! The checkout: from a frozen cart to a placed order, or back to an open cart.
//!
//! Only the order's row decides. Whoever drives a checkout reads that row, does the one thing
//! that comes next, and writes what came of it on the condition that nobody else has; every step
//! has one effect however often it is made, so any number may drive at once, and after a crash
//! anybody goes on. Two do: the request of the buyer, and the cart itself, whose news that it was
//! frozen is delivered to [`Checkouts`] again and again until the order has come to an end.

mod drive;
mod ended;
mod news;
mod repeats;
mod steps;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use barrow_engine::cart::{CartRejection, Owner};
use barrow_engine::ids::CartId;
use barrow_engine::money::Money;
use barrow_engine::orders::{
    CapturePolicy, Order, OrderRejection, OrderStatus, OverLimit, PaymentChoice,
};
use barrow_engine::ports::{Clock, CommerceError, OrderStore, PaymentGateway};

use crate::carts::{CartError, Carts};
use crate::orders::book::{BookError, OrderBook};
use crate::runtime::{CommandError, EffectRouter, Tasks};
use crate::shelf::{Shelf, ShelfError};
use crate::stock::{Stock, StockError};

use ended::Ended;
use repeats::Told;
pub use steps::Shortage;

/// How a shop sells.
#[derive(Debug, Clone, Copy)]
pub struct CheckoutSettings {
    pub capture: CapturePolicy,
    /// How long a reservation lasts. It is renewed for as long as a payment may come.
    pub reservation_ttl: Duration,
    /// How long is waited for an answer of the gateway.
    pub answer_max: Duration,
    /// How long a buyer waits for all of it before they are told to ask again.
    pub reply_max: Duration,
}

impl Default for CheckoutSettings {
    fn default() -> Self {
        CheckoutSettings {
            capture: CapturePolicy::default(),
            reservation_ttl: Duration::from_secs(15 * 60),
            // Some of a reply's time is for our own writes.
            answer_max: Duration::from_secs(6),
            // Clients are promised a reply within 8 seconds.
            reply_max: Duration::from_millis(7_500),
        }
    }
}

/// What checkouts are made of.
pub struct CheckoutParts {
    pub carts: Carts,
    pub shelf: Arc<dyn Shelf>,
    pub stock: Stock,
    pub orders: Arc<dyn OrderStore>,
    /// By the names that clients know them by.
    pub gateways: BTreeMap<String, Arc<dyn PaymentGateway>>,
    pub clock: Arc<dyn Clock>,
    pub effects: Arc<EffectRouter>,
    pub settings: CheckoutSettings,
}

/// What a buyer asks.
#[derive(Debug, Clone)]
pub struct CheckoutAsk {
    /// With the key of the request.
    pub payment: PaymentChoice,
    /// What the buyer agreed to pay.
    pub expected_total: Money,
    /// The cart's version that the buyer saw, where they insist on it.
    pub expected_version: Option<u64>,
}

/// Where a checkout stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The order is placed; `before` if it was when the buyer asked.
    Placed { order: Order, before: bool },
    /// The gateway's answer is not known yet, or the buyer has to act.
    Pending(Order),
    /// The gateway refused; the cart is open again. `before` if the buyer was told so before.
    Declined { order: Order, code: String, before: bool },
    /// There is too little; the cart is open again.
    Short(Vec<Shortage>),
    /// Given up for another reason; the cart is open again.
    GivenUp(Order),
}

/// Why a checkout does not go on.
#[derive(Debug, thiserror::Error)]
pub enum CheckoutError {
    /// The cart refuses, or cannot be asked.
    #[error(transparent)]
    Cart(#[from] CartError),
    /// No such gateway, or it has no such method.
    #[error("there is no such way to pay")]
    UnknownPayment,
    /// Under its key something else was asked.
    #[error("the idempotency key was used for another checkout of this cart")]
    KeyReused,
    /// The cart is open again.
    #[error("no more than {} of {} for one customer", .0.maximum, .0.sku)]
    OverLimit(OverLimit),
    #[error("the order refuses: {0:?}")]
    Order(OrderRejection),
    #[error(transparent)]
    Stock(#[from] StockError),
    #[error(transparent)]
    Store(#[from] CommerceError),
    #[error(transparent)]
    Catalog(#[from] ShelfError),
    /// Others change the order all the time.
    #[error("the order is being changed by others")]
    Busy,
}

impl From<BookError> for CheckoutError {
    fn from(error: BookError) -> CheckoutError {
        match error {
            BookError::Rejected(rejection) => CheckoutError::Order(rejection),
            BookError::Store(error) => CheckoutError::Store(error),
            BookError::Busy => CheckoutError::Busy,
        }
    }
}

impl From<CartRejection> for CheckoutError {
    fn from(rejection: CartRejection) -> CheckoutError {
        CheckoutError::Cart(CommandError::Rejected(rejection))
    }
}

/// All checkouts. Clones are handles to the same ones.
#[derive(Clone)]
pub struct Checkouts {
    inner: Arc<Inner>,
}

struct Inner {
    parts: CheckoutParts,
    book: Arc<OrderBook>,
    ended: Ended,
    tasks: Tasks,
}

impl Checkouts {
    /// Starts them on the current tokio runtime, and registers them for the news of carts.
    pub fn start(parts: CheckoutParts) -> Checkouts {
        let book = Arc::new(OrderBook {
            orders: parts.orders.clone(),
            gateways: parts.gateways.clone(),
            clock: parts.clock.clone(),
            capture: parts.settings.capture,
            answer_max: parts.settings.answer_max,
        });
        let checkouts = Checkouts {
            inner: Arc::new(Inner { parts, book, ended: Ended::default(), tasks: Tasks::here() }),
        };
        news::register(&checkouts.inner);
        checkouts
    }

    /// The methods of a gateway, if there is such a one.
    pub fn methods(&self, gateway: &str) -> Option<&[&str]> {
        self.inner.parts.gateways.get(gateway).map(|gateway| gateway.methods())
    }

    /// Buys a cart. It goes on when nobody waits for it any more.
    pub async fn checkout(
        &self,
        cart: CartId,
        by: Owner,
        ask: CheckoutAsk,
    ) -> Result<Progress, CheckoutError> {
        let inner = &self.inner;
        inner.check_payment(&ask.payment)?;
        let known = inner.earlier_try(cart, by).await?;
        let before = known.as_ref().map(|order| order.version);
        let told = known.as_ref().map(|order| repeats::told_before(order, ask.payment.request));
        match (told.transpose()?.flatten(), known) {
            (Some(Told::Ended(progress)), _) => return Ok(progress),
            (_, Some(order)) if is_over(&order) => {
                return Ok(Progress::Placed { order, before: true });
            }
            (Some(Told::UnderWay), _) => {}
            (None, known) => {
                // Who came to a try that has just ended would see it end under their hands.
                if let Some(ended) = known {
                    inner.let_ended_try_go(&ended).await?;
                }
                inner.freeze(cart, by, &ask).await?;
            }
        }
        let (to, driven) = tokio::sync::oneshot::channel();
        let running = inner.clone();
        inner.tasks.spawn(async move {
            drop(to.send(running.buy(cart, ask.payment, before).await));
        });
        match tokio::time::timeout(inner.parts.settings.reply_max, driven).await {
            Ok(progress) => progress.unwrap_or(Err(CheckoutError::Busy)),
            Err(_) => inner.so_far(cart).await,
        }
    }

    /// Gives a checkout up that has not come to an end: what was authorized is let go, what was
    /// reserved is released, and the cart is open again. Of one that has ended, nothing.
    pub async fn give_up(&self, cart: CartId, by: Owner) -> Result<(), CheckoutError> {
        // Whose cart it is, the cart says.
        self.inner.parts.carts.get(cart, by).await?;
        self.inner.give_up(cart).await
    }

    /// Goes on with a checkout that nobody may be driving; where it stands then.
    pub(crate) async fn go_on(&self, order: Order) -> Result<Progress, CheckoutError> {
        self.inner.drive(order, None).await
    }

    /// Drives a draft that has no cart and is paid for otherwise. It goes on when nobody waits for
    /// it any more.
    pub(crate) async fn pay(
        &self,
        draft: Order,
        payment: PaymentChoice,
    ) -> Result<Progress, CheckoutError> {
        let (to, driven) = tokio::sync::oneshot::channel();
        let running = self.inner.clone();
        self.inner.tasks.spawn(async move {
            drop(to.send(running.drive(draft, Some(payment)).await));
        });
        driven.await.unwrap_or(Err(CheckoutError::Busy))
    }

    pub(crate) fn shelf(&self) -> &Arc<dyn Shelf> {
        &self.inner.parts.shelf
    }

    pub(crate) fn book(&self) -> &Arc<OrderBook> {
        &self.inner.book
    }
}

/// Whether its cart has been bought.
fn is_over(order: &Order) -> bool {
    !matches!(order.status, OrderStatus::Draft | OrderStatus::Abandoned)
}
