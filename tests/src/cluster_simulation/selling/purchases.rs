//! What buyers, and whoever works for the house, were told of orders.

use std::collections::BTreeMap;
use std::fmt;

use barrow_engine::ids::{CartId, OrderId};
use parking_lot::Mutex;

/// How a command ended for whoever sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Heard {
    Done,
    /// Nobody said what came of it; it may have happened, or may yet.
    Open,
    /// Each time it was sent the reply said that nothing had changed.
    Refused,
}

/// What a command is known by in its order, once it is done.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Mark {
    /// The number of a parcel's tracking.
    Parcel(String),
    /// The reason of a refund.
    Refund(String),
    /// An amount that nobody else captures.
    Capture(i64),
    Cancellation,
}

/// A cart that was filled to be bought.
#[derive(Debug, Clone, Hash)]
pub struct Bought {
    /// Of the session whose it is.
    pub token: String,
    /// Units by SKU.
    pub units: BTreeMap<String, u32>,
    pub total: i64,
    /// What its buyer was told: it is placed.
    pub order: Option<OrderId>,
}

#[derive(Debug, Default, Hash)]
pub struct PurchaseLog {
    pub carts: BTreeMap<CartId, Bought>,
    /// Commands to orders that were placed.
    pub asked: Vec<(OrderId, Mark, Heard)>,
    pub counts: Sold,
}

/// What happened, counted.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sold {
    /// Orders that somebody was told of.
    pub placed: usize,
    /// Their carts' next answers were 202, 402, or too little.
    pub pending: usize,
    pub declined: usize,
    pub short: usize,
    /// Checkouts that their buyers gave up.
    pub given_up: usize,
    /// Commands that were done to placed orders.
    pub commands: usize,
}

impl fmt::Display for Sold {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sold { placed, pending, declined, short, given_up, commands } = self;
        write!(
            to,
            "{placed} orders placed, {commands} commands done to them; checkouts were told \
             {pending} times to wait, {declined} times that they were declined, {short} times \
             that there is too little; {given_up} were given up"
        )
    }
}

impl Sold {
    /// Counts another run's as well.
    pub fn add(&mut self, other: &Sold) {
        self.placed += other.placed;
        self.pending += other.pending;
        self.declined += other.declined;
        self.short += other.short;
        self.given_up += other.given_up;
        self.commands += other.commands;
    }
}

#[derive(Default)]
pub struct Purchases {
    log: Mutex<PurchaseLog>,
}

impl Purchases {
    pub fn filled(&self, cart: CartId, bought: Bought) {
        self.log.lock().carts.insert(cart, bought);
    }

    /// The order of a cart was told to its buyer: a second one for the same cart is wrong.
    pub fn placed(&self, cart: CartId, order: OrderId) -> Result<(), String> {
        let mut log = self.log.lock();
        let Some(bought) = log.carts.get_mut(&cart) else {
            return Err(format!("{order} is of {cart}, which nobody filled"));
        };
        let before = bought.order.replace(order);
        log.counts.placed += usize::from(before.is_none());
        match before.filter(|before| *before != order) {
            Some(before) => Err(format!("{cart} was ordered as {before}, and as {order}")),
            None => Ok(()),
        }
    }

    pub fn asked(&self, order: OrderId, mark: Mark, heard: Heard) {
        let mut log = self.log.lock();
        log.counts.commands += usize::from(heard == Heard::Done);
        log.asked.push((order, mark, heard));
    }

    pub fn count(&self, which: impl FnOnce(&mut Sold)) {
        which(&mut self.log.lock().counts);
    }

    pub fn take(&self) -> PurchaseLog {
        std::mem::take(&mut self.log.lock())
    }
}
