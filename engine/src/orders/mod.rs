//! Orders: what was bought, from the moment a checkout freezes a cart until all of it is
//! delivered, refunded or returned.
//!
//! An order is decided purely, as an entity is: a state, a command and the time go in, events and
//! changes of the stock come out. It is no entity of the actors' runtime, since its row lies in
//! the commerce database, beside the stock and the payments that change in the same transaction.
//!
//! Amounts in here are minor units of the order's one currency.

mod amounts;
mod command;
mod credit;
mod decide;
mod edit;
mod event;
mod fulfilment;
mod limits;
mod line;
mod memory;
mod number;
mod order;
mod payment;
mod rejection;
mod returns;
#[cfg(any(test, feature = "contract"))]
pub mod sample;

#[cfg(test)]
pub(crate) mod tests;

pub use command::{
    Actor, OrderCommand, PaymentChoice, PaymentOutcome, RefundOf, ReturnRequestLine, ReturnedLine,
};
pub use credit::{Credit, EXCHANGE_GATEWAY, ExchangeOf};
pub use decide::{CapturePolicy, OrderDecision, decide};
pub use edit::{EDIT_CHANGES_MAX, EDITS_MAX, Edit, EditChange};
pub use event::{OrderEvent, Recorded};
pub use fulfilment::{Fulfilment, FulfilmentStatus, LineUnits, Tracking};
pub use limits::{LimitedUnits, OverLimit};
pub use line::OrderLine;
pub use memory::{
    CommandKey, KeyRecall, ORDER_KEY_AGE_MIN, ORDER_KEYS_MAX, ORDER_KEYS_MIN, UsedKey,
};
pub use number::{InvalidOrderNumber, OrderNumber};
pub use order::{
    FulfilmentProgress, NewOrder, Order, OrderStatus, OrderTotals, PaymentProgress, ShippingCharge,
};
pub use payment::{
    InvalidOperationKey, Operation, OperationKey, OperationKind, OperationState, Payment,
    PaymentStatus, Refund, RefundLine, RefundStatus, RequestKey,
};
pub use rejection::OrderRejection;
pub use returns::{Return, ReturnLine, ReturnStatus};

use crate::catalog::{Location, Sku};

/// What an order does to the stock, in the transaction that writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StockChange {
    /// What the order has reserved is its own from now on, and expires no more.
    Allocate,
    /// Units leave the house: off its allocation and off what is on hand.
    Ship { sku: Sku, quantity: u32 },
    /// Units that never leave: off its allocation only.
    Release { sku: Sku, quantity: u32 },
    /// More units of what is available, at once and without a reservation; so many more may be
    /// promised than are on hand.
    AllocateMore { sku: Sku, quantity: u32, allowance: u64 },
    /// Units that did not leave after all: on hand again, and allocated as before.
    Unship { sku: Sku, quantity: u32 },
    /// Units that came back and can be sold again.
    Restock { sku: Sku, location: Option<Location>, quantity: u32 },
}
