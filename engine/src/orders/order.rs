//! An order as it is stored, and what follows from that.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::event::Recorded;
use super::{
    Credit, Edit, ExchangeOf, Fulfilment, LineUnits, Operation, OperationState, OrderEvent,
    OrderLine, OrderNumber, Payment, Refund, RefundStatus, Return, UsedKey,
};
use crate::cart::{Addresses, Contact, LineId, Owner};
use crate::catalog::{ChannelId, Locale};
use crate::ids::{CartId, OrderId};
use crate::money::Currency;
use crate::time::Timestamp;

/// How long after a gateway refused to give money back it is asked again, at first and at most.
const SETTLE_PAUSE_MIN: Duration = Duration::from_secs(60);
const SETTLE_PAUSE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Refusals after which nobody asks by themselves any more: a month of them.
const SETTLE_TRIES_MAX: usize = 40;

/// An order. Its version counts its changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    pub id: OrderId,
    pub version: u64,
    pub status: OrderStatus,
    /// Nothing is shipped while it is held.
    #[serde(default)]
    pub on_hold: bool,
    pub cart: CartId,
    /// The cart's version that was frozen.
    pub cart_version: u64,
    /// Which of the cart's tries to be bought it is, from 1.
    pub freeze: u32,
    pub owner: Owner,
    /// From placing on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<OrderNumber>,
    pub channel: ChannelId,
    pub locale: Locale,
    pub currency: Currency,
    pub tax_included: bool,
    pub contact: Contact,
    pub addresses: Addresses,
    pub shipping: ShippingCharge,
    pub lines: Vec<OrderLine>,
    /// One for each attempt, the newest last.
    #[serde(default)]
    pub payments: Vec<Payment>,
    #[serde(default)]
    pub fulfilments: Vec<Fulfilment>,
    #[serde(default)]
    pub refunds: Vec<Refund>,
    #[serde(default)]
    pub returns: Vec<Return>,
    /// Those that were committed, and the one that was proposed last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<Edit>,
    /// What pays for other orders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credits: Vec<Credit>,
    /// What it was made in exchange for. It has no cart then, but an id of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange_of: Option<ExchangeOf>,
    /// The keys of commands, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<UsedKey>,
    /// All that happened to it, oldest first.
    #[serde(default)]
    pub timeline: Vec<Recorded>,
    pub created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed_at: Option<Timestamp>,
}

/// Where an order is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// Being paid for; its cart is frozen.
    Draft,
    /// Given up before it was placed: only then is its cart free again. A new try makes it a
    /// draft once more, with what the cart holds then.
    Abandoned,
    Placed,
    Cancelled,
    /// All of it has left the house, and is paid.
    Completed,
}

impl OrderStatus {
    /// What clients are told.
    pub fn as_str(self) -> &'static str {
        match self {
            OrderStatus::Draft | OrderStatus::Abandoned => "pending",
            OrderStatus::Placed => "placed",
            OrderStatus::Cancelled => "cancelled",
            OrderStatus::Completed => "completed",
        }
    }
}

/// The chosen way to ship, and what it costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShippingCharge {
    pub method: String,
    pub name: String,
    pub price: i64,
    pub tax: i64,
}

impl ShippingCharge {
    pub fn paid(&self, tax_included: bool) -> i64 {
        self.price + if tax_included { 0 } else { self.tax }
    }
}

/// A cart, frozen to be bought. The amounts were checked against what the buyer agreed to. Nodes
/// send it to each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewOrder {
    pub id: OrderId,
    pub cart: CartId,
    pub cart_version: u64,
    pub freeze: u32,
    pub owner: Owner,
    pub channel: ChannelId,
    pub locale: Locale,
    pub currency: Currency,
    pub tax_included: bool,
    pub contact: Contact,
    pub addresses: Addresses,
    pub shipping: ShippingCharge,
    pub lines: Vec<OrderLine>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange_of: Option<ExchangeOf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderTotals {
    pub subtotal: i64,
    pub discount: i64,
    pub shipping: i64,
    pub tax: i64,
    pub total: i64,
}

/// How much of an order has been paid for, over all its payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentProgress {
    Pending,
    Authorized,
    PartiallyCaptured,
    Captured,
    PartiallyRefunded,
    Refunded,
    Voided,
    Failed,
}

impl PaymentProgress {
    pub fn as_str(self) -> &'static str {
        match self {
            PaymentProgress::Pending => "pending",
            PaymentProgress::Authorized => "authorized",
            PaymentProgress::PartiallyCaptured => "partially_captured",
            PaymentProgress::Captured => "captured",
            PaymentProgress::PartiallyRefunded => "partially_refunded",
            PaymentProgress::Refunded => "refunded",
            PaymentProgress::Voided => "voided",
            PaymentProgress::Failed => "failed",
        }
    }
}

/// How much of an order has left the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FulfilmentProgress {
    Unfulfilled,
    PartiallyFulfilled,
    Fulfilled,
}

impl FulfilmentProgress {
    pub fn as_str(self) -> &'static str {
        match self {
            FulfilmentProgress::Unfulfilled => "unfulfilled",
            FulfilmentProgress::PartiallyFulfilled => "partially_fulfilled",
            FulfilmentProgress::Fulfilled => "fulfilled",
        }
    }
}

impl Order {
    /// The draft of a first try to buy a cart, at version 1.
    pub fn draft(new: NewOrder, now: Timestamp) -> Order {
        Order {
            id: new.id,
            version: 1,
            status: OrderStatus::Draft,
            on_hold: false,
            cart: new.cart,
            cart_version: new.cart_version,
            freeze: new.freeze,
            owner: new.owner,
            number: None,
            channel: new.channel,
            locale: new.locale,
            currency: new.currency,
            tax_included: new.tax_included,
            contact: new.contact,
            addresses: new.addresses,
            shipping: new.shipping,
            lines: new.lines,
            payments: Vec::new(),
            fulfilments: Vec::new(),
            refunds: Vec::new(),
            returns: Vec::new(),
            edits: Vec::new(),
            credits: Vec::new(),
            exchange_of: new.exchange_of,
            keys: Vec::new(),
            timeline: Vec::new(),
            created_at: now,
            placed_at: None,
        }
    }

    pub fn line(&self, id: LineId) -> Option<&OrderLine> {
        self.lines.iter().find(|line| line.id == id)
    }

    pub fn totals(&self) -> OrderTotals {
        let sum = |part: fn(&OrderLine) -> i64| self.lines.iter().map(part).sum::<i64>();
        let (subtotal, discount) = (sum(OrderLine::total), sum(|line| line.discount));
        let tax = sum(|line| line.tax) + self.shipping.tax;
        let on_top = if self.tax_included { 0 } else { tax };
        let total = subtotal - discount + self.shipping.price + on_top;
        OrderTotals { subtotal, discount, shipping: self.shipping.price, tax, total }
    }

    /// What the payment that bought it holds, or may hold: the newest that did not fail.
    pub fn live_payment(&self) -> Option<&Payment> {
        self.payments.iter().rev().find(|payment| payment.may_hold_money())
    }

    /// Whether this try has come as far as a payment, whatever became of that.
    pub fn has_tried_to_pay(&self) -> bool {
        let since_opened = self.timeline.iter().rev().map(|recorded| &recorded.event);
        let mut since_opened =
            since_opened.take_while(|event| !matches!(event, OrderEvent::Reopened));
        since_opened.any(|event| matches!(event, OrderEvent::PaymentStarted { .. }))
    }

    /// Why it is given up, if it is.
    pub fn abandoned_for(&self) -> Option<&str> {
        let newest_first = self.timeline.iter().rev().map(|recorded| &recorded.event);
        let mut reasons = newest_first.filter_map(|event| match event {
            OrderEvent::Abandoned { reason } => Some(reason.as_str()),
            _ => None,
        });
        reasons.next().filter(|_| self.status == OrderStatus::Abandoned)
    }

    /// Neither given up nor cancelled: what is paid for it is to be kept.
    pub fn is_wanted(&self) -> bool {
        !matches!(self.status, OrderStatus::Abandoned | OrderStatus::Cancelled)
    }

    /// Whether nothing is left to do for it until somebody changes it: no draft, no gateway to be
    /// asked, and no money held of a buyer who gets nothing for it.
    pub fn is_settled(&self) -> bool {
        self.status != OrderStatus::Draft
            && self.pending_operations().next().is_none()
            && (self.is_wanted() || self.live_payment().is_none())
    }

    /// From when on money is to be given back again that a gateway refused to; later after each
    /// refusal. `None` where there is none, or where somebody has to look.
    pub fn settle_due_at(&self) -> Option<Timestamp> {
        let is_asked = self.pending_operations().next().is_some();
        let payment = self.live_payment().filter(|_| !self.is_wanted() && !is_asked)?;
        let failed = |one: &&Operation| matches!(one.state, OperationState::Failed { .. });
        let refusals = payment.operations.iter().filter(failed).count();
        if refusals > SETTLE_TRIES_MAX {
            return None;
        }
        let doublings = u32::try_from(refusals).unwrap_or(u32::MAX).saturating_sub(1).min(16);
        let pause = (SETTLE_PAUSE_MIN * 2_u32.pow(doublings)).min(SETTLE_PAUSE_MAX);
        let last = payment.operations.last().map_or(self.created_at, |one| one.at);
        Some(last.plus(pause))
    }

    /// All that was not sent yet.
    pub fn unfulfilled(&self) -> Vec<LineUnits> {
        let units = |line: &OrderLine| LineUnits { line: line.id, quantity: line.unfulfilled() };
        self.lines.iter().filter(|line| line.unfulfilled() > 0).map(units).collect()
    }

    /// The lines of which stock is kept.
    pub fn tracked_lines(&self) -> impl Iterator<Item = &OrderLine> {
        self.lines.iter().filter(|line| line.tracked)
    }

    pub fn captured(&self) -> i64 {
        self.payments.iter().map(Payment::captured).sum()
    }

    /// What can still be paid back; not what pays for other orders.
    pub fn refundable(&self) -> i64 {
        self.payments.iter().map(Payment::refundable).sum::<i64>() - self.credited()
    }

    /// What was taken for what the order costs now, or is about to be: without what an edit gave
    /// back, since the order costs less by that.
    pub fn taken(&self) -> i64 {
        let asked = self.payments.iter().map(Payment::asked_to_take).sum::<i64>();
        asked - self.paid_back_for_edits()
    }

    fn paid_back_for_edits(&self) -> i64 {
        let standing = self.refunds.iter().filter(|refund| refund.status != RefundStatus::Failed);
        let for_edits = standing.filter(|refund| refund.for_edit.is_some());
        for_edits.map(|refund| refund.amount).sum()
    }

    /// Whether all that it costs was taken.
    pub fn is_paid(&self) -> bool {
        self.captured() - self.paid_back_for_edits() >= self.totals().total
    }

    pub fn payment_progress(&self) -> PaymentProgress {
        let sum = |part: fn(&Payment) -> i64| self.payments.iter().map(part).sum::<i64>();
        let (captured, refunded) = (sum(Payment::captured), sum(Payment::refunded));
        let is_any = |is: fn(&Payment) -> bool| self.payments.iter().any(is);
        match () {
            () if captured > 0 && refunded >= captured => PaymentProgress::Refunded,
            () if refunded > 0 => PaymentProgress::PartiallyRefunded,
            () if captured > 0 && self.is_paid() => PaymentProgress::Captured,
            () if captured > 0 => PaymentProgress::PartiallyCaptured,
            () if is_any(|payment| payment.capturable() > 0) => PaymentProgress::Authorized,
            () if is_any(Payment::may_hold_money) => PaymentProgress::Pending,
            () if is_any(Payment::is_voided) => PaymentProgress::Voided,
            () if self.totals().total == 0 && self.placed_at.is_some() => PaymentProgress::Captured,
            () if self.payments.is_empty() => PaymentProgress::Pending,
            () => PaymentProgress::Failed,
        }
    }

    pub fn fulfilment_progress(&self) -> FulfilmentProgress {
        match () {
            () if self.lines.iter().all(|line| line.unfulfilled() == 0) => {
                FulfilmentProgress::Fulfilled
            }
            () if self.lines.iter().any(|line| line.fulfilled > 0) => {
                FulfilmentProgress::PartiallyFulfilled
            }
            () => FulfilmentProgress::Unfulfilled,
        }
    }
}
